package domain

// decideReveal takes immutable tokens too, and refuses to show what is not kept.
func decideReveal(s State, c RevealToken, by Authority) (Event, error) {
	if err := mayToken(s, c, by); err != nil {
		return nil, err
	}
	switch t := &s.Token; {
	case t.State() == TokenIsAbsent:
		return nil, noToken(c.Account, c.Token)
	case !by.outranks(t) && !by.governs(c.Account):
		return nil, escalation("see the secret of a token")
	case t.Revoked:
		return nil, Errorf(CodeRevoked, "the token %s is revoked: it has no secret any more", c.Token)
	case len(t.Secrets) == 0 || t.Secrets[0].Sealed == nil:
		return nil, Errorf(CodeNotRevealable, "the token %s was not issued as revealable: its secret is kept nowhere", c.Token)
	}
	return TokenRevealed{s.Token.Secrets[0].Digest}, nil
}

// decideUpkeep is about what nodes do of themselves. It comes late and more
// than once: what is no longer to be done is no error.
func decideUpkeep(s State, c Command, by Authority, now Instant) (Event, error) {
	t := &s.Token
	switch {
	case !by.Actor.IsOperator():
		return nil, Errorf(CodeForbidden, "this is for nodes alone")
	case t.State() != TokenIsActive && t.State() != TokenIsDisabled || s.Account.State == AccountIsClosed:
		return nil, nil
	}
	switch c := c.(type) {
	case RetireSecrets:
		held := t.held(&c.Digest)
		if held == nil || !held.Retires {
			return nil, nil
		}
		return TokenRetired{c.Digest}, nil
	case ResealToken:
		if held := t.held(&c.Digest); held == nil || held.Sealed == nil || held.Sealed.Key != c.Was || c.Sealed.Key == c.Was {
			return nil, nil
		}
		var f faults
		checkSealed(&f, &c.Sealed)
		return unless(false, TokenResealed{c.Digest, c.Sealed}, f.err())
	case TellExpiry:
		if n := t.DueNotice(now); n != NoNotice {
			return TokenExpiring{n}, nil
		}
		return nil, nil
	case OpenAccount, EditAccount, SuspendAccount, ResumeAccount, CloseAccount, DefineType, RemoveType,
		IssueToken, EditToken, EnableToken, DisableToken, RotateToken, RevokeToken, RevealToken:
	}
	return nil, Errorf(CodeInternal, "not a command of nodes")
}
