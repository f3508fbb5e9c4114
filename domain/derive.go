package domain

// derive puts the parent into e, and what follows from it: permissions that it
// has, its own where none are given, and an end not after its.
func (s *State) derive(f *faults, c IssueToken, by Authority, e *TokenIssued, now Instant) error {
	if c.Parent != by.Actor.Token || c.Account != by.Actor.Account {
		if n := TokenNeed("ReadTokenConfig", c.Parent); !by.May(c.Account, n) {
			return Errorf(CodeForbidden, "this takes %s on %s in the account %s", n.Action, n.Resource, c.Account)
		}
	}
	switch {
	case len(s.Ancestors) == 0 || s.Ancestors[0].Generation == 0:
		return noToken(c.Account, c.Parent)
	case s.Ancestors[0].Revoked || !whole(s.Ancestors):
		return Errorf(CodeRevoked, "the token %s, or one that it was derived from, is revoked", c.Parent)
	case len(s.Ancestors) > MaxDepth:
		f.add("/parent", "a derived token has at most %d ancestors", MaxDepth)
	}
	parent := s.Ancestors[0]
	e.Parent = &Link{parent.ID, parent.Generation}
	if end := s.soonestEnd(); end != 0 && now >= end {
		f.add("/parent", "the token %s, or one that it was derived from, has expired; move its expires_at first", parent.ID)
		return nil
	}
	e.ExpiresAt = s.withinParent(f, c.ExpiresAt)
	if p := c.Permissions; len(p.Allow)+len(p.Deny) == 0 && p.Mode == 0 {
		e.Permissions = parent.Permissions
		return nil
	}
	e.Permissions = normalPermissions(f, c.Permissions, s.Catalog)
	if len(*f) == 0 {
		s.belowParent(f, &e.Permissions)
	}
	return nil
}

// whole tells whether each of the chain names the next, to its end.
func whole(chain []*Token) bool {
	for i, t := range chain {
		switch {
		case t.Parent == nil:
			return i == len(chain)-1
		case i == len(chain)-1 || !t.Parent.IsOf(chain[i+1]) || chain[i+1].Revoked:
			return false
		}
	}
	return false
}

// withinParent returns end, or that of the ancestors where it is 0. One that is
// later than theirs is a fault.
func (s *State) withinParent(f *faults, end Instant) Instant {
	soonest := s.soonestEnd()
	switch {
	case end == 0:
		return soonest
	case sooner(soonest, end):
		f.add("/expires_at", "a derived token ends when its parent does at the latest, which is %s", instantView(soonest))
	}
	return end
}

// soonestEnd is when the first of the ancestors expires; 0: never.
func (s *State) soonestEnd() (end Instant) {
	for _, t := range s.Ancestors {
		if sooner(t.ExpiresAt, end) {
			end = t.ExpiresAt
		}
	}
	return end
}

// belowParent faults permissions that an ancestor does not have.
func (s *State) belowParent(f *faults, p *Permissions) {
	for _, t := range s.Ancestors {
		if !t.Permissions.grantsAllOf(p, s.Catalog) {
			f.add("/permissions", "a derived token has no more than the token it is derived from, and %s lacks some of these", t.ID)
			return
		}
	}
}

// openSession makes e a session: for a caller who may do everything in the
// account, as long as it lasts.
func openSession(f *faults, by Authority, e *TokenIssued, now Instant) error {
	if by.Kind == KindSession {
		return Errorf(CodeForbidden, "a session can't open another one, nor can a token derived from one: that would make it last for ever")
	}
	if e.ExpiresAt <= now || e.ExpiresAt > now+MaxSession {
		f.add("/expires_in", "a session lasts 1 to %d seconds (12 hours)", MaxSession/1000)
	}
	e.Immutable, e.Enabled = true, true
	e.Permissions = everything
	return nil
}
