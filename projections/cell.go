package projections

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"hallpass/domain"
)

// accountCell is the one place of an account. Cells are made by the fold, are
// never removed and never move, so that whoever has found one needs no lock to
// read what is atomic in it.
type accountCell struct {
	state atomic.Uint32                  // a domain.AccountState, all that most checks read; or with askAccount
	now   atomic.Pointer[domain.Account] // never nil; the zero Account as long as it was never opened

	// Guarded by Directory.mu; order's elements and born never change once
	// they are there.
	born  Seq          // the record that opened it; 0: it was never opened
	last  Seq          // the account's own newest record, void ones included
	order []*tokenCell // those ever issued, by born

	ends map[*tokenCell]domain.Instant // of those in managers

	managers atomic.Pointer[manager] // those that manage the account's tokens, but for their end; stored under Directory.mu
}

func newAccountCell() *accountCell {
	c := new(accountCell)
	c.now.Store(&domain.Account{})
	return c
}

// askAccount stands for an open account that has rules of its own for checks.
const askAccount = 1 << 8

func (c *accountCell) set(a *domain.Account) {
	c.now.Store(a)
	state := uint32(a.State)
	if a.ManagedBy != domain.AnyToken {
		state |= askAccount
	}
	c.state.Store(state)
}

// noteManager keeps managers right after a change of c.
func (a *accountCell) noteManager(c *tokenCell) {
	t := c.token()
	end, manages := managingUntil(t), t.Manages(math.MinInt64) // whatever its end
	was, did := a.ends[c]
	if manages == did && (!did || end == was) {
		return
	}
	all := a.managers.Load()
	if did {
		all = all.without(t.ID, was)
		delete(a.ends, c)
	}
	if manages {
		if a.ends == nil {
			a.ends = map[*tokenCell]domain.Instant{}
		}
		all, a.ends[c] = all.with(t.ID, end), end
	}
	a.managers.Store(all)
}

// tokenCell is the one place of a token id, through all its generations.
type tokenCell struct {
	account *accountCell
	now     atomic.Pointer[snapshot] // nil: never issued

	used uses

	// Guarded by Directory.mu; born never changes once it is set.
	born Seq // the record that first issued it
	last Seq // the newest record of its subject, void ones included
}

func (c *tokenCell) token() *domain.Token {
	if s := c.now.Load(); s != nil {
		return &s.token
	}
	return &absentToken
}

var absentToken domain.Token

// ancestors returns the tokens that this one was derived from, the parent
// first, as they stand, or those in whose place they stand; nil if it wasn't. Who calls it holds Directory.mu.
func (c *tokenCell) ancestors() (above []*domain.Token) {
	for s := c.now.Load(); s != nil && s.from != nil && len(above) <= domain.MaxDepth; {
		if s = s.from.parent.now.Load(); s != nil {
			above = append(above, &s.token)
		}
	}
	return above
}

// descent is where a derived token comes from. It is the same through all of
// the token's generation.
type descent struct {
	parent *tokenCell
	above  []domain.TokenID // its ancestors, the parent first
}

// descentLocked returns the descent of t, whose cell is c and does not hold it
// yet. Ancestors that were revoked before t was issued are not known beyond
// the first: nothing opens such a token any more.
func (f *fold) descentLocked(c *tokenCell, t *domain.Token) *descent {
	if t.Parent == nil {
		return nil
	}
	if was := c.now.Load(); was != nil && was.token.Generation == t.Generation {
		return was.from
	}
	names := f.directory.tokens.hash(t.Account, t.Parent.Token)
	d := &descent{parent: f.directory.tokenLocked(names, c.account, t.Parent.Token), above: []domain.TokenID{t.Parent.Token}}
	if s := d.parent.now.Load(); s != nil && s.from != nil && t.Parent.IsOf(&s.token) {
		d.above = append(d.above, s.from.above...)
	}
	d.above = d.above[:min(len(d.above), domain.MaxDepth)]
	return d
}

// snapshot is a token as it stood after one record. It is immutable.
type snapshot struct {
	token   domain.Token
	from    *descent        // nil: the token was not derived
	actions *actionList     // of its allow grant, if it has one alone; nil: that is not kept
	allow   [1]domain.Grant // that grant
}

// newSnapshotLocked returns t as one, which c is to hold.
func (f *fold) newSnapshotLocked(c *tokenCell, t *domain.Token) *snapshot {
	s := &snapshot{token: *t, from: f.descentLocked(c, t)}
	if p := &s.token.Permissions; len(p.Allow) == 1 {
		s.allow[0] = p.Allow[0]
		p.Allow = s.allow[:]
		if s.actions = f.actions.one(p.Allow[0].Actions); s.actions != nil {
			p.Allow[0].Actions = *s.actions
		}
	}
	return s
}

// actionLists keeps one copy of each of the lists of actions that many tokens
// share.
type actionLists map[[2]domain.Action]*actionList

type actionList []domain.Action

const maxActionLists = 4096

// one returns the kept copy of list; nil if none is kept.
func (l actionLists) one(list []domain.Action) *actionList {
	var key [2]domain.Action
	if copy(key[:], list) < len(list) {
		return nil
	}
	if known, ok := l[key]; ok && len(*known) == len(list) {
		return known
	}
	if len(l) >= maxActionLists {
		return nil
	}
	for i := range key {
		key[i] = domain.Action(strings.Clone(string(key[i]))) // not a part of a whole record
	}
	kept := actionList(slices.Clone(key[:len(list)]))
	l[key] = &kept
	return &kept
}
