package api

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
)

const (
	leaksPath      = "/v1/leaks"
	maxLeaks       = 1000 // secrets in one report
	leaksPerMinute = 60   // reports, unless HandlerConfig says otherwise
	leakWriters    = 16   // tokens of one report that are revoked at a time
)

// leakReason is why a token is revoked whose secret was reported.
var leakReason = domain.Reason{Code: domain.ReasonCompromised, Text: "someone who holds its secret reported it as leaked"}

func (h *handler) leakRoutes() []*route {
	if h.leaks == nil {
		return nil
	}
	return []*route{
		{method: "POST", path: leaksPath, id: "reportLeaks", tag: "tokens", summary: "Report leaked secrets",
			about: "For whoever found them: takes no credential, and a node takes so many reports in a minute. The token of each secret that opens it is revoked with reason compromised, disabled, expired and suspended ones too. Answered when no node lets any of them in; after a 503, report the same again. The answer tells no more than trying a secret would: revoked is only what had worked for the caller.",
			do:    (*call).reportLeaks, open: true, in: wire.LeakReport{}, out: wire.LeakAnswer{},
			codes: []string{"rate_limited", "invalid", "bad_path", "bad_query", "bad_header", "stale", "not_ready"}},
	}
}

func (c *call) reportLeaks() (reply, error) {
	c.Header().Set("Cache-Control", "no-store")
	if wait := c.h.leaks.takeFrom(c.from()); wait > 0 {
		return reply{}, c.tooManyLeaks(wait, "this node takes no more reports right now from your network")
	}
	in, err := c.readLeaks()
	if err != nil {
		return reply{}, err
	}
	if wait := c.h.leaks.total.take(); wait > 0 { // only now: what is no report keeps nobody from reporting
		return reply{}, c.tooManyLeaks(wait, "this node takes no more reports right now")
	}
	c.allowTime()
	worked, at, err := c.h.svc.RevokeLeaked(c.r.Context(), c.id, in.Secrets, c.from())
	if err != nil {
		return reply{}, err
	}
	out := wire.LeakAnswer{Reported: int64(len(worked)), Results: make([]string, len(worked))}
	for i, did := range worked {
		out.Results[i] = "unknown"
		if did {
			out.Results[i] = "revoked"
			out.Revoked++
		}
	}
	return reply{status: http.StatusOK, body: out, revision: at, wait: WaitAll}, nil
}

func (c *call) tooManyLeaks(wait time.Duration, detail string) error {
	c.Header().Set("Retry-After", seconds(wait))
	return domain.Errorf(codeRateLimited, "%s: try again, or on another node, in %v", detail, wait.Round(time.Second)+time.Second)
}

// readLeaks reads the report. What stands in the list and is no text can't be
// a secret, and is no error either.
func (c *call) readLeaks() (in wire.LeakReport, _ error) {
	v, err := c.readJSON()
	if err != nil {
		return in, err
	}
	for _, m := range v.members {
		if m.name != "secrets" {
			continue
		}
		for i := range m.value.items {
			if item := &m.value.items[i]; item.kind != text {
				*item = value{kind: text}
			}
		}
	}
	if err := bindInto(v, &in); err != nil {
		return in, err
	}
	if n := len(in.Secrets); n == 0 || n > maxLeaks {
		return in, domain.Invalid("/secrets", "holds 1 to %d secrets", maxLeaks)
	}
	return in, nil
}

// RevokeLeaked revokes the token of each secret that opens it, whatever else
// keeps the token from working, and returns once no node lets any of them in.
// worked tells which of them would have worked as a credential from that
// address until then, which is all that who reports them may be told. Errors:
//   - stale: this node can't find out in time what it has to know
//   - those of Do for one of the tokens: others may be revoked already
func (s *Service) RevokeLeaked(ctx context.Context, request string, secrets []string, from netip.Addr) (worked []bool, at Seq, _ error) {
	// A token that was issued before the report must be known here.
	current, cancel := context.WithTimeout(ctx, s.deadline)
	err := s.proj.Current(current)
	cancel()
	if err != nil {
		return nil, 0, domain.Errorf(domain.CodeStale, "this node can't find out in time whether it is behind; report the same again, or to another node")
	}
	at = s.Revision()
	report := leakReport{Service: s, request: request, leaks: map[domain.Target]*leak{}}
	for i, text := range secrets {
		if err := report.find(i, text, from); err != nil {
			return nil, 0, err
		}
	}
	if err := report.revoke(ctx); err != nil {
		return nil, 0, err
	}
	worked = make([]bool, len(secrets))
	for _, l := range report.leaks {
		for _, i := range l.told {
			worked[i] = l.revoked
		}
	}
	if report.through == 0 {
		return worked, at, nil
	}
	err = s.settle(ctx, &Result{Wait: WaitAll, Changed: true, Revision: report.through})
	return worked, max(at, report.through), err
}

