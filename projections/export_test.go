package projections

import (
	"net/netip"

	"hallpass/domain"
)

// Peek is Check without asking whether the node may answer.
func (x *Index) Peek(secret domain.Secret, need domain.Need) (a Answer) {
	x.decide(&a, secret, need, netip.Addr{})
	return a
}
