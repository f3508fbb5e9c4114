package domain

// Decide turns a command into the event to append: every rule about change.
// A nil event means that things already are as the command asks. s is the
// target as it stands, by the actor's authority, now the writer's clock.
// Errors are *Error; none holds a secret. What the actor may do comes first,
// so that a refusal tells nothing about what exists.
func Decide(s State, c Command, by Authority, now Instant) (Event, error) {
	by.Catalog = s.Catalog
	switch c := c.(type) {
	case OpenAccount, EditAccount, SuspendAccount, ResumeAccount, CloseAccount:
		return decideAccount(s, c, by)
	case DefineType:
		return decideDefine(s, c, by)
	case RemoveType:
		return decideRemove(s, c, by)
	case IssueToken:
		if err := mayToken(s, c, by); err != nil {
			return nil, err
		}
		return decideIssue(&s, c, by, now)
	case EditToken:
		return onToken(s, c, by, c.Expect, func(*Token) (Event, error) { return decideEdit(&s, c, by, now) })
	case EnableToken:
		return onToken(s, c, by, c.Expect, func(t *Token) (Event, error) { return decideEnable(t, by) })
	case DisableToken:
		return onToken(s, c, by, c.Expect, func(*Token) (Event, error) { return decideDisable(&s, c, now) })
	case RotateToken:
		expect := c.Expect
		if again, err := s.Token.didOnce(c.Once, now); again || err != nil {
			expect = 0 // the token is not as the caller saw it because this was done already
		}
		return onToken(s, c, by, expect, func(t *Token) (Event, error) { return decideRotate(t, c, by, now) })
	case RevokeToken:
		return decideRevoke(s, c, by, now)
	case RevealToken:
		return decideReveal(s, c, by)
	case RetireSecrets, ResealToken, TellExpiry:
		return decideUpkeep(s, c, by, now)
	}
	return nil, Errorf(CodeInternal, "a command of an unknown kind")
}

func decideAccount(s State, c Command, by Authority) (Event, error) {
	id := c.Target().Account
	if !by.MayRoot(c.Needs()) {
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
	case EditAccount:
		e := AccountEdited{unlessSame(c.Name, s.Account.Name), unlessSame(c.ManagedBy, s.Account.ManagedBy)}
		if e.Name != nil {
			checkName(&f, *e.Name)
		}
		if e.ManagedBy != nil {
			checkManagers(&f, id, *e.ManagedBy)
		}
		return unless(e == AccountEdited{}, e, f.err(), closed(s.Account))
	case SuspendAccount:
		r := checkReason(&f, c.Reason)
		return unless(is == AccountIsSuspended, AccountSuspended{r}, f.err(), keepRoot(id), closed(s.Account))
	case ResumeAccount:
		return unless(is == AccountIsOpen, AccountResumed{}, closed(s.Account))
	case CloseAccount:
		r := checkReason(&f, c.Reason)
		return unless(is == AccountIsClosed, AccountClosed{r}, f.err(), keepRoot(id))
	case OpenAccount, IssueToken, EditToken, EnableToken, DisableToken, RotateToken, RevokeToken,
		RetireSecrets, RevealToken, ResealToken, TellExpiry, DefineType, RemoveType:
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
	checkManagers(&f, c.Account, c.ManagedBy)
	if err := f.err(); err != nil {
		return nil, err
	}
	switch s.Account.State {
	case AccountIsAbsent:
		return AccountOpened{c.Name, c.ManagedBy}, nil
	case AccountIsClosed:
		return nil, closed(s.Account)
	case AccountIsOpen, AccountIsSuspended:
	}
	return nil, Errorf(CodeExists, "the account %s exists", c.Account)
}

func checkManagers(f *faults, id AccountID, m Managers) {
	switch {
	case m > SessionsOnly:
		f.add("/tokens_managed_by", `is "any" or "sessions"`)
	case m != AnyToken && id == RootAccount:
		f.add("/tokens_managed_by", "the tokens of the account root are managed by any token that may: they are what opens sessions")
	}
}

// onToken refuses what holds for every command on a live token, then decides.
func onToken(s State, c Command, by Authority, expect Seq, decide func(*Token) (Event, error)) (Event, error) {
	if err := mayToken(s, c, by); err != nil {
		return nil, err
	}
	account, id := c.Target().Account, c.Target().Token
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

// mayToken says whether the actor may, and the account takes, a command about
// one of its tokens.
func mayToken(s State, c Command, by Authority) error {
	account := c.Target().Account
	if !by.May(account, c.Needs()) {
		return forbidden(c, by)
	}
	if s.Account.State == AccountIsAbsent {
		return noAccount(account)
	}
	return closed(s.Account)
}

func forbidden(c Command, by Authority) error {
	account := c.Target().Account
	if by.NoTokens && account == by.Actor.Account {
		return Errorf(CodeForbidden, "the tokens of the account %s are managed by sessions alone, and this is none", account)
	}
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
