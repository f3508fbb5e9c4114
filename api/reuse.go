package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"hallpass/domain"
	"hallpass/projections"
)

// How often it is looked up whether a secret was retired, and how often at
// once: each look reads the log. No token takes what its account has, and no
// account what the node has.
const (
	reuseEvery        = 50 * time.Millisecond // of a node
	reuseBurst        = 200
	reuseAccountEvery = 250 * time.Millisecond
	reuseAccountBurst = 40
	reuseTokenEvery   = time.Second
	reuseTokenBurst   = 10
)

const (
	reusePage  = 256                       // records read at a time
	reuseMost  = 16 * reusePage            // records of the token seen at most, the newest
	reuseReads = 6 * reuseMost / reusePage // at most
	reuseWait  = 5 * time.Second           // for the log to be read
	reuseKept  = 1024                      // buckets, and as many secrets that were looked up
)

// reuseReason is why a token is revoked whose retired secret came back.
var reuseReason = domain.Reason{Code: domain.ReasonCompromised, Text: "a secret that it had before was used to rotate it"}

// presented is how things stood before a credential was judged.
type presented struct {
	now domain.Instant
	at  Seq
}

// reused sees to a credential that did not work, which err says, at the one
// place where a secret that was retired is a sign that two have it: where it is
// to rotate its own token. That token is revoked. The answer is err in any case.
func (c *call) reused(err error, p presented) error {
	if c.route.id != "rotateToken" || domain.CodeOf(err) != domain.CodeUnauthorized {
		return err
	}
	text, _ := c.bearer()
	secret, bad := domain.ParseBearer(text)
	account, id, other := c.target()
	if bad != nil || other != nil {
		return err
	}
	b, stale := c.h.svc.proj.Index.Bearer(secret, c.from())
	if stale != nil || b.Token == nil || b.Token.Account != account || b.Token.ID != id {
		return err
	}
	r := reuse{Service: c.h.svc, token: b.Token, digest: secret.Digest(), request: c.id}
	if !r.possible(&b.Account, p) || c.retries(b.Token) || !r.retired(c.r.Context(), p) {
		return err
	}
	c.allowTime()
	r.revoke(c.r.Context())
	return err
}

// retries tells whether the request is one by which the token's own holder
// rotated it, asked for once more: the answer may have been lost, and with it
// the secret that works.
func (c *call) retries(t *domain.Token) bool {
	key, err := c.onceKey()
	if err != nil || key == "" {
		return false
	}
	k := keyOf("rotate", t.Account, t.ID, key)
	return slices.ContainsFunc(t.Done, func(d domain.Done) bool { return d.Key == k })
}

// reuse is one secret that did not open the token it belongs to.
type reuse struct {
	*Service
	token   *domain.Token
	digest  domain.Digest
	request string
}

// possible tells whether the token is one to be revoked for it: it lives, and
// is as it was when the secret was presented. Who comes while it changes is
// refused, and that is all: which of the two was first can't be told.
func (r *reuse) possible(a *domain.Account, p presented) bool {
	t := r.token
	return t.Generation != 0 && !t.Revoked && a.State != domain.AccountIsClosed &&
		(t.ExpiresAt == 0 || p.now < t.ExpiresAt) && t.Revision <= p.at
}

// retired tells whether the secret opened this generation of the token once and
// had been replaced, or its overlap was over, when it was presented.
func (r *reuse) retired(ctx context.Context, p presented) bool {
	for i := range r.token.Secrets {
		if held := &r.token.Secrets[i]; held.Digest == r.digest {
			return held.Until != 0 && p.now >= held.Until
		}
	}
	looks, was := r.looks, looked{r.at(), r.token.Generation, r.digest}
	if looks.foreign(was) {
		return false
	}
	if !looks.take(was.target) || r.reuses.take() > 0 {
		r.skipped(errTooOften)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, reuseWait)
	defer cancel()
	brought, err := r.brought(ctx)
	switch {
	case err != nil:
		r.skipped(err)
	case !brought:
		looks.note(was)
	}
	return brought
}

