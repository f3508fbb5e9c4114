package domain

// Decide turns a command into the event to append: every rule about change.
// A nil event means that things already are as the command asks. s is the
// target as it stands, by the actor's authority, now the writer's clock.
// Errors are *Error; none holds a secret. What the actor may do comes first,
// so that a refusal tells nothing about what exists.
func Decide(s State, c Command, by Authority, now Instant) (Event, error) {
	switch c := c.(type) {
	case OpenAccount, SuspendAccount, ResumeAccount, CloseAccount:
		return decideAccount(s, c, by)
	case IssueToken:
		if err := mayToken(s, c, by); err != nil {
			return nil, err
		}
		return decideIssue(s, c, by)
	case EditToken:
		return onToken(s, c, by, c.Expect, func(t *Token) (Event, error) { return decideEdit(t, c, by) })
	case EnableToken:
		return onToken(s, c, by, c.Expect, func(t *Token) (Event, error) { return decideEnable(t, by) })
	case DisableToken:
		return onToken(s, c, by, c.Expect, decideDisable)
	case RotateToken:
		return onToken(s, c, by, c.Expect, func(t *Token) (Event, error) { return decideRotate(t, c, by, now) })
	case RevokeToken:
		return decideRevoke(s, c, by)
	}
	return nil, Errorf(CodeInternal, "a command of an unknown kind")
}

func decideAccount(s State, c Command, by Authority) (Event, error) {
	id, _ := c.Target()
	if !by.MayAccounts(c.Needs()) {
		return nil, Errorf(CodeForbidden, "this takes a token of the account root that has %s on %s", c.Needs().Action, c.Needs().Resource)
	}
	if o, ok := c.(OpenAccount); ok {
		return decideOpen(s, o)
	}
	is := s.Account.State
	if is == AccountIsAbsent {
		return nil, noAccount(id)
	}
	var f faults
	switch c := c.(type) {
	case SuspendAccount:
		r := checkReason(&f, c.Reason)
		return unless(is == AccountIsSuspended, AccountSuspended{r}, f.err(), keepRoot(id), closed(s.Account))
	case ResumeAccount:
		return unless(is == AccountIsOpen, AccountResumed{}, closed(s.Account))
	case CloseAccount:
		r := checkReason(&f, c.Reason)
		return unless(is == AccountIsClosed, AccountClosed{r}, f.err(), keepRoot(id))
	case OpenAccount, IssueToken, EditToken, EnableToken, DisableToken, RotateToken, RevokeToken:
	}
	return nil, Errorf(CodeInternal, "not a command about accounts")
}

// unless returns the first error, else nothing when things already are so,
// else the event.
func unless(already bool, e Event, errs ...error) (Event, error) {
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if already {
		return nil, nil
	}
	return e, nil
}

func decideOpen(s State, c OpenAccount) (Event, error) {
	var f faults
	if why := badID(string(c.Account)); why != "" {
		f.add("/id", "an account id %s", why)
	}
	checkName(&f, c.Name)
	if err := f.err(); err != nil {
		return nil, err
	}
	switch s.Account.State {
	case AccountIsAbsent:
		return AccountOpened{c.Name}, nil
	case AccountIsClosed:
		return nil, closed(s.Account)
	case AccountIsOpen, AccountIsSuspended:
	}
	return nil, Errorf(CodeExists, "the account %s exists", c.Account)
}

