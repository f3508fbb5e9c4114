package projections

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"hallpass/domain"
)

// Cursor is a place in a list: after which item to go on. Items stand in
// creation order, and the cursor is the record that created the last one seen,
// so it stays right whatever changes meanwhile. 0 is the start.
type Cursor Seq

// String returns the cursor as text for ParseCursor; "" for the start.
func (c Cursor) String() string {
	if c == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(c), 36)
}

// ParseCursor reads what Cursor.String wrote. Its error has code "invalid" at
// pointer "/cursor".
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 36, 64)
	if err != nil || Cursor(n).String() != s {
		return 0, domain.Invalid("/cursor", "a cursor is what next_cursor of the page before says")
	}
	return Cursor(n), nil
}

// AnyKind is the kind of all tokens.
const AnyKind domain.Kind = 1<<8 - 1

// Filter says which tokens a list holds. The zero Filter holds all that are
// neither revoked nor sessions. All parts must fit.
type Filter struct {
	Name          string // a prefix of the name
	TagKey        string // a tag with this key; "" for any
	TagValue      string // and, if HasTagValue, with this value
	HasTagValue   bool
	Enabled       *bool
	ExpiresBefore domain.Instant // tokens that expire, and do so before this; 0 for any
	State         string         // "active", "disabled", "revoked", or "" for all but revoked

	Kind         domain.Kind      // or AnyKind; 0 for all but sessions
	IDs          []domain.TokenID // one of these; none for any
	Parent       domain.TokenID   // derived from this token itself, in any generation of it; "" for any
	Lineage      domain.TokenID   // derived from this token or from one that was, and so on; "" for any
	Origin       string           // the door it was made through; "" for any
	IssuedBy     domain.Actor     // zero for any; Generation 0 stands for all of them
	IssuedBefore domain.Instant   // 0 for any
	UnusedSince  domain.Instant   // not used at that time or later, as far as Usage knows; 0 for any
}

// Accounts returns up to limit accounts after the cursor, in creation order,
// and where to go on if there are more.
func (d *Directory) Accounts(after Cursor, limit int) (items []domain.Account, next Cursor, more bool) {
	d.mu.RLock()
	order := d.order // only ever appended to: what is seen here stays
	d.mu.RUnlock()
	from := sort.Search(len(order), func(i int) bool { return order[i].born > Seq(after) })
	for _, a := range order[from:] {
		if len(items) >= max(limit, 1) {
			return items, next, true
		}
		items, next = append(items, *a.now.Load()), Cursor(a.born)
	}
	return items, 0, false
}

// Tokens returns up to limit tokens of the account that fit the filter, after
// the cursor, in the order in which their ids were first issued, and where to
// go on if there are more. No lock is held while it looks: a token shows as it
// stands when the scan comes by. The tokens are not to be changed.
func (d *Directory) Tokens(account domain.AccountID, f Filter, after Cursor, limit int) (items []*domain.Token, next Cursor, more bool) {
	order := d.candidates(account, &f)
	from := sort.Search(len(order), func(i int) bool { return order[i].born > Seq(after) })
	for _, c := range order[from:] {
		s := c.now.Load()
		if !f.fits(s) || f.UnusedSince != 0 && d.usage.usedSince(c, &s.token, f.UnusedSince) {
			continue
		}
		if len(items) >= max(limit, 1) {
			return items, next, true
		}
		items, next = append(items, &s.token), Cursor(c.born)
	}
	return items, 0, false
}

// candidates returns the tokens of the account that the filter names, or all
// where it names none, by born.
func (d *Directory) candidates(account domain.AccountID, f *Filter) (order []*tokenCell) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := d.accounts[account]
	switch {
	case a == nil:
		return nil
	case len(f.IDs) == 0:
		return a.order // only ever appended to: what is seen here stays
	}
	for _, id := range f.IDs {
		if c := d.cellLocked(account, id); c != nil && c.born != 0 {
			order = append(order, c)
		}
	}
	slices.SortFunc(order, func(a, b *tokenCell) int { return cmp.Compare(a.born, b.born) })
	return slices.Compact(order)
}

func (f *Filter) fits(s *snapshot) bool {
	t := &s.token
	switch {
	case f.Kind == 0 && t.Kind == domain.KindSession,
		f.Kind != 0 && f.Kind != AnyKind && t.Kind != f.Kind,
		f.Parent != "" && (t.Parent == nil || t.Parent.Token != f.Parent),
		f.Lineage != "" && (s.from == nil || !slices.Contains(s.from.above, f.Lineage)),
		f.Origin != "" && t.Origin != f.Origin,
		f.IssuedBy != domain.Actor{} && !f.issued(t),
		f.IssuedBefore != 0 && t.CreatedAt >= f.IssuedBefore,
		f.State == "" && t.Revoked,
		f.State != "" && t.State().String() != f.State,
		f.Enabled != nil && t.Enabled != *f.Enabled,
		f.ExpiresBefore != 0 && (t.ExpiresAt == 0 || t.ExpiresAt >= f.ExpiresBefore),
		!strings.HasPrefix(t.Name, f.Name):
		return false
	}
	return f.TagKey == "" || f.fitsTag(t.Tags)
}

// issued tells whether t was issued by f.IssuedBy.
func (f *Filter) issued(t *domain.Token) bool {
	by := t.IssuedBy
	if f.IssuedBy.Generation == 0 {
		by.Generation = 0
	}
	return by == f.IssuedBy
}

func (f *Filter) fitsTag(tags []domain.Tag) bool {
	for _, tag := range tags {
		if tag.Key == f.TagKey {
			return !f.HasTagValue || tag.Value == f.TagValue
		}
	}
	return false
}

// LastManager tells whether no other token of the account could manage its
// tokens at now. It looks at two of them at most, and holds no lock meanwhile.
func (d *Directory) LastManager(account domain.AccountID, but domain.TokenID, now domain.Instant) bool {
	last := true
	d.managers(account).live(now, func(id domain.TokenID) bool {
		last = id == but
		return last
	})
	return last
}

// Users returns up to limit tokens whose grants name one of the actions. Tokens
// that are revoked don't count.
func (d *Directory) Users(actions []string, limit int) (users []domain.Target) {
	if len(actions) == 0 {
		return nil
	}
	for after := Cursor(0); ; {
		accounts, next, more := d.Accounts(after, 256)
		for _, a := range accounts {
			if users = d.usersIn(users, a.ID, actions, limit); len(users) >= limit {
				return users
			}
		}
		if after = next; !more {
			return users
		}
	}
}

func (d *Directory) usersIn(users []domain.Target, account domain.AccountID, actions []string, limit int) []domain.Target {
	for after, more := Cursor(0), true; more; {
		var tokens []*domain.Token
		tokens, after, more = d.Tokens(account, Filter{Kind: AnyKind}, after, 256)
		for _, t := range tokens {
			if names(t, actions) {
				if users = append(users, domain.Target{Account: account, Token: t.ID}); len(users) >= limit {
					return users
				}
			}
		}
	}
	return users
}

func names(t *domain.Token, actions []string) bool {
	for _, g := range slices.Concat(t.Permissions.Allow, t.Permissions.Deny) {
		for _, a := range g.Actions {
			if slices.Contains(actions, string(a)) {
				return true
			}
		}
	}
	return false
}
