package domain_test

import (
	"testing"

	"hallpass/domain"
)

const now domain.Instant = 1_800_000_000_000

var open = domain.Account{State: domain.AccountIsOpen}

// alone is the lineage of a token that was derived from none.
func alone(t *domain.Token) domain.Lineage { return domain.Lineage{Token: t} }

func at(now domain.Instant) domain.Circumstances { return domain.Circumstances{Now: now} }

func digest(n byte) domain.Digest { return domain.Digest{n} }

var everything = domain.Permissions{
	Mode:  domain.Union,
	Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}},
}

// issued returns the token "a" of account "acme" with those permissions and
// the secret digest(1), by way of Decide and Evolve.
func issued(t *testing.T, p domain.Permissions) domain.Token {
	t.Helper()
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme", Name: "Acme"})
	h.do(domain.IssueToken{Account: "acme", Token: "a", Permissions: p, Digest: digest(1)})
	return h.state.Token
}

// history folds the events of commands on one account and one token.
type history struct {
	*testing.T
	state domain.State
	seq   domain.Seq
	by    domain.Authority
	now   domain.Instant
}

func newHistory(t *testing.T) *history {
	return &history{T: t, now: now}
}

// try decides c and folds its event; it returns what Decide returned.
func (h *history) try(c domain.Command) (domain.Event, error) {
	h.Helper()
	e, err := domain.Decide(h.state, c, h.by, h.now)
	if err != nil || e == nil {
		return e, err
	}
	target := c.Target()
	f := domain.Fact{Time: h.now, Actor: h.by.Actor, Authorised: h.seq, Account: target.Account, Token: target.Token, Event: e}
	next, err := domain.Evolve(h.state, &f, h.seq+1)
	if err != nil {
		h.Fatalf("%T was decided but can't be folded: %v", c, err)
	}
	h.state, h.seq = next, h.seq+1
	return e, nil
}

func (h *history) do(c domain.Command) domain.Event {
	h.Helper()
	e, err := h.try(c)
	if err != nil {
		h.Fatalf("%T: %v", c, err)
	}
	return e
}

// refused holds that c is refused with that code.
func (h *history) refused(c domain.Command, want domain.Code) {
	h.Helper()
	before := h.seq
	e, err := h.try(c)
	if domain.CodeOf(err) != want || err == nil {
		h.Errorf("%T: got event %v, error %v; want code %s", c, e, err, want)
	}
	if h.seq != before {
		h.Errorf("%T was refused and changed something", c)
	}
}
