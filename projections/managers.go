package projections

import (
	"cmp"
	"math"
	"math/rand/v2"

	"hallpass/domain"
)

// Managers returns the tokens of the account that could manage its tokens at
// now, in no order. No lock is held while it looks.
func (d *Directory) Managers(account domain.AccountID, now domain.Instant) (ids []domain.TokenID) {
	d.managers(account).live(now, func(id domain.TokenID) bool {
		ids = append(ids, id)
		return true
	})
	return ids
}

// managers returns those of the account as they stand.
func (d *Directory) managers(account domain.AccountID) *manager {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if a := d.accounts[account]; a != nil {
		return a.managers.Load()
	}
	return nil
}

// manager is a token that manages its account's tokens until it ends, and the
// root of a treap of such: in order, the latest end first. It never changes
// once others can see it, so that who has found one needs no lock, and who
// asks for those that live is done at the first that doesn't, however many
// are past their end. A change copies the path to where it happens. nil: none.
type manager struct {
	id          domain.TokenID
	end         domain.Instant // noEnd for none
	rank        uint64         // random; no token below has a higher one
	left, right *manager
}

const noEnd = domain.Instant(math.MaxInt64)

// managingUntil returns when t, which manages, ends.
func managingUntil(t *domain.Token) domain.Instant { return cmp.Or(t.ExpiresAt, noEnd) }

// live calls see with those that have not ended at now, until it returns
// false, and tells whether it never did and none has ended.
func (m *manager) live(now domain.Instant, see func(domain.TokenID) bool) bool {
	return m == nil || m.left.live(now, see) && now < m.end && see(m.id) && m.right.live(now, see)
}

// compare orders m, which is not nil, by end and id.
func (m *manager) compare(id domain.TokenID, end domain.Instant) int {
	return cmp.Or(cmp.Compare(m.end, end), cmp.Compare(id, m.id))
}

// with returns m and one more.
func (m *manager) with(id domain.TokenID, end domain.Instant) *manager {
	return m.add(&manager{id: id, end: end, rank: rand.Uint64()}) //nolint:gosec // it balances, and hides nothing
}

func (m *manager) add(one *manager) *manager {
	if m == nil || one.rank > m.rank {
		one.left, one.right = m.split(one)
		return one
	}
	root := *m
	if m.compare(one.id, one.end) < 0 {
		root.left = m.left.add(one)
	} else {
		root.right = m.right.add(one)
	}
	return &root
}

// split returns those before one and those after it.
func (m *manager) split(one *manager) (before, after *manager) {
	if m == nil {
		return nil, nil
	}
	root := *m
	if m.compare(one.id, one.end) < 0 {
		before, root.left = m.left.split(one)
		return before, &root
	}
	root.right, after = m.right.split(one)
	return &root, after
}

// without returns m less one; m itself if that is not there.
func (m *manager) without(id domain.TokenID, end domain.Instant) *manager {
	if m == nil {
		return nil
	}
	root, side := *m, m.compare(id, end)
	switch {
	case side == 0:
		return join(m.left, m.right)
	case side < 0:
		root.left = m.left.without(id, end)
	default:
		root.right = m.right.without(id, end)
	}
	return &root
}

// join returns both, all of before standing before all of after.
func join(before, after *manager) *manager {
	switch {
	case before == nil:
		return after
	case after == nil:
		return before
	case before.rank > after.rank:
		root := *before
		root.right = join(before.right, after)
		return &root
	}
	root := *after
	root.left = join(before, after.left)
	return &root
}
