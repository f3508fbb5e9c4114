package projections

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"hallpass/domain"
)

// Index answers checks from memory. No lock is taken and nothing is allocated.
type Index struct {
	digests  *table
	position *Position
	wall     func() domain.Instant
	latest   atomic.Int64  // the node's time, a domain.Instant
	gate     atomic.Uint32 // a gateState: may this node answer?
	lease    *lease        // nil: of a test's node, which answers as long as the gate is open
	fold     sync.Locker   // held while records are folded; a batch holds it to see one revision
	decided  func()        // hook.Hook's
}

// Answer is a decision with what it was made from.
type Answer struct {
	domain.Decision
	Token *domain.Token // whose the secret is or was; nil if nobody's. Not to be changed.
	At    Seq           // the answer includes at least every record up to this one
	Stale time.Duration // 0, or how old the node's proof of being current is, which is over; see NodeConfig.ServeStale
}

// Bearer is who holds a secret.
type Bearer struct {
	Token   *domain.Token  // whose the secret is or was; nil if nobody's. Not to be changed.
	Account domain.Account // the token's
	Verdict domain.Verdict // Granted if the token works at all now, or why not
	At      Seq            // the answer includes at least every record up to this one
}

// Check decides whether the bearer of the secret may do what need asks. It
// fails with code not_ready before the node had its first lease, and with code
// stale whenever the node can't vouch for being current.
func (x *Index) Check(secret domain.Secret, need domain.Need) (Answer, error) {
	before := x.before()
	a := x.decide(secret, need)
	x.decided()
	v := x.vouch(before)
	return v.pass(a)
}

// Ask is one question of a batch.
type Ask struct {
	Secret domain.Secret
	Need   domain.Need
}

// CheckAll answers all questions from one revision, each as Check would.
// Whether the node may answer is looked at once, after the last decision.
func (x *Index) CheckAll(asks []Ask) ([]Answer, error) {
	answers := make([]Answer, len(asks))
	before := x.before()
	x.fold.Lock()
	for i := range asks {
		answers[i] = x.decide(asks[i].Secret, asks[i].Need)
	}
	x.fold.Unlock()
	x.decided()
	v := x.vouch(before)
	for i := range answers {
		var err error
		if answers[i], err = v.pass(answers[i]); err != nil {
			return nil, err
		}
	}
	return answers, nil
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
	before := x.before()
	b := Bearer{Verdict: domain.UnknownSecret, At: x.position.At()}
	digest := secret.Digest()
	if f := x.digests.find(&digest); f.token != nil {
		b.Token, b.Account = &f.token.token, *f.account.now.Load()
		b.Verdict = domain.Standing(b.Token, b.Account.State, f.as(digest), x.Now())
	}
	x.decided()
	if v := x.vouch(before); v.err != nil || v.stale > 0 {
		return Bearer{}, cmp.Or(v.err, errStale)
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
