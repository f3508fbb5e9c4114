package projections

import (
	"sort"

	"hallpass/domain"
)

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
