package projections

import (
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"hallpass/domain"
)

// accountCell is the one place of an account. Cells are made by the fold, are
// never removed and never move, so that whoever has found one needs no lock to
// read what is atomic in it.
type accountCell struct {
	state atomic.Uint32                  // a domain.AccountState: all that a check reads
	now   atomic.Pointer[domain.Account] // never nil; the zero Account as long as it was never opened

	// Guarded by Directory.mu; order's elements and born never change once
	// they are there.
	born   Seq // the record that opened it; 0: it was never opened
	last   Seq // the account's own newest record, void ones included
	tokens map[domain.TokenID]*tokenCell
	order  []*tokenCell // those ever issued, by born
}

func newAccountCell() *accountCell {
	c := &accountCell{tokens: map[domain.TokenID]*tokenCell{}}
	c.now.Store(&domain.Account{})
	return c
}

func (c *accountCell) set(a *domain.Account) {
	c.now.Store(a)
	c.state.Store(uint32(a.State))
}

// tokenCell is the one place of a token id, through all its generations.
type tokenCell struct {
	account *accountCell
	now     atomic.Pointer[snapshot] // nil: never issued

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

// snapshot is a token as it stood after one record. It is immutable.
type snapshot struct {
	rights rights // the token's, in the lines that a check reads
	token  domain.Token
}

func (f *fold) newSnapshot(t *domain.Token) *snapshot {
	s := &snapshot{token: *t}
	if p := &s.token.Permissions; len(p.Allow) == 1 {
		g := &s.rights.allow[0]
		*g = p.Allow[0]
		p.Allow = s.rights.allow[:]
		if n := copy(s.rights.text[:], g.Resource); n == len(g.Resource) && n > 0 {
			// Nothing writes to text after this, as a string needs it.
			g.Resource = domain.Pattern(unsafe.String(&s.rights.text[0], n))
		}
		g.Actions = f.actions.one(g.Actions)
	}
	s.rights.Permissions = s.token.Permissions
	return s
}

// actionLists keeps one copy of each of the lists of actions that many tokens
// share.
type actionLists map[[2]domain.Action][]domain.Action

const maxActionLists = 4096

// one returns the kept copy of list, or list itself if none is kept.
func (l actionLists) one(list []domain.Action) []domain.Action {
	var key [2]domain.Action
	if copy(key[:], list) < len(list) {
		return list
	}
	if known, ok := l[key]; ok && len(known) == len(list) {
		return known
	}
	if len(l) >= maxActionLists {
		return list
	}
	for i := range key {
		key[i] = domain.Action(strings.Clone(string(key[i]))) // not a part of a whole record
	}
	kept := slices.Clone(key[:len(list)])
	l[key] = kept
	return kept
}
