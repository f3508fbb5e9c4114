package projections

import "hallpass/domain"

// Owner returns the token that the digest belongs to, whether or not it still
// opens it, as far as this node has read; false if it is nobody's. It takes no
// lock.
func (x *Index) Owner(d domain.Digest) (domain.Target, bool) {
	f := x.digests.find(&d)
	if f.owner == nil || f.token == nil {
		return domain.Target{}, false
	}
	t := &f.token.token
	return domain.Target{Account: t.Account, Token: t.ID}, true
}
