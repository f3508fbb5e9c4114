package projections

import (
	"iter"
	"sort"

	"hallpass/domain"
)

// Around yields the accounts that are not closed, each once, in creation order
// around from the nth, modulo how many there are. No lock is held meanwhile.
func (d *Directory) Around(n uint64) iter.Seq[domain.AccountID] {
	return func(yield func(domain.AccountID) bool) {
		d.mu.RLock()
		order := d.order // only ever appended to: what is seen here stays
		d.mu.RUnlock()
		for i := range order {
			a := order[(n%uint64(len(order))+uint64(i))%uint64(len(order))].now.Load()
			if a.State != domain.AccountIsClosed && !yield(a.ID) {
				return
			}
		}
	}
}

// Due looks at up to step tokens of the account after the cursor, in the order
// of Tokens, and returns those of whose end something is due to be told at now,
// and where to go on if there are more. No lock is held while it looks.
func (d *Directory) Due(account domain.AccountID, now domain.Instant, after Cursor, step int) (due []domain.TokenID, next Cursor, more bool) {
	d.mu.RLock()
	var order []*tokenCell
	if a := d.accounts[account]; a != nil {
		order = a.order // only ever appended to: what is seen here stays
	}
	d.mu.RUnlock()
	from := sort.Search(len(order), func(i int) bool { return order[i].born > Seq(after) })
	order = order[from:]
	for _, c := range order[:min(len(order), step)] {
		next = Cursor(c.born)
		if t := c.token(); t.DueNotice(now) != domain.NoNotice {
			due = append(due, t.ID)
		}
	}
	return due, next, len(order) > step
}
