package projections

import (
	"sync"

	"hallpass/domain"
)

// Directory is accounts and tokens as they stand on this node, for commands
// and management reads. It may be behind the log; Position tells how far it is.
type Directory struct {
	mu       sync.RWMutex // guards what follows, and what cells say they guard by it
	accounts map[domain.AccountID]*accountCell
	order    []*accountCell // those ever opened, by born; its elements never change
	free     []tokenCell    // cells to come: many in one piece are less work to collect garbage around
}

func newDirectory() *Directory {
	return &Directory{accounts: map[domain.AccountID]*accountCell{}}
}

// State returns a token and its account as they stand, or the account alone
// when token is empty; zero values are what was never opened or issued. last
// is the newest record of that subject, the token's or the account's, void
// ones included: what the next append to it has to expect.
func (d *Directory) State(account domain.AccountID, token domain.TokenID) (_ domain.State, last Seq) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.accounts[account]
	if a == nil {
		return domain.State{}, 0
	}
	s := domain.State{Account: *a.now.Load()}
	if token == "" {
		return s, a.last
	}
	if t := a.tokens[token]; t != nil {
		s.Token, last = *t.token(), t.last
	}
	return s, last
}

// Account returns an account; false if it was never opened.
func (d *Directory) Account(id domain.AccountID) (domain.Account, bool) {
	d.mu.RLock()
	a := d.accounts[id]
	d.mu.RUnlock()
	if a == nil {
		return domain.Account{}, false
	}
	account := *a.now.Load()
	return account, account.State != domain.AccountIsAbsent
}

// Token returns a token in its newest generation, revoked ones included; false
// if it was never issued. The token is not to be changed.
func (d *Directory) Token(account domain.AccountID, id domain.TokenID) (*domain.Token, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.accounts[account]
	if a == nil || a.tokens[id] == nil || a.tokens[id].now.Load() == nil {
		return nil, false
	}
	return a.tokens[id].token(), true
}

// accountLocked returns the cell of an account and makes it if need be. Only the
// fold calls it, and so do the next three; it holds the lock.
func (d *Directory) accountLocked(id domain.AccountID) *accountCell {
	a := d.accounts[id]
	if a == nil {
		a = newAccountCell()
		d.accounts[id] = a
	}
	return a
}

func (d *Directory) tokenLocked(a *accountCell, id domain.TokenID) *tokenCell {
	t := a.tokens[id]
	if t == nil {
		if len(d.free) == 0 {
			d.free = make([]tokenCell, 256)
		}
		t, d.free = &d.free[0], d.free[1:]
		t.account = a
		a.tokens[id] = t
	}
	return t
}

// openedLocked puts the account in its place in creation order.
func (d *Directory) openedLocked(a *accountCell, seq Seq) {
	if a.born == 0 {
		a.born = seq
		d.order = append(d.order, a)
	}
}

// issuedLocked puts the token in its place in creation order: that of its
// first generation.
func (d *Directory) issuedLocked(t *tokenCell, seq Seq) {
	if t.born == 0 {
		t.born = seq
		t.account.order = append(t.account.order, t)
	}
}