func decideIssue(s State, c IssueToken, by Authority) (Event, error) {
	if s.Token.State() == TokenIsActive || s.Token.State() == TokenIsDisabled {
		return nil, Errorf(CodeExists, "the account %s has a token %s; choose another id, edit that one, or revoke it first", c.Account, c.Token)
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
	checkLife(&f, c.NotBefore, c.ExpiresAt)
	tags := normalTags(&f, c.Tags)
	p := normalPermissions(&f, c.Permissions)
	if err := f.err(); err != nil {
		return nil, err
	}
	p, err := by.handOut(p)
	if err != nil {
		return nil, err
	}
	return TokenIssued{
		Generation: s.Token.Generation + 1,
		Name:       c.Name, Description: c.Description, Tags: tags,
		Enabled: !c.Disabled, Kind: KindAPI, Immutable: c.Immutable,
		NotBefore: c.NotBefore, ExpiresAt: c.ExpiresAt,
		Permissions: p, Digest: c.Digest,
	}, nil
}

// onToken refuses what holds for every command on a live token, then decides.
func onToken(s State, c Command, by Authority, expect Seq, decide func(*Token) (Event, error)) (Event, error) {
	if err := mayToken(s, c, by); err != nil {
		return nil, err
	}
	account, id := c.Target()
	switch t := &s.Token; {
	case t.State() == TokenIsAbsent:
		return nil, noToken(account, id)
	case t.Revoked:
		return nil, Errorf(CodeRevoked, "the token %s is revoked; its id can be issued again", id)
	case expect != 0 && expect != t.Revision:
		return nil, changed(t, expect)
	case t.Immutable:
		return nil, Errorf(CodeImmutable, "the token %s is immutable: it can only be revoked, and its id issued again", id)
	}
	return decide(&s.Token)
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

func decideDisable(t *Token) (Event, error) {
	return unless(!t.Enabled, TokenDisabled{})
}

func decideRotate(t *Token, c RotateToken, by Authority, now Instant) (Event, error) {
	switch {
	case c.Overlap < 0 || c.Overlap > MaxOverlap:
		return nil, Invalid("/overlap", "an overlap is 0 to %d seconds (30 days)", MaxOverlap/1000)
	case c.Digest.IsZero():
		return nil, Errorf(CodeInternal, "a token is rotated without a secret")
	case t.ExpiresAt != 0 && now >= t.ExpiresAt:
		return nil, Invalid("/expires_at", "the token has expired; move expires_at first")
	case !by.outranks(t):
		return nil, escalation("take the secret of a token")
	}
	e := TokenRotated{Digest: c.Digest}
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
func decideRevoke(s State, c RevokeToken, by Authority) (Event, error) {
	if !by.May(c.Account, c.Needs()) {
		return nil, forbidden(c)
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
	return unless(false, TokenRevoked{r}, f.err())
}

// mayToken says whether the actor may, and the account takes, a command about
// one of its tokens.
func mayToken(s State, c Command, by Authority) error {
	account, _ := c.Target()
	if !by.May(account, c.Needs()) {
		return forbidden(c)
	}
	if s.Account.State == AccountIsAbsent {
		return noAccount(account)
	}
	return closed(s.Account)
}

func forbidden(c Command) error {
	account, _ := c.Target()
	return Errorf(CodeForbidden, "this takes %s on %s in the account %s", c.Needs().Action, c.Needs().Resource, account)
}

func escalation(what string) error {
	return Errorf(CodeForbidden, "nobody may %s that may do what he may not himself", what)
}

func noAccount(id AccountID) error { return Errorf(CodeNotFound, "there is no account %s", id) }

func noToken(a AccountID, id TokenID) error {
	return Errorf(CodeNotFound, "the account %s has no token %s", a, id)
}

func changed(t *Token, expect Seq) error {
	return Errorf(CodePrecondition, "the token %s is at revision %d, not %d: read it again", t.ID, t.Revision, expect)
}

// closed returns nil unless the account is closed.
func closed(a Account) error {
	if a.State == AccountIsClosed {
		return Errorf(CodeAccountClosed, "the account %s is closed for good", a.ID)
	}
	return nil
}

// keepRoot refuses what would lock everyone out.
func keepRoot(id AccountID) error {
	if id == RootAccount {
		return Errorf(CodeForbidden, "the account root can't be suspended or closed: nobody could undo it")
	}
	return nil
}
