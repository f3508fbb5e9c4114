package projections

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hallpass/domain"
)

// Index answers checks from memory. Nothing is allocated, and no lock is taken
// but in one case, for a moment: see lookUp.
type Index struct {
	digests  *table
	position *Position
	wall     func() domain.Instant
	latest   atomic.Int64  // the node's time, a domain.Instant
	gate     atomic.Uint32 // a gateState: may this node answer?
	lease    *lease        // nil: of a test's node, which answers as long as the gate is open
	fold     sync.Locker   // held while records are folded; a batch holds it to see one revision
	decided  func()        // hook.Hook's
	between  func()        // hook.Hook's; may be nil

	gathered *gathered // what tokens are used; nil: that isn't gathered

	firstUsed func(domain.AccountID, domain.TokenID, domain.Digest) // Config.FirstUsed; may be nil
}

// Answer is a decision with what it was made from.
type Answer struct {
	domain.Decision
	Token     *domain.Token    // whose the secret is or was; nil if nobody's. Not to be changed.
	At        Seq              // the answer includes at least every record up to this one
	Ancestors []domain.TokenID // what the token was derived from, the parent first. Not to be changed.
	Above     []*domain.Token  // with Ask.Whole: the token's ancestors, the parent first
	Account   *domain.Account  // with Ask.Whole: the token's
	Stale     time.Duration    // 0, or how old the node's proof of being current is, which is over; see NodeConfig.ServeStale

	sight sight // to count the use with
}

// Bearer is who holds a secret.
type Bearer struct {
	Token   *domain.Token   // whose the secret is or was; nil if nobody's. Not to be changed.
	Above   []*domain.Token // its ancestors, the parent first
	Account domain.Account  // the token's
	Verdict domain.Verdict  // Granted if the token works at all now, or why not
	At      Seq             // the answer includes at least every record up to this one

	sight sight // see Used
}

// Check decides whether the bearer of the secret may do what need asks. It
// fails with code not_ready before the node had its first lease, and with code
// stale whenever the node can't vouch for being current.
func (x *Index) Check(secret domain.Secret, need domain.Need) (a Answer, err error) {
	err = x.answer(&a, secret, need, netip.Addr{})
	x.note(a.sight, a.Token, netip.Addr{})
	return a, err
}

// CheckFrom is Check for a secret that is used from that address. The zero Addr
// stands for one that is not known, which tokens with conditions on it refuse.
func (x *Index) CheckFrom(secret domain.Secret, need domain.Need, from netip.Addr) (a Answer, err error) {
	err = x.answer(&a, secret, need, from)
	x.note(a.sight, a.Token, from)
	return a, err
}

// Stands is CheckFrom where that is only a part of a use of the secret; see Usage.
func (x *Index) Stands(secret domain.Secret, need domain.Need, from netip.Addr) (a Answer, err error) {
	err = x.answer(&a, secret, need, from)
	return a, err
}

// answer fills in a, which is empty: an Answer is long, and is not copied where
// it needn't be.
func (x *Index) answer(a *Answer, secret domain.Secret, need domain.Need, from netip.Addr) error {
	before := x.before()
	used := x.decide(a, secret, need, from)
	x.decided()
	v := x.vouch(before)
	err := v.pass(a)
	if used != nil && err == nil {
		x.tellUse(a.Token, used)
	}
	return err
}

// Ask is one question of a batch.
type Ask struct {
	Secret domain.Secret
	Need   domain.Need
	From   netip.Addr // where it is used from; see CheckFrom
	Whole  bool       // the answer is to have Above and Account
	Aside  bool       // it is part of a use that another question stands for; see Usage
}

// CheckAll answers all questions from one revision, each as Check would.
// Whether the node may answer is looked at once, after the last decision.
func (x *Index) CheckAll(asks []Ask) ([]Answer, error) {
	answers := make([]Answer, len(asks))
	var used map[int]*domain.Held
	before := x.before()
	x.fold.Lock()
	for i := range asks {
		if retires := x.decide(&answers[i], asks[i].Secret, asks[i].Need, asks[i].From); retires != nil {
			if used == nil {
				used = map[int]*domain.Held{}
			}
			used[i] = retires
		}
		if digest := asks[i].Secret.Digest(); asks[i].Whole && answers[i].Token != nil {
			var l line
			l.read(x.digests.find(&digest).owner.Load(), nil)
			answers[i].Above, answers[i].Account = slices.Clone(l.tokens[1:l.n]), l.account
		}
	}
	x.fold.Unlock()
	x.decided()
	v := x.vouch(before)
	for i := range answers {
		if err := v.pass(&answers[i]); err != nil {
			return nil, err
		}
	}
	for i, h := range used {
		x.tellUse(answers[i].Token, h)
	}
	for i := range answers {
		if !asks[i].Aside {
			x.note(answers[i].sight, answers[i].Token, asks[i].From)
		}
	}
	return answers, nil
}

// decide fills in a, which is empty, and returns the secret that was used if its
// first use ends others.
func (x *Index) decide(a *Answer, secret domain.Secret, need domain.Need, from netip.Addr) (used *domain.Held) {
	a.At = x.position.At() // before the look-up: what is found is at least as new
	digest := secret.Digest()
	at := x.digests.find(&digest)
	switch {
	case at == nil:
		a.Verdict = domain.UnknownSecret
		return nil
	case x.briefly(a, at, need):
		return nil
	}
	return x.atLength(a, at.owner.Load(), digest, need, from)
}

// atLength is decide of a digest that is, or was, of the token in that cell.
func (x *Index) atLength(a *Answer, c *tokenCell, digest domain.Digest, need domain.Need, from netip.Addr) (used *domain.Held) {
	var l line
	x.lookUp(&l, c)
	a.Token = l.tokens[0]
	sight := x.sight(c)
	if l.from != nil {
		a.Ancestors = l.from.above
	}
	held, digest := l.held(digest)
	at := domain.Circumstances{Now: x.Now(), From: from}
	a.Decision = domain.Authorize(l.lineage(), l.account, digest, need, at)
	if works(a.Verdict) {
		a.sight = sight
	}
	if held != nil && held.Retires && domain.Standing(l.lineage(), l.account, digest, at).Allowed() {
		used = held
	}
	return used
}

func (x *Index) tellUse(t *domain.Token, h *domain.Held) {
	if x.firstUsed != nil {
		x.firstUsed(t.Account, t.ID, h.Digest)
	}
}

// Bearer returns whose the secret is, and whether it works at all, used from
// that address. Its errors are those of Check.
func (x *Index) Bearer(secret domain.Secret, from netip.Addr) (Bearer, error) {
	before := x.before()
	b := Bearer{Verdict: domain.UnknownSecret, At: x.position.At()}
	digest := secret.Digest()
	var used *domain.Held
	if f := x.digests.find(&digest); f != nil {
		var l line
		x.lookUp(&l, f.owner.Load())
		sight := x.sight(f.owner.Load())
		b.Token, b.Account = l.tokens[0], *l.account
		held, digest := l.held(digest)
		b.Verdict = domain.Standing(l.lineage(), l.account, digest, domain.Circumstances{Now: x.Now(), From: from}).Verdict
		if b.Verdict == domain.Granted {
			b.sight = sight
		}
		if b.Verdict == domain.Granted && held.Retires {
			used = held
		}
		if l.n > 1 {
			b.Above = slices.Clone(l.tokens[1:l.n])
		}
	}
	x.decided()
	if v := x.vouch(before); v.err != nil || v.stale > 0 {
		return Bearer{}, cmp.Or(v.err, errStale)
	}
	if used != nil {
		x.tellUse(b.Token, used)
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
