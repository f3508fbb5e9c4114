package domain

import "slices"

// decideEdit returns what of c differs from the token as one event: TokenEnabled
// or TokenDisabled where that is all, else TokenEdited.
func decideEdit(s *State, c EditToken, by Authority, now Instant) (Event, error) {
	t := &s.Token
	e, err := difference(s, c)
	if err != nil {
		return nil, err
	}
	after := *t
	e.apply(&after)
	if e.widens(t, by.Catalog) {
		if e.Permissions != nil {
			p, err := by.handOut(after.Permissions)
			if err != nil {
				return nil, err
			}
			after.Permissions, e.Permissions = p, &p
		}
		if !by.outranks(&after) {
			return nil, escalation("widen a token into one")
		}
	}
	if err := s.keepManager(&after, c.Force, now); err != nil {
		return nil, err
	}
	e.Narrows = e.Permissions != nil && !e.Permissions.allowsAllOf(&t.Permissions, by.Catalog) ||
		e.Conditions != nil && !e.Conditions.covers(t.Conditions)
	switch onlyEnabled := e.Name == nil && e.Description == nil && e.Tags == nil &&
		e.NotBefore == nil && e.ExpiresAt == nil && e.Permissions == nil && e.Conditions == nil; {
	case onlyEnabled && e.Enabled == nil:
		return nil, nil
	case onlyEnabled && *e.Enabled:
		return TokenEnabled{}, nil
	case onlyEnabled:
		return TokenDisabled{}, nil
	}
	return e, nil
}

// difference checks c's fields and keeps those that change the token.
func difference(s *State, c EditToken) (TokenEdited, error) {
	var f faults
	t := &s.Token
	if c.Name != nil {
		checkName(&f, *c.Name)
	}
	if c.Description != nil {
		checkDescription(&f, *c.Description)
	}
	if c.Tags != nil {
		tags := normalTags(&f, *c.Tags)
		c.Tags = &tags
	}
	if c.ExpiresAt != nil && t.Parent != nil {
		end := s.withinParent(&f, *c.ExpiresAt)
		c.ExpiresAt = &end
	}
	e := TokenEdited{
		Name:        unlessSame(c.Name, t.Name),
		Description: unlessSame(c.Description, t.Description),
		Enabled:     unlessSame(c.Enabled, t.Enabled),
		NotBefore:   unlessSame(c.NotBefore, t.NotBefore),
		ExpiresAt:   unlessSame(c.ExpiresAt, t.ExpiresAt),
	}
	if c.Tags != nil && !slices.Equal(*c.Tags, t.Tags) {
		e.Tags = c.Tags
	}
	if c.Permissions != nil {
		p := normalPermissions(&f, *c.Permissions, s.Catalog)
		if !p.equal(&t.Permissions) {
			e.Permissions = &p
			if t.Parent != nil && len(f) == 0 {
				s.belowParent(&f, &p)
			}
		}
	}
	if c.Conditions != nil {
		conditions := normalConditions(&f, c.Conditions)
		if conditions == nil {
			conditions = &Conditions{}
		}
		if !conditions.equal(t.Conditions) {
			e.Conditions = conditions
		}
	}
	after := *t
	e.apply(&after)
	if e.NotBefore != nil || e.ExpiresAt != nil {
		checkLife(&f, after.NotBefore, after.ExpiresAt)
	}
	return e, f.err()
}

func unlessSame[T comparable](v *T, is T) *T {
	if v == nil || *v == is {
		return nil
	}
	return v
}

// widens tells whether e gives t anything it lacks: rights, or time to use them.
func (e TokenEdited) widens(t *Token, by *Catalog) bool {
	switch {
	case e.Enabled != nil && *e.Enabled:
		return true
	case e.NotBefore != nil && *e.NotBefore < t.NotBefore:
		return true
	case e.ExpiresAt != nil && sooner(t.ExpiresAt, *e.ExpiresAt):
		return true
	case e.Conditions != nil && !t.Conditions.covers(e.Conditions):
		return true
	}
	return e.Permissions != nil && !t.Permissions.allowsAllOf(e.Permissions, by)
}

// handOut returns p with the actor's own denies added where they touch it, or
// refuses if p holds more than the actor may do itself.
func (a Authority) handOut(p Permissions) (Permissions, error) {
	if a.Actor.IsOperator() {
		return p, nil
	}
	var f faults
	if !a.grantsAllOf(&p) && !a.unbounded() {
		return p, escalation("hand out a grant")
	}
	given := len(p.Deny)
	p.Deny = append(slices.Clip(p.Deny), a.Permissions.deniesMissingIn(&p, a.Catalog)...)
	for i := range a.Above {
		p.Deny = append(p.Deny, a.Above[i].deniesMissingIn(&p, a.Catalog)...)
	}
	if len(p.Allow)+len(p.Deny) > MaxGrants {
		f.add("/permissions/deny", "with the %d denies that the issuer passes on, the token would have over %d grants", len(p.Deny)-given, MaxGrants)
	}
	return p, f.err()
}

// outranks tells whether the actor may do all that t may, denies included. A
// token always outranks itself.
func (a Authority) outranks(t *Token) bool {
	return a.Actor.IsOperator() || a.Actor == t.actor() || a.unbounded() || a.allowsAllOf(&t.Permissions)
}
