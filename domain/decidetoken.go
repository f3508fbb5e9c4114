package domain

func decideIssue(s *State, c IssueToken, by Authority, now Instant) (Event, error) {
	if again, err := s.Token.didOnce(c.Once, now); again || err != nil {
		return nil, err
	}
	if s.Token.State() == TokenIsActive || s.Token.State() == TokenIsDisabled {
		return nil, Errorf(CodeExists, "the account %s has a token %s; choose another id, edit that one, or revoke it first", c.Account, c.Token)
	}
	e := TokenIssued{
		Generation: s.Token.Generation + 1,
		Name:       c.Name, Description: c.Description,
		Enabled: !c.Disabled, Kind: c.Kind, Immutable: c.Immutable,
		NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt,
		Digest: c.Digest, Sealed: c.Sealed, Origin: c.Origin, Imported: c.Imported, Once: c.Once,
	}
	if c.Kind == 0 {
		e.Kind = KindAPI
	}
	var f faults
	if why := badID(string(c.Token)); why != "" {
		f.add("/id", "a token id %s", why)
	}
	if c.Digest.IsZero() {
		return nil, Errorf(CodeInternal, "a token is issued without a secret")
	}
	checkName(&f, c.Name)
	checkDescription(&f, c.Description)
	e.Tags = normalTags(&f, c.Tags)
	e.Conditions = normalConditions(&f, c.Conditions)
	checkMaking(&f, &c)
	if c.Parent != "" {
		if err := s.derive(&f, c, by, &e, now); err != nil {
			return nil, err
		}
	}
	if e.Kind == KindSession {
		if err := openSession(&f, by, &e, now); err != nil {
			return nil, err
		}
	}
	checkLife(&f, e.NotBefore, e.ExpiresAt)
	if c.Parent == "" && e.Kind != KindSession {
		e.Permissions = normalPermissions(&f, c.Permissions, s.Catalog)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	var err error
	if e.Kind == KindSession { // which may do everything: its opener must
		e.Permissions, err = by.handOut(e.Permissions)
	} else {
		e.Permissions, e.Wider, err = by.handOutIn(c.Account, e.Permissions)
	}
	return unless(false, e, err)
}

// checkMaking checks what tells how a token is made.
func checkMaking(f *faults, c *IssueToken) {
	if c.Kind > KindSession {
		f.add("/kind", `is "api" or "session"`)
	}
	if c.Kind == KindSession && (c.Parent != "" || c.Imported || c.Sealed != nil) {
		f.add("/kind", "a session is not derived, and its secret is neither brought along nor kept")
	}
	if c.Origin != "" && badID(c.Origin) != "" {
		f.add("/origin", "is made of 1 to %d of the characters A-Z a-z 0-9 _ and -", MaxOrigin)
	}
	checkSealed(f, c.Sealed)
}

func checkSealed(f *faults, s *Sealed) {
	if s != nil && (badID(string(s.Key)) != "" || len(s.Box) == 0 || len(s.Box) > MaxSealed) {
		f.add("/sealed", "a sealed secret has 1 to %d bytes, and its key a name of 1 to 64 of the characters A-Z a-z 0-9 _ and -", MaxSealed)
	}
}

// didOnce tells whether what came with that idempotency key was done already.
// The same key with another request is refused.
func (t *Token) didOnce(o *Once, now Instant) (bool, error) {
	if o == nil {
		return false, nil
	}
	for _, d := range t.Done {
		switch {
		case d.Key != o.Key || now-d.At >= OnceFor:
		case d.Request != o.Request:
			return false, Invalid("/idempotency_key", "this Idempotency-Key came with another request within the last 24 hours: take a new one")
		default:
			return true, nil
		}
	}
	return false, nil
}

func decideEnable(t *Token, by Authority) (Event, error) {
	if t.Enabled {
		return nil, nil
	}
	if !by.outranks(t) {
		return nil, escalation("enable a token")
	}
	return TokenEnabled{}, nil
}

func decideDisable(s *State, c DisableToken, now Instant) (Event, error) {
	after := s.Token
	after.Enabled = false
	return unless(!s.Token.Enabled, TokenDisabled{}, s.keepManager(&after, c.Force, now))
}

func decideRotate(t *Token, c RotateToken, by Authority, now Instant) (Event, error) {
	if again, err := t.didOnce(c.Once, now); again || err != nil {
		return nil, err
	}
	switch {
	case c.Overlap < 0 || c.Overlap > MaxOverlap:
		return nil, Invalid("/overlap", "an overlap is 0 to %d seconds (30 days)", MaxOverlap/1000)
	case c.Digest.IsZero():
		return nil, Errorf(CodeInternal, "a token is rotated without a secret")
	case t.ExpiresAt != 0 && now >= t.ExpiresAt:
		return nil, Invalid("/expires_at", "the token has expired; move expires_at first")
	case !by.outranks(t):
		return nil, escalation("take the secret of a token")
	case t.Revealable && c.Sealed == nil:
		return nil, Errorf(CodeKeyMissing, "the token is revealable, and there is no key to seal its new secret with")
	}
	e := TokenRotated{Digest: c.Digest, Retires: c.Retires, Once: c.Once}
	if t.Revealable {
		var f faults
		if checkSealed(&f, c.Sealed); len(f) > 0 {
			return nil, f.err()
		}
		e.Sealed = c.Sealed
	}
	if c.Overlap == 0 && c.Retires {
		c.Overlap = MaxOverlap
	}
	if c.Overlap == 0 {
		return e, nil
	}
	e.PreviousUntil = now + Instant(c.Overlap)
	if sooner(t.ExpiresAt, e.PreviousUntil) {
		e.PreviousUntil = t.ExpiresAt
	}
	if n := len(rotated(t.Secrets, e, now)); n > MaxSecrets {
		return nil, Errorf(CodeConflict, "a token has at most %d live secrets; rotate without overlap, or wait for the oldest to end", MaxSecrets)
	}
	return e, nil
}

// decideRevoke is open to retries: a token that is revoked already is no error.
// Whatever its grants, a token may always end itself.
func decideRevoke(s State, c RevokeToken, by Authority, now Instant) (Event, error) {
	if by.Actor != s.Token.actor() && !by.May(c.Account, c.Needs()) {
		return nil, forbidden(c, by)
	}
	t := &s.Token
	switch {
	case s.Account.State == AccountIsAbsent:
		return nil, noAccount(c.Account)
	case t.State() == TokenIsAbsent:
		return nil, noToken(c.Account, c.Token)
	case t.Revoked:
		return nil, nil
	case c.Expect != 0 && c.Expect != t.Revision:
		return nil, changed(t, c.Expect)
	}
	var f faults
	r := checkReason(&f, c.Reason)
	after := *t
	after.Revoked = true
	return unless(false, TokenRevoked{r, c.Bulk}, f.err(), s.keepManager(&after, c.Force, now))
}

// keepManager refuses a change that leaves the account without a token that
// could manage its tokens, unless it is forced. It goes by what this node
// knows: of two such changes at once both may pass.
func (s *State) keepManager(after *Token, force bool, now Instant) error {
	stays := after.Manages(now) && after.NotBefore <= max(now, s.Token.NotBefore)
	if force || !s.LastManager || s.Account.ManagedBy != AnyToken || !s.Token.Manages(now) || stays {
		return nil
	}
	return Errorf(CodeLastManager, "no other token of the account %s could issue, edit and revoke its tokens; say force to do it all the same", s.Account.ID)
}