func (r *reuse) at() target { return target{Account: r.token.Account, Token: r.token.ID} }

// Why it isn't known whether a secret was retired.
var (
	errTooOften = errors.New("api: secrets that don't work come too often")
	errLong     = errors.New("api: the token was issued too many records ago")
	errBehind   = errors.New("api: the replica that was asked is behind this node")
)

// skipped leaves a trace of a secret that may have been retired.
func (r *reuse) skipped(why error) {
	r.looks.skipped.Inc()
	r.logger.Warn("whether a retired secret was used could not be learned",
		"account", r.token.Account, "token", r.token.ID, "request_id", r.request, "error", why)
}

// brought tells whether a record of this generation brought the secret. It
// reads from the newest record back to the one that issued the generation. The
// log reads only forward: so it reads part after part, each as wide, in
// revisions, as holds no more of the token's records than a page.
// Errors: errLong, errBehind, and those of History.
func (r *reuse) brought(ctx context.Context) (bool, error) {
	to, width := r.token.Revision, r.token.Revision
	for reads, seen := 0, 0; reads < reuseReads && seen < reuseMost; reads++ {
		after := to - min(width, to)
		entries, err := r.proj.History(ctx, r.token.Account, r.token.ID, after, reusePage)
		if err != nil {
			return false, err
		}
		if n := len(entries); n < reusePage && (n == 0 || entries[n-1].Seq < r.token.Revision) {
			return false, errBehind
		}
		if entries[len(entries)-1].Seq < to { // the part holds more
			width = max(width/4, reusePage)
			continue
		}
		part := entries[:countUpTo(entries, to)]
		for i := range slices.Backward(part) {
			if r.brings(&part[i]) {
				return true, nil
			}
			if _, ok := part[i].Fact.Event.(domain.TokenIssued); ok && part[i].Void == "" {
				return false, nil
			}
		}
		if seen += len(part); len(part) < reusePage/4 {
			width *= 2
		}
		to = after
	}
	return false, errLong
}

// countUpTo returns how many of the entries are numbered up to seq.
func countUpTo(entries []projections.Entry, seq Seq) int {
	n := slices.IndexFunc(entries, func(e projections.Entry) bool { return e.Seq > seq })
	if n < 0 {
		return len(entries)
	}
	return n
}

// brings tells whether the record gave the token the secret.
func (r *reuse) brings(e *projections.Entry) bool {
	if e.Void != "" || e.SecretLost {
		return false
	}
	switch e := e.Fact.Event.(type) {
	case domain.TokenIssued:
		return e.Digest == r.digest
	case domain.TokenRotated:
		return e.Digest == r.digest
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring,
		domain.TypeDefined, domain.TypeRemoved, domain.NodeJoined, domain.NodeLeft, domain.Checkpoint:
	}
	return false
}

// revoke revokes the token, if it still is what it was. What goes wrong is the
// operator's to know: the bearer is refused in any case.
func (r *reuse) revoke(ctx context.Context) {
	by := r.Operator()
	by.Request = r.request
	at := r.at()
	done, err := r.change(ctx, by, at, WaitAll, func(_ Caller, s domain.State) (domain.Command, error) {
		cmd := domain.RevokeToken{Account: at.Account, Token: at.Token, Reason: reuseReason, Force: true}
		if s.Token.Generation != r.token.Generation || stillOpens(&s.Token, r.digest, r.now()) {
			return cmd, errReplaced
		}
		return cmd, nil
	})
	if err != nil {
		r.logger.Error("a token whose retired secret was used could not be revoked for sure", "account", at.Account, "token", at.Token, "request_id", r.request, "error", err)
		return
	}
	if done.Changed {
		r.metrics.reuses.Inc()
	}
	r.logger.Warn("a token was revoked: a secret that it had before was used to rotate it", "account", at.Account, "token", at.Token, "request_id", r.request)
}
