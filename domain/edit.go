package domain

import "slices"

// decideEdit returns what of c differs from t as one event: TokenEnabled or
// TokenDisabled where that is all, else TokenEdited.
func decideEdit(t *Token, c EditToken, by Authority) (Event, error) {
	e, err := difference(t, c)
	if err != nil {
		return nil, err
	}
	after := *t
	e.apply(&after)
	if e.widens(t) {
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
	e.Narrows = e.Permissions != nil && !e.Permissions.allowsAllOf(&t.Permissions)
	switch onlyEnabled := e.Name == nil && e.Description == nil && e.Tags == nil &&
		e.NotBefore == nil && e.ExpiresAt == nil && e.Permissions == nil; {
	case onlyEnabled && e.Enabled == nil:
		return nil, nil
	case onlyEnabled && *e.Enabled:
		return TokenEnabled{}, nil
	case onlyEnabled:
		return TokenDisabled{}, nil
	}
	return e, nil
}

// difference checks c's fields and keeps those that change t.
func difference(t *Token, c EditToken) (TokenEdited, error) {
	var f faults
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
	if c.Permissions != nil {
		p := normalPermissions(&f, *c.Permissions)
		c.Permissions = &p
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
	if c.Permissions != nil && !c.Permissions.equal(&t.Permissions) {
		e.Permissions = c.Permissions
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
func (e TokenEdited) widens(t *Token) bool {
	switch {
	case e.Enabled != nil && *e.Enabled:
		return true
	case e.NotBefore != nil && *e.NotBefore < t.NotBefore:
		return true
	case e.ExpiresAt != nil && sooner(t.ExpiresAt, *e.ExpiresAt):
		return true
	}
	return e.Permissions != nil && !t.Permissions.allowsAllOf(e.Permissions)
}

// handOut returns p with the actor's own denies added where they touch it, or
// refuses if p holds more than the actor may do itself.
func (a Authority) handOut(p Permissions) (Permissions, error) {
	if a.Actor.IsOperator() {
		return p, nil
	}
	var f faults
	if !a.Permissions.grantsAllOf(&p) {
		return p, escalation("hand out a grant")
	}
	p.Deny = append(slices.Clip(p.Deny), a.Permissions.deniesMissingIn(&p)...)
	if len(p.Allow)+len(p.Deny) > MaxGrants {
		f.add("/permissions/deny", "with the %d denies that the issuer passes on, the token would have over %d grants", len(a.Permissions.Deny), MaxGrants)
	}
	return p, f.err()
}

// outranks tells whether the actor may do all that t may, denies included. A
// token always outranks itself.
func (a Authority) outranks(t *Token) bool {
	return a.Actor.IsOperator() || a.Permissions.allowsAllOf(&t.Permissions)
}
