package projections

import (
	"sync/atomic"

	"hallpass/domain"
)

// Index answers checks from memory. No lock is taken and nothing is allocated.
type Index struct {
	digests  *table
	position *Position
	wall     func() domain.Instant
	latest   atomic.Int64  // the node's time, a domain.Instant
	gate     atomic.Uint32 // a gateState: may this node answer?
}

// Answer is a decision with what it was made from.
type Answer struct {
	domain.Decision
	Token *domain.Token // whose the secret is or was; nil if nobody's. Not to be changed.
	At    Seq           // the answer includes at least every record up to this one
}

// Bearer is who holds a secret.
type Bearer struct {
	Token   *domain.Token  // whose the secret is or was; nil if nobody's. Not to be changed.
	Account domain.Account // the token's
	Verdict domain.Verdict // Granted if the token works at all now, or why not
	At      Seq            // the answer includes at least every record up to this one
}

// Check decides whether the bearer of the secret may do what need asks. It
// fails with code not_ready before the node was live for the first time, and
// with code stale whenever the node can't vouch for being current.
func (x *Index) Check(secret domain.Secret, need domain.Need) (Answer, error) {
	a := x.decide(secret, need)
	if err := x.vouch(); err != nil {
		return Answer{}, err
	}
	return a, nil
}

func (x *Index) decide(secret domain.Secret, need domain.Need) Answer {
	a := Answer{At: x.position.At()} // before the look-up: what is found is at least as new
	digest := secret.Digest()
	f := x.digests.find(&digest)
	if f.token == nil {
		a.Verdict = domain.UnknownSecret
		return a
	}
	a.Token = &f.token.token
	state, now := domain.AccountState(f.account.state.Load()), domain.Instant(0)
	if f.rights != nil && state == domain.AccountIsOpen {
		if f.bounded() {
			now = x.Now()
		}
		if f.hold(now) {
			a.Decision = f.rights.Decide(need)
			return a
		}
	}
	a.Decision = domain.Authorize(a.Token, state, f.as(digest), need, x.Now())
	return a
}

// Bearer returns whose the secret is, and whether it works at all. Its errors
// are those of Check.
func (x *Index) Bearer(secret domain.Secret) (Bearer, error) {
	b := Bearer{Verdict: domain.UnknownSecret, At: x.position.At()}
	digest := secret.Digest()
	if f := x.digests.find(&digest); f.token != nil {
		b.Token, b.Account = &f.token.token, *f.account.now.Load()
		b.Verdict = domain.Standing(b.Token, b.Account.State, f.as(digest), x.Now())
	}
	if err := x.vouch(); err != nil {
		return Bearer{}, err
	}
	return b, nil
}

// Now is the node's time: the latest that the wall clock has said when asked
// here, or the newest stream time among the records applied if that is later.
// It never goes back, so that nothing comes to life again that had ended.
func (x *Index) Now() domain.Instant { return x.noLess(x.wall()) }

// noLess makes the node's time at least t, and returns it.
func (x *Index) noLess(t domain.Instant) domain.Instant {
	for {
		is := x.latest.Load()
		if int64(t) <= is {
			return domain.Instant(is)
		}
		if x.latest.CompareAndSwap(is, int64(t)) { // once a millisecond at most
			return t
		}
	}
}

type gateState uint32

const (
	gateNotReady gateState = iota // never live yet
	gateLive
	gateStale // was live, or is over
)

func (x *Index) setGate(g gateState) { x.gate.Store(uint32(g)) }

// vouch returns why the node may not answer; nil if it may. It is read after
// deciding: a node that lost the log in between gives no answer.
func (x *Index) vouch() error {
	switch gateState(x.gate.Load()) {
	case gateLive:
		return nil
	case gateNotReady:
		return errNotReady
	case gateStale:
	}
	return errStale
}

// Made once, so that refusing costs nothing either. Not to be changed.
var (
	errNotReady error = domain.Errorf(domain.CodeNotReady, "this node is still reading the log; try again shortly")
	errStale    error = domain.Errorf(domain.CodeStale, "this node can't vouch for being current with the log")
)
