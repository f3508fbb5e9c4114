package projections

import (
	"sync"
	"sync/atomic"

	"hallpass/domain"
)

// Directory is accounts and tokens as they stand on this node, for commands
// and management reads. It may be behind the log; Position tells how far it is.
type Directory struct {
	mu       sync.RWMutex // guards what follows, and what cells say they guard by it
	accounts map[domain.AccountID]*accountCell
	order    []*accountCell // those ever opened, by born; its elements never change
	tokens   *cells
	free     []tokenCell    // cells to come: many in one piece are less work to collect garbage around, and to find
	made     int            // how many of them came last
	types    map[string]Seq // the newest record of each resource type that has any

	catalog atomic.Pointer[domain.Catalog] // never nil; the fold alone sets it
	usage   *Usage                         // what Filter.UnusedSince asks; set before anything is folded
}

func newDirectory() *Directory {
	d := &Directory{accounts: map[domain.AccountID]*accountCell{}, tokens: newCells(), types: map[string]Seq{}}
	d.catalog.Store(domain.Builtin())
	return d
}

// Catalog returns the resource types as they stand.
func (d *Directory) Catalog() *domain.Catalog { return d.catalog.Load() }

// State returns what a command on that target is decided upon, as it stands: the
// account, the token with its ancestors, or the resource type; zero values are
// what was never opened, issued or defined. LastManager and Users are not
// filled in. last is the newest record of the target's subject, void ones
// included: what the next append to it has to expect.
func (d *Directory) State(of domain.Target) (s domain.State, last Seq) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	s.Catalog = d.catalog.Load()
	a := d.accounts[of.Account]
	if a != nil {
		s.Account = *a.now.Load()
	}
	switch {
	case of.Type != "":
		s.Type = s.Catalog.Type(of.Type)
		return s, d.types[of.Type]
	case a == nil:
		return s, 0
	case of.Token == "":
		return s, a.last
	}
	if t := d.cellLocked(of.Account, of.Token); t != nil {
		s.Token, s.Ancestors, last = *t.token(), t.ancestors(), t.last
	}
	return s, last
}

// Lineage returns a token and its ancestors, as they stood at one time; none if
// it was never issued. They are not to be changed.
func (d *Directory) Lineage(account domain.AccountID, id domain.TokenID) []*domain.Token {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.cellLocked(account, id)
	if c == nil || c.now.Load() == nil {
		return nil
	}
	return append([]*domain.Token{c.token()}, c.ancestors()...)
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
	c := d.cellLocked(account, id)
	if c == nil || c.now.Load() == nil {
		return nil, false
	}
	return c.token(), true
}

// cell returns the cell of a token; nil if it was never issued.
func (d *Directory) cell(account domain.AccountID, id domain.TokenID) *tokenCell {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.cellLocked(account, id)
}

func (d *Directory) cellLocked(account domain.AccountID, id domain.TokenID) *tokenCell {
	a := d.accounts[account]
	if a == nil {
		return nil
	}
	return d.tokens.find(d.tokens.hash(account, id), a, id)
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

// reserve makes room for so many tokens. Nobody waits for more than one shard.
func (d *Directory) reserve(tokens uint64) {
	for shard := range d.tokens.shards {
		d.mu.Lock()
		d.tokens.reserve(shard, tokens)
		d.mu.Unlock()
	}
}

// tokenLocked is accountLocked of a token; hash is that of its names.
func (d *Directory) tokenLocked(hash uint64, a *accountCell, id domain.TokenID) *tokenCell {
	if t := d.tokens.find(hash, a, id); t != nil {
		return t
	}
	if len(d.free) == 0 {
		d.made = min(max(2*d.made, 64), 1<<16)
		d.free = make([]tokenCell, d.made)
		onHugePages(d.free)
	}
	t := &d.free[0]
	d.free = d.free[1:]
	t.account = a
	d.tokens.add(hash, id, t)
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
