package projections

import (
	"time"

	"hallpass/domain"
)

type gateState uint32

const (
	gateNotReady gateState = iota // no lease yet
	gateOpen                      // the lease decides
	gateShut                      // the link is lost; of a node without a lease alone
	gateOver                      // this node will never answer again
)

func (x *Index) setGate(g gateState) {
	for {
		is := x.gate.Load()
		if gateState(is) == gateOver || x.gate.CompareAndSwap(is, uint32(g)) {
			return
		}
	}
}

// vouched is whether a node may answer what it has decided.
type vouched struct {
	err   error
	stale time.Duration // 0, or the age of the proof that answers would be given on past the lease
}

// vouch looks, after deciding, whether the node may answer. The clocks are
// read here and nowhere earlier: a process that stood still between a reading
// and its answer would not notice. The proof is that from before deciding: a
// newer one would be of what was applied since.
func (x *Index) vouch(from start) vouched {
	switch gateState(x.gate.Load()) {
	case gateNotReady:
		return vouched{err: errNotReady}
	case gateShut, gateOver:
		return vouched{err: errStale}
	case gateOpen:
	}
	if x.lease == nil {
		return vouched{}
	}
	p := from.proof
	if p == nil { // the first one came meanwhile
		return vouched{err: errNotReady}
	}
	if !without(clockAfterDeciding) {
		from.boot, from.wall = x.lease.boot(), x.lease.wall()
	}
	switch age := p.age(from.boot, from.wall); {
	case age < p.length:
		return vouched{}
	case age < p.length+p.stale:
		return vouched{stale: age}
	}
	return vouched{err: errStale}
}

// start is what is read before deciding.
type start struct {
	proof *proven
	boot  time.Duration // too early, as is wall: only to try what comes of that
	wall  domain.Instant
}

func (x *Index) before() (s start) {
	if x.lease == nil {
		return s
	}
	s.proof = x.lease.newer.Load()
	if without(clockAfterDeciding) {
		s.boot, s.wall = x.lease.boot(), x.lease.wall()
	}
	return s
}

// pass empties the answer if it may not be given, and says why. A stale one may
// not, to a token that could reach what hallpass itself is governed by.
func (v vouched) pass(a *Answer) error {
	switch {
	case v.err != nil:
		*a = Answer{}
		return v.err
	case v.stale > 0 && (a.Token == nil || governs(a.Token)):
		*a = Answer{}
		return errStale
	}
	a.Stale = v.stale
	return nil
}

// governs tells whether the token's patterns could match tokens, accounts or
// the audit.
func governs(t *domain.Token) bool {
	for i := range t.Permissions.Allow {
		p := t.Permissions.Allow[i].Resource
		for _, of := range [...]domain.Pattern{"/token", "/account", "/audit", "/catalog"} {
			if p.Overlaps(of) {
				return true
			}
		}
	}
	return false
}

// Made once, so that refusing costs nothing either. Not to be changed.
var (
	errNotReady error = domain.Errorf(domain.CodeNotReady, "this node is still reading the log, or has no proof yet of being current; try again shortly")
	errStale    error = domain.Errorf(domain.CodeStale, "this node can't vouch for being current with the log")
)