// leakReport is one report on its way.
type leakReport struct {
	*Service
	request string
	leaks   map[domain.Target]*leak
	through Seq // the newest record by which any of the secrets is refused; 0: all are nobody's
}

// leak is one token whose secret was reported.
type leak struct {
	of      domain.Target
	digests []domain.Digest // that were reported
	told    []int           // places in the report of those that worked

	revoked bool
	at      Seq // the record that ended it
	err     error
}

// find notes whose secret number i of the report is. Its errors are those of
// Index.Bearer.
func (r *leakReport) find(i int, text string, from netip.Addr) error {
	secret, err := domain.ParseBearer(text)
	if err != nil {
		return nil // it can't be anybody's
	}
	b, err := r.proj.Index.Bearer(secret, from)
	if err != nil || b.Token == nil {
		return err
	}
	r.through = max(r.through, b.Token.Revision)
	digest := secret.Digest()
	if !stillOpens(b.Token, digest, r.now()) {
		return nil
	}
	of := domain.Target{Account: b.Token.Account, Token: b.Token.ID}
	l := r.leaks[of]
	if l == nil {
		l = &leak{of: of}
		r.leaks[of] = l
	}
	l.digests = append(l.digests, digest)
	if b.Verdict == domain.Granted {
		l.told = append(l.told, i)
	}
	return nil
}

// stillOpens tells whether the digest is of a secret that the token holds, and that
// has not ended.
func stillOpens(t *domain.Token, d domain.Digest, now domain.Instant) bool {
	for i := range t.Secrets {
		if held := &t.Secrets[i]; held.Digest == d {
			return held.Until == 0 || now < held.Until
		}
	}
	return false
}

// revoke revokes every token, some at a time. Its error is that of one of them.
func (r *leakReport) revoke(ctx context.Context) (err error) {
	var all sync.WaitGroup
	room := make(chan struct{}, leakWriters)
	for _, l := range r.leaks {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			r.revokeOne(ctx, l)
		})
	}
	all.Wait()
	count := 0
	for _, l := range r.leaks {
		r.through = max(r.through, l.at)
		if l.err != nil {
			err = l.err
		}
		if l.revoked {
			count++
		}
	}
	if count > 0 {
		r.logger.Warn("tokens were revoked because their secrets were reported as leaked", "request_id", r.request, "tokens", count)
	}
	return err
}

// revokeOne revokes the token, unless none of the secrets opens it any more.
func (r *leakReport) revokeOne(ctx context.Context, l *leak) {
	by := r.Operator()
	by.Request = r.request
	cmd := domain.RevokeToken{Account: l.of.Account, Token: l.of.Token, Reason: leakReason, Force: true}
	done, err := r.change(ctx, by, l.of, WaitCommit, func(_ Caller, s domain.State) (domain.Command, error) {
		still := s.Token.Revoked // others were faster
		for _, d := range l.digests {
			still = still || stillOpens(&s.Token, d, r.now())
		}
		if !still {
			l.at = s.Token.Revision // at it, or before it, they ended
			return cmd, errReplaced
		}
		return cmd, nil
	})
	switch {
	case err == nil && done.Changed:
		l.revoked, l.at = true, done.Revision
	case err == nil:
		l.revoked, l.at = true, done.cause()
	case domain.CodeOf(err) != errReplaced.Code:
		l.err = err
	}
}

// errReplaced says that the reported secrets were replaced before their token
// could be revoked.
var errReplaced = domain.Errorf(domain.CodePrecondition, "none of the secrets opens the token any more")
