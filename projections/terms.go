package projections

import (
	"unsafe"

	"hallpass/domain"
)

// terms are on what a secret opens its token, short enough for a slot of the
// table. While the account is open and from <= now < until, domain.Authorize
// decides what grant does, or rights where there is no grant; at all other
// times, and where there is neither, it has to be asked. So nothing but the
// grants, and the times, decides on the short way, and every refusal for
// another cause takes the long one.
type terms struct {
	from, until domain.Instant // 0: not bounded
	rights      *domain.Permissions
	grant       brief
}

// brief is permissions that are one allow grant, if that is short: most are.
// Checks wait for memory longer than they compute, and this is all they need.
type brief struct {
	actions *actionList // nil: there is no grant
	size    int         // of its resource, in bytes
	text    [briefWords]int64
}

const briefWords = 5

// briefOf returns s's permissions as a brief; the zero brief if they are none.
func briefOf(s *snapshot) (b brief) {
	p := &s.token.Permissions
	if len(p.Allow) != 1 || len(p.Deny) > 0 || s.actions == nil {
		return b
	}
	text := unsafe.Slice((*byte)(unsafe.Pointer(&b.text)), unsafe.Sizeof(b.text))
	if n := copy(text, p.Allow[0].Resource); n == len(p.Allow[0].Resource) && n > 0 {
		b.actions, b.size = s.actions, n
	}
	return b
}

// decide is Permissions.Decide of the permissions that b is of; allow is their
// grant, which is not read.
func (b *brief) decide(n domain.Need, allow *domain.Grant) domain.Decision {
	resource := domain.Pattern(unsafe.String((*byte)(unsafe.Pointer(&b.text)), b.size))
	if string(resource) == string(n.Resource) || resource.Matches(n.Resource) { // most often they are the same
		if g := (domain.Grant{Actions: *b.actions}); g.Has(n) {
			return domain.Decision{Verdict: domain.Granted, Grant: allow}
		}
	}
	return domain.Decision{Verdict: domain.NoGrant}
}

// briefly fills in a, if the digest whose slot it is stands for a token on terms
// that hold; false, and a is as it was, if domain.Authorize has to be asked.
// Little is done here once the slot has been waited for: then the processor
// already waits for what the next check reads.
func (x *Index) briefly(a *Answer, at *slot, need domain.Need) bool {
	live, sight := at.live.Load(), x.sight(at.owner.Load()) // both first: they are waited for together
	if live == nil || at.account.state.Load() != uint32(domain.AccountIsOpen) {
		return false
	}
	if from, until := at.from.Load(), at.until.Load(); from|until != 0 { // else the clock needn't be asked
		if now := int64(x.Now()); now < from && from != 0 || now >= until && until != 0 {
			return false
		}
	}
	var d domain.Decision
	if rights := at.rights.Load(); rights != nil {
		d = rights.Decide(need)
	} else {
		var grant brief
		if at.grant(&grant); grant.actions == nil {
			return false
		}
		d = grant.decide(need, &live.allow[0])
	}
	if at.live.Load() != live || at.account.state.Load() != uint32(domain.AccountIsOpen) { // nor when the clock was asked
		return false
	}
	a.Decision, a.Token, a.sight = d, &live.token, sight
	return true
}

// termsOf returns the terms of secret i of the token.
func (f *fold) termsOf(s *snapshot, i int) terms {
	t, held := &s.token, &s.token.Secrets[i]
	on := terms{from: t.NotBefore, until: held.Until}
	if e := t.ExpiresAt; e != 0 && (on.until == 0 || e < on.until) {
		on.until = e
	}
	within := on.from // a time within the bounds, if there is any
	if within == 0 && on.until != 0 {
		within = on.until - 1
	}
	plain := t.Parent == nil && t.Conditions == nil && !held.Retires
	if plain && domain.Standing(domain.Alone(t), &openAccount, held.Digest, domain.Circumstances{Now: within}).Allowed() {
		if on.grant = briefOf(s); on.grant.actions == nil {
			on.rights = f.likes.of(&t.Permissions)
		}
	}
	return on
}

var openAccount = domain.Account{State: domain.AccountIsOpen}
