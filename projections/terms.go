package projections

import "hallpass/domain"

// terms are on what a secret opens its token, short enough for a slot of the
// table. While the account is open and from <= now < until, domain.Authorize
// decides what rights do; at all other times, and where there are no rights,
// it has to be asked. So nothing but the grants, and the times, decides on the
// short way, and every refusal for another cause takes the long one.
type terms struct {
	rights      *rights        // nil: none
	from, until domain.Instant // 0: not bounded
}

// rights are permissions and what a check reads of the usual ones, with one
// allow grant, in two adjacent cache lines: checks wait for memory longer than
// they compute.
type rights struct {
	domain.Permissions
	allow [1]domain.Grant // Allow, if it is one
	text  [40]byte        // of allow[0].Resource, if it fits
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
	if domain.Standing(t, domain.AccountIsOpen, held.Digest, within) == domain.Granted {
		on.rights = f.likes.of(&s.rights)
	}
	return on
}

// bounded tells whether the time matters: where it doesn't, a check saves
// asking the clock.
func (on *terms) bounded() bool { return on.from|on.until != 0 }

func (on *terms) hold(now domain.Instant) bool {
	return (on.from == 0 || now >= on.from) && (on.until == 0 || now < on.until)
}
