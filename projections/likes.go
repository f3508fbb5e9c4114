package projections

import (
	"hash/maphash"
	"slices"

	"hallpass/domain"
)

// likes finds, for the permissions of a token, earlier ones of any token that are
// the same. Many tokens are made alike; checks of all of them then read the
// same few, which stay in the processor's caches, instead of waiting
// for memory to bring each token's own. It forgets: what it no longer finds is
// read from the token itself.
type likes struct {
	seed  maphash.Seed
	known [1 << 14]like
}

type like struct {
	hash   uint64 // of rights, kept so as not to wait for memory to tell that others differ
	rights *domain.Permissions
}

func newLikes() *likes { return &likes{seed: maphash.MakeSeed()} }

// of returns permissions that are the same as r; r itself if none are known.
func (l *likes) of(r *domain.Permissions) *domain.Permissions {
	if !small(r) {
		return r
	}
	h := l.hash(r)
	at := &l.known[h%uint64(len(l.known))]
	if at.hash != h || at.rights == nil || !samePermissions(at.rights, r) {
		*at = like{h, r}
	}
	return at.rights
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

func samePermissions(a, b *domain.Permissions) bool {
	return a.Mode == b.Mode && slices.EqualFunc(a.Allow, b.Allow, sameGrant) && slices.EqualFunc(a.Deny, b.Deny, sameGrant)
}

func sameGrant(a, b domain.Grant) bool {
	return a.Resource == b.Resource && a.Unverified == b.Unverified && slices.Equal(a.Actions, b.Actions)
}

// hash is of what most often tells permissions apart; samePermissions has the
// last word.
func (l *likes) hash(p *domain.Permissions) (h uint64) {
	for i := range p.Allow {
		g := &p.Allow[i]
		h = h*31 + maphash.String(l.seed, string(g.Resource))
		for _, a := range g.Actions {
			h = h*31 + maphash.String(l.seed, string(a))
		}
	}
	return h ^ h>>32
}
