package domaintest

import "hallpass/domain"

// World is the naive model of who may do what of a Universe, in one account:
// plain maps, filled from the events that were accepted, by rules written anew
// and without any care for time or memory.
type World struct {
	Needs        []domain.Need
	SessionsOnly bool
	tokens       map[domain.TokenID]*being
}

// being is one token, in its newest generation.
type being struct {
	generation       uint64
	parent           *domain.Link
	session          bool
	enabled, revoked bool
	from, until      domain.Instant
	own              Set
}

// Set is the needs of a Universe that someone may do, by their place in it.
type Set map[int]bool

// NewWorld returns a world without tokens.
func NewWorld(needs []domain.Need) *World {
	return &World{Needs: needs, tokens: map[domain.TokenID]*being{}}
}

// Apply notes what an accepted event says. It panics at one that no command
// about tokens becomes.
func (w *World) Apply(id domain.TokenID, e domain.Event) {
	b := w.tokens[id]
	switch e := e.(type) {
	case domain.TokenIssued:
		w.tokens[id] = &being{
			e.Generation, e.Parent, e.Kind == domain.KindSession, e.Enabled, false, e.NotBefore, e.ExpiresAt, w.set(e.Permissions),
		}
	case domain.TokenEdited:
		if e.Enabled != nil {
			b.enabled = *e.Enabled
		}
		if e.NotBefore != nil {
			b.from = *e.NotBefore
		}
		if e.ExpiresAt != nil {
			b.until = *e.ExpiresAt
		}
		if e.Permissions != nil {
			b.own = w.set(*e.Permissions)
		}
	case domain.TokenEnabled:
		b.enabled = true
	case domain.TokenDisabled:
		b.enabled = false
	case domain.TokenRevoked:
		b.revoked = true
	case domain.TokenRotated, domain.TokenRevealed:
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenRetired, domain.TokenResealed, domain.TokenExpiring, domain.TypeDefined, domain.TypeRemoved,
		domain.NodeJoined, domain.NodeLeft, domain.Checkpoint:
		panic("domaintest: a world has no place for " + e.Type())
	}
}

func (w *World) set(p domain.Permissions) Set {
	s := Set{}
	for i, n := range w.Needs {
		if Allows(p, n) {
			s[i] = true
		}
	}
	return s
}

// Own returns what the token's own permissions allow, whether it works or not.
func (w *World) Own(id domain.TokenID) Set {
	if b := w.tokens[id]; b != nil && !b.revoked {
		return b.own
	}
	return nil
}

// Does returns what the token may do at now: what it and each of its ancestors
// allows, as long as all of them work.
func (w *World) Does(id domain.TokenID, now domain.Instant) Set {
	b := w.tokens[id]
	if b == nil {
		return nil
	}
	does := Set{}
	for i := range b.own {
		about := w.Needs[i].Resource
		isToken := len(segments(string(about))) > 0 && segments(string(about))[0] == "token"
		if !w.SessionsOnly || b.session || !isToken {
			does[i] = true
		}
	}
	for ancestors := 0; ; ancestors++ {
		if b.revoked || !b.enabled || now < b.from || b.until != 0 && now >= b.until || ancestors > 8 {
			return nil
		}
		if b.parent == nil {
			return does
		}
		above := w.tokens[b.parent.Token]
		if above == nil || above.generation != b.parent.Generation {
			return nil
		}
		for i := range does {
			if !above.own[i] {
				delete(does, i)
			}
		}
		b = above
	}
}

// Tokens returns what every token that ever was may do at now, and what its own
// permissions allow.
func (w *World) Tokens(now domain.Instant) (does, own map[domain.TokenID]Set) {
	does, own = map[domain.TokenID]Set{}, map[domain.TokenID]Set{}
	for id := range w.tokens {
		does[id], own[id] = w.Does(id, now), w.Own(id)
	}
	return does, own
}

// Beyond returns a need that s has and none of the others has; false if there
// is none.
func (w *World) Beyond(s Set, others ...Set) (domain.Need, bool) {
next:
	for i := range s {
		for _, o := range others {
			if o[i] {
				continue next
			}
		}
		return w.Needs[i], true
	}
	return domain.Need{}, false
}
