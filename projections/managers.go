package projections

import "hallpass/domain"

// Managers returns the tokens of the account that could manage its tokens at
// now, in no order.
func (d *Directory) Managers(account domain.AccountID, now domain.Instant) (ids []domain.TokenID) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.accounts[account]
	if a == nil {
		return nil
	}
	for c := range a.managers {
		if t := c.token(); t.Manages(now) {
			ids = append(ids, t.ID)
		}
	}
	return ids
}
