package api

import (
	"errors"
	"strconv"
	"strings"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/projections"
)

var tokenListParams = append([]param{
	{name: "name", typ: "string", doc: "Tokens whose name starts so."},
	{name: "tag", typ: "string", doc: "Tokens with this tag: key, or key:value."},
	{name: "enabled", typ: "boolean", enum: []string{"true", "false"}, doc: "Tokens that are enabled, or that are not."},
	{name: "expires_before", typ: "date-time", doc: "Tokens that expire before then."},
	{name: "state", typ: "string", enum: []string{"active", "disabled", "revoked"}, doc: "Tokens in that state. Revoked tokens are shown only when asked for."},
	{name: "kind", typ: "string", enum: []string{"api", "session", "all"}, doc: "Tokens of that kind; default api. Sessions are shown only when asked for."},
	{name: "parent", typ: "string", doc: "Tokens that were derived from that one itself."},
	unusedParam,
	{name: "origin", typ: "string", doc: "Tokens that were made through that door."},
}, pageParams...)

func (c *call) listTokens() (reply, error) {
	account, err := c.account()
	if err != nil {
		return reply{}, err
	}
	if err := c.may(account, domain.TokenNeed("ListTokens", "")); err != nil {
		return reply{}, err
	}
	var b binder
	limit := c.limit(&b)
	filter := c.tokenFilter(&b)
	if filter.UnusedSince, err = c.unusedSince(&b); err != nil {
		return reply{}, err
	}
	cursor, err := projections.ParseCursor(c.query["cursor"])
	if err != nil {
		cursorError(&b)
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	if _, ok := c.h.svc.proj.Directory.Account(account); !ok {
		return reply{}, domain.Errorf(domain.CodeNotFound, "there is no account %s", account)
	}
	p := page{limit: limit}
	for more := true; more; {
		if p.full() {
			return reply{body: p.list(cursor.String()), revision: at}, nil
		}
		var tokens []*domain.Token
		tokens, cursor, more = c.h.svc.proj.Directory.Tokens(account, filter, cursor, p.room(tokenStep))
		for _, t := range tokens {
			if err := p.add(c.wireToken(t)); err != nil {
				return reply{}, err
			}
		}
	}
	return reply{body: p.list(""), revision: at}, nil
}

func (c *call) tokenFilter(b *binder) projections.Filter {
	f := projections.Filter{Name: c.query["name"], State: c.query["state"], Parent: domain.TokenID(c.query["parent"]), Origin: c.query["origin"]}
	switch c.query["kind"] {
	case domain.KindSession.String():
		f.Kind = domain.KindSession
	case "all":
		f.Kind = projections.AnyKind
	}
	if tag, ok := c.query["tag"]; ok {
		f.TagKey, f.TagValue, f.HasTagValue = strings.Cut(tag, ":")
		if f.TagKey == "" {
			b.fault("/query/tag", "is key or key:value")
		}
	}
	if enabled, ok := c.query["enabled"]; ok {
		yes := enabled == "true"
		f.Enabled = &yes
	}
	if before, ok := c.query["expires_before"]; ok {
		t, why := parseTime(before)
		if why != "" {
			b.fault("/query/expires_before", "%s", why)
		}
		f.ExpiresBefore = domain.InstantOf(t)
	}
	return f
}

var historyParams = []param{
	{name: "after", typ: "integer", doc: "Records with a revision above this one."},
	{name: "limit", typ: "integer", doc: "At most so many items, 1 to 1000; default 100."},
	{name: "cursor", typ: "string", doc: "next_cursor of the page before."},
}

// tokenEvents shows a token's records, oldest first, void ones included.
func (c *call) tokenEvents() (reply, error) {
	account, id, err := c.target()
	if err != nil {
		return reply{}, err
	}
	if err := c.may(account, domain.AuditNeed("ReadEvents")); err != nil {
		return reply{}, err
	}
	var b binder
	limit := c.limit(&b)
	after := c.sequence(&b, "after")
	if s, ok := c.query["cursor"]; ok {
		n, err := parseSeq(s)
		if err != nil {
			cursorError(&b)
		}
		after = max(after, n)
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	state, _ := c.h.svc.proj.Directory.State(domain.Target{Account: account, Token: id})
	if err := exists(state, account, id); err != nil {
		return reply{}, err
	}
	list, err := c.historyPage(account, id, after, limit)
	if err != nil {
		return reply{}, err
	}
	// The log may have taken its time.
	if err := c.authenticate(); err != nil {
		return reply{}, err
	}
	if err := c.may(account, domain.AuditNeed("ReadEvents")); err != nil {
		return reply{}, err
	}
	return reply{body: list, revision: at}, nil
}

func (c *call) historyPage(account domain.AccountID, id domain.TokenID, after Seq, limit int) (pageList, error) {
	p := page{limit: limit}
	for {
		n := p.room(eventStep)
		entries, err := c.h.svc.proj.History(c.r.Context(), account, id, after, n+1)
		if err != nil {
			return pageList{}, c.unreadable(err)
		}
		for i, e := range entries {
			if i == n || p.full() {
				break
			}
			if err := p.add(wireEvent(e.Seq, e.Fact, e.Void)); err != nil {
				return pageList{}, err
			}
			after = e.Seq
		}
		switch {
		case len(entries) == 0 || entries[len(entries)-1].Seq == after:
			return p.list(""), nil
		case p.full():
			return p.list(strconv.FormatUint(uint64(after), 10)), nil
		}
	}
}

// unreadable answers for a log that can't be read now. A record that can't be
// decoded is another matter: it stays so.
func (c *call) unreadable(err error) error {
	var broken *projections.RecordError
	if errors.As(err, &broken) {
		return err
	}
	c.h.cfg.Logger.Warn("the log can't be read", "request_id", c.id, "error", err)
	return domain.Errorf(domain.CodeNotReady, "the log can't be read right now; try again shortly")
}

func (c *call) whoami() (reply, error) {
	return reply{
		body:     wire.Whoami{Token: c.wireToken(c.by.Token), AccountState: c.by.Account.State.String()},
		revision: c.by.Authority.At,
		etag:     c.by.Token.Revision,
	}, nil
}
