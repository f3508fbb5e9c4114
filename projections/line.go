package projections

import "hallpass/domain"

// line is a token, its ancestors and its account, as they stood at one time.
type line struct {
	tokens  [1 + domain.MaxDepth]*domain.Token
	cells   [1 + domain.MaxDepth]*tokenCell
	n       int
	from    *descent // of tokens[0]
	account *domain.Account
}

// lookUp fills in l without locks or allocations: it reads all, then looks
// whether all still stands. Nothing that is replaced ever comes back, so what
// stands unchanged stood together. Where writers keep changing them, they are
// held off for a moment.
func (x *Index) lookUp(l *line, c *tokenCell) {
	for range 4 {
		l.read(c, x.between)
		if l.stands() {
			return
		}
	}
	x.fold.Lock()
	l.read(c, nil)
	x.fold.Unlock()
}

func (l *line) read(c *tokenCell, between func()) {
	l.account = c.account.now.Load()
	l.n = 0
	for c != nil && l.n < len(l.tokens) {
		s := c.now.Load()
		if s == nil {
			return
		}
		l.tokens[l.n], l.cells[l.n] = &s.token, c
		if l.n == 0 {
			l.from = s.from
		}
		if between != nil {
			between()
		}
		if l.n++; s.from == nil {
			return
		}
		c = s.from.parent
	}
}

func (l *line) stands() bool {
	for i := range l.n {
		if l.cells[i].token() != l.tokens[i] {
			return false
		}
	}
	return l.cells[0].account.now.Load() == l.account
}

func (l *line) lineage() domain.Lineage {
	return domain.Lineage{Token: l.tokens[0], Above: l.tokens[1:l.n]}
}

// held returns the secret that the token holds with that digest, and the digest
// that it knows it by; d itself if it holds none.
func (l *line) held(d domain.Digest) (*domain.Held, domain.Digest) {
	if h := heldAs(l.tokens[0], &d); h != nil {
		return h, h.Digest
	}
	return nil, d
}
