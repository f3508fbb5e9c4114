package api

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
)

const bulkPath = tokensPath + "/revoke"

// linesType is the media type of an answer in lines.
const linesType = "application/x-ndjson"

func (h *handler) bulkRoutes() []*route {
	return []*route{
		{method: "POST", path: bulkPath, id: "revokeTokens", tag: "tokens", summary: "Revoke many tokens for good",
			about: "Those that fit all that is given, of which there must be something; tokens issued while it goes on included. Sessions only where ids, issuer or lineage mean them. Takes DeleteToken on each of the tokens, without which nothing is done, and ListTokens on /token unless ids alone say which. " +
				"The tokens are revoked in atomic batches of at most 500: what stops it in the middle leaves whole batches, and the same again, without expect, does the rest. expect goes by what the node knows when it begins: count_missed says that there were others while it went on. The caller's own token comes last. " +
				"With Accept: application/x-ndjson the answer comes in lines: while the work goes on {\"revoked\":500,\"of\":10000}, now and then, and at the end the object that would be the whole answer, or a problem, whatever the status said. What is refused at the beginning is answered as usual.",
			do: (*call).revokeTokens, raw: (*call).serveBulk, query: []param{waitParam}, in: wire.RevokeTokens{}, out: wire.RevokedTokens{}, outType: linesType,
			codes: []string{"not_found", "count_differs", "last_manager", "incomplete"}},
	}
}

// serveBulk ends an answer that began in lines as such.
func (c *call) serveBulk() {
	rep, err := c.run()
	switch {
	case c.status == 0 && err != nil:
		c.problem(err)
	case c.status == 0:
		c.answer(rep)
	case err != nil:
		p, _ := c.problemOf(err)
		c.line(p)
	default:
		c.line(rep.body)
	}
}

func (c *call) revokeTokens() (reply, error) {
	account, err := c.account()
	if err != nil {
		return reply{}, err
	}
	var in wire.RevokeTokens
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	var b binder
	bulk := Bulk{
		Account: account, DryRun: in.DryRun, Force: in.Force,
		Reason: domain.Reason{Code: domain.ReasonCode(in.Reason), Text: in.Text},
	}
	if in.Expect != nil {
		n := int(*in.Expect)
		bulk.Expect = &n
		if n < 0 {
			b.fault("/expect", "is a number of tokens")
		}
	}
	b.selection(&in, &bulk)
	wait := b.wait(in.Wait, c.query["wait"])
	if err := b.err(); err != nil {
		return reply{}, err
	}
	c.allowTime()
	r, err := c.h.svc.RevokeAll(c.r.Context(), c.by, bulk, wait, c.showing())
	if err != nil {
		if r.Revoked > 0 && c.status == 0 {
			c.Header().Set("Hallpass-Revision", strconv.FormatUint(uint64(r.Revision), 10))
		}
		return reply{}, err
	}
	return reply{body: wireBulk(r, bulk.DryRun), revision: r.Revision, wait: r.Wait}, nil
}

// selection reads which tokens are meant.
func (b *binder) selection(in *wire.RevokeTokens, bulk *Bulk) {
	f := &bulk.Select
	if len(in.IDs) > maxBulkIDs {
		b.fault("/ids", "are %d at most", maxBulkIDs)
		return
	}
	for i, id := range in.IDs {
		parsed, err := domain.ParseTokenID(id)
		if err != nil {
			b.fault(itemOf("/ids", i), "%s", detailOf(err))
		}
		f.IDs = append(f.IDs, parsed)
	}
	f.Name = in.Name
	if in.Tag != "" {
		if f.TagKey, f.TagValue, f.HasTagValue = strings.Cut(in.Tag, ":"); f.TagKey == "" {
			b.fault("/tag", "is key or key:value")
		}
	}
	if in.Issuer != "" {
		account, token, _ := strings.Cut(in.Issuer, "/")
		if checkIDs(domain.AccountID(account), domain.TokenID(token)) != nil || token == "" {
			b.fault("/issuer", "is account/token, as issued_by of a token says")
		}
		f.IssuedBy = domain.Actor{Account: domain.AccountID(account), Token: domain.TokenID(token)}
	}
	if in.IssuedBefore != nil {
		if f.IssuedBefore = instantOf(in.IssuedBefore); f.IssuedBefore == 0 {
			b.fault("/issued_before", "is later than the beginning of 1970")
		}
	}
	if in.Lineage != "" {
		id, err := domain.ParseTokenID(in.Lineage)
		if err != nil {
			b.fault("/lineage", "%s", detailOf(err))
		}
		f.Lineage = id
	}
	if len(in.IDs) == 0 && in.Tag == "" && in.Name == "" && in.Issuer == "" && in.IssuedBefore == nil && in.Lineage == "" {
		b.fault("/ids", "say which tokens: by ids, tag, name, issuer, issued_before or lineage")
	}
}

// linesEvery is how often a line tells of progress at most. That keeps the
// lines of the longest bulk below what connections hold back for a client that
// does not read: the work waits for none.
const linesEvery = 100 * time.Millisecond

// showing returns what is told of progress: it gives the answer the time that
// so many tokens may take, and writes lines if the client takes them.
func (c *call) showing() func(done, of int) {
	lines, begun := c.takesLines(), false
	var said time.Time
	return func(done, of int) {
		if !begun {
			begun = true
			within := c.h.svc.bulkDeadline(of) + c.h.svc.FenceDeadline() + answerTime
			// It fails only where nothing limits the time of writing.
			_ = http.NewResponseController(c.ResponseWriter).SetWriteDeadline(time.Now().Add(within))
		}
		if !lines || done < of && time.Since(said) < linesEvery {
			return
		}
		said = time.Now()
		if c.status == 0 {
			h := c.Header()
			h.Set("Content-Type", linesType)
			h.Set("Cache-Control", "no-store")
			c.WriteHeader(http.StatusOK)
		}
		c.line(wire.Progress{Revoked: done, Of: of})
	}
}

// takesLines tells whether the client asks for an answer in lines.
func (c *call) takesLines() bool {
	for _, accept := range c.r.Header["Accept"] {
		for part := range strings.SplitSeq(accept, ",") {
			if typ, _, err := mime.ParseMediaType(part); err == nil && typ == linesType {
				return true
			}
		}
	}
	return false
}

// line writes v on a line of its own. That the client went away is its own
// affair.
func (c *call) line(v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		c.h.cfg.Logger.Error("an answer could not be written", "request_id", c.id, "error", err)
		return
	}
	c.send(buf.Bytes())
	_ = http.NewResponseController(c.ResponseWriter).Flush()
}

func wireBulk(r BulkResult, dry bool) wire.RevokedTokens {
	out := wire.RevokedTokens{
		DryRun: dry, Matched: r.Matched, Revoked: r.Revoked, Already: r.Already, CountMissed: r.Missed,
		IDs: make([]string, len(r.IDs)), Revision: uint64(r.Revision), Receipt: wireReceipt(r.Receipt),
	}
	if !dry {
		out.Bulk = r.ID.String()
	}
	for i, id := range r.IDs {
		out.IDs[i] = string(id)
	}
	return out
}
