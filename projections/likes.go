package projections

import (
	"hash/maphash"
	"slices"

	"hallpass/domain"
)

// likes finds, for a token, an earlier snapshot of any token that may do the
// same. Many tokens are made alike; checks of all of them then read the same
// few snapshots, which stay in the processor's caches, instead of waiting for
// memory to bring each token's own. It forgets: what it no longer finds is
// read from the token itself.
type likes struct {
	seed  maphash.Seed
	known [1 << 14]*snapshot
}

func newLikes() *likes { return &likes{seed: maphash.MakeSeed()} }

// of returns a snapshot that may do the same as s; s itself if none is known.
func (l *likes) of(s *snapshot) *snapshot {
	if len(s.token.Secrets) != 1 || !small(&s.token.Permissions) {
		return s
	}
	at := &l.known[l.hash(&s.token)%uint64(len(l.known))]
	if *at == nil || !sameRights(&(*at).token, &s.token) {
		*at = s
	}
	return *at
}

// small tells whether the permissions are few enough to be kept here after
// their token has moved on: all that is known may take some 30 MB.
func small(p *domain.Permissions) bool {
	n := len(p.Deny)
	for i := range p.Allow {
		n += 1 + len(p.Allow[i].Actions)
	}
	for i := range p.Deny {
		n += len(p.Deny[i].Actions)
	}
	return n <= 16
}

// sameRights tells whether domain.Authorize decides the same for both tokens,
// each asked with its one secret, in accounts of the same state. All fields
// count but those that only tell who the token is and what happened to it.
func sameRights(a, b *domain.Token) bool {
	return (a.Generation == 0) == (b.Generation == 0) &&
		a.Enabled == b.Enabled && a.Revoked == b.Revoked && a.Kind == b.Kind && a.Immutable == b.Immutable &&
		a.NotBefore == b.NotBefore && a.ExpiresAt == b.ExpiresAt &&
		len(a.Secrets) == 1 && len(b.Secrets) == 1 && a.Secrets[0].Until == b.Secrets[0].Until &&
		a.Permissions.Mode == b.Permissions.Mode &&
		slices.EqualFunc(a.Permissions.Allow, b.Permissions.Allow, sameGrant) &&
		slices.EqualFunc(a.Permissions.Deny, b.Permissions.Deny, sameGrant)
}

func sameGrant(a, b domain.Grant) bool {
	return a.Resource == b.Resource && a.Unverified == b.Unverified && slices.Equal(a.Actions, b.Actions)
}

// hash is of what most often tells tokens apart; sameRights has the last word.
func (l *likes) hash(t *domain.Token) uint64 {
	h := uint64(t.ExpiresAt)
	for i := range t.Permissions.Allow {
		g := &t.Permissions.Allow[i]
		h = h*31 + maphash.String(l.seed, string(g.Resource))
		for _, a := range g.Actions {
			h = h*31 + maphash.String(l.seed, string(a))
		}
	}
	return h ^ h>>32
}
