package projections

import "hallpass/domain"

// Owner returns the token that the digest belongs to, whether or not it still
// opens it, as far as this node has read; false if it is nobody's. It takes no
// lock.
func (x *Index) Owner(d domain.Digest) (domain.Target, bool) {
	at := x.digests.find(&d)
	if at == nil {
		return domain.Target{}, false
	}
	t := at.owner.Load().token()
	return domain.Target{Account: t.Account, Token: t.ID}, true
}
