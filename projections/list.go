package projections

import (
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

// Filter says which tokens a list holds. The zero Filter holds all that are
// not revoked. All parts must fit.
type Filter struct {
	Name          string // a prefix of the name
	TagKey        string // a tag with this key; "" for any
	TagValue      string // and, if HasTagValue, with this value
	HasTagValue   bool
	Enabled       *bool
	ExpiresBefore domain.Instant // tokens that expire, and do so before this; 0 for any
	State         string         // "active", "disabled", "revoked", or "" for all but revoked
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
	d.mu.RLock()
	var order []*tokenCell
	if a := d.accounts[account]; a != nil {
		order = a.order
	}
	d.mu.RUnlock()
	from := sort.Search(len(order), func(i int) bool { return order[i].born > Seq(after) })
	for _, c := range order[from:] {
		t := c.token()
		if !f.fits(t) {
			continue
		}
		if len(items) >= max(limit, 1) {
			return items, next, true
		}
		items, next = append(items, t), Cursor(c.born)
	}
	return items, 0, false
}

func (f *Filter) fits(t *domain.Token) bool {
	switch {
	case f.State == "" && t.Revoked,
		f.State != "" && t.State().String() != f.State,
		f.Enabled != nil && t.Enabled != *f.Enabled,
		f.ExpiresBefore != 0 && (t.ExpiresAt == 0 || t.ExpiresAt >= f.ExpiresBefore),
		!strings.HasPrefix(t.Name, f.Name):
		return false
	}
	return f.TagKey == "" || f.fitsTag(t.Tags)
}

func (f *Filter) fitsTag(tags []domain.Tag) bool {
	for _, tag := range tags {
		if tag.Key == f.TagKey {
			return !f.HasTagValue || tag.Value == f.TagValue
		}
	}
	return false
}
