package domain

import "fmt"

// Evolve returns s after the fact f, stored as record seq. An error means that
// the record is impossible here; the follower stops at it. Void records are
// not for Evolve.
func Evolve(s State, f *Fact, seq Seq) (State, error) {
	if f.Authorised >= seq {
		return s, impossible(f, "it was authorised at a revision that is not before it")
	}
	switch e := f.Event.(type) {
	case Genesis:
		if seq != 1 {
			return s, impossible(f, "only a stream's first record is a genesis")
		}
		return s, nil
	case NodeJoined, NodeLeft, Checkpoint:
		return s, nil
	case AccountOpened, AccountSuspended, AccountResumed, AccountClosed:
		return evolveAccount(s, f, seq)
	case TokenIssued:
		return issue(s, f, e, seq)
	case TokenEdited, TokenEnabled, TokenDisabled, TokenRotated, TokenRevoked:
		return evolveToken(s, f, seq)
	}
	return s, impossible(f, "its type is not known")
}

func evolveAccount(s State, f *Fact, seq Seq) (State, error) {
	a, is := &s.Account, s.Account.State
	possible := false
	if Narrows(s, f.Event) {
		a.Narrowed = seq
	}
	switch e := f.Event.(type) {
	case AccountOpened:
		possible = is == AccountIsAbsent
		*a = Account{ID: f.Account, Name: e.Name, State: AccountIsOpen, CreatedAt: f.Time}
	case AccountSuspended:
		possible = is == AccountIsOpen
		a.State = AccountIsSuspended
	case AccountResumed:
		possible = is == AccountIsSuspended
		a.State = AccountIsOpen
	case AccountClosed:
		possible = is == AccountIsOpen || is == AccountIsSuspended
		a.State = AccountIsClosed
	case Genesis, TokenIssued, TokenEdited, TokenEnabled, TokenDisabled, TokenRotated, TokenRevoked,
		NodeJoined, NodeLeft, Checkpoint:
	}
	if !possible {
		return s, impossible(f, "its account is "+is.String())
	}
	a.Revision = seq
	return s, nil
}

func issue(s State, f *Fact, e TokenIssued, seq Seq) (State, error) {
	t := &s.Token
	switch {
	case s.Account.State == AccountIsAbsent:
		return s, impossible(f, "its account was never opened")
	case t.Generation != 0 && !t.Revoked:
		return s, impossible(f, "its token is "+t.State().String())
	case e.Generation != t.Generation+1:
		return s, impossible(f, fmt.Sprintf("it issues generation %d after %d", e.Generation, t.Generation))
	}
	*t = Token{
		Account: f.Account, ID: f.Token, Generation: e.Generation,
		Name: e.Name, Description: e.Description, Tags: e.Tags,
		Enabled: e.Enabled, Kind: e.Kind, Immutable: e.Immutable,
		NotBefore: e.NotBefore, ExpiresAt: e.ExpiresAt, Permissions: e.Permissions,
		IssuedBy: f.Actor, CreatedAt: f.Time, ModifiedAt: f.Time,
		Secrets: []Held{{Digest: e.Digest}}, Revision: seq, Narrowed: t.Narrowed,
	}
	return s, nil
}

func evolveToken(s State, f *Fact, seq Seq) (State, error) {
	t, is := &s.Token, s.Token.State()
	if is != TokenIsActive && is != TokenIsDisabled {
		return s, impossible(f, "its token is "+is.String())
	}
	if Narrows(s, f.Event) {
		t.Narrowed = seq
	}
	possible := true
	switch e := f.Event.(type) {
	case TokenEdited:
		possible = !t.Immutable
		e.apply(t)
	case TokenEnabled:
		possible = !t.Enabled && !t.Immutable
		t.Enabled = true
	case TokenDisabled:
		possible = t.Enabled && !t.Immutable
		t.Enabled = false
	case TokenRotated:
		possible = !t.Immutable
		t.Secrets = rotated(t.Secrets, e, f.Time)
	case TokenRevoked:
		t.Revoked, t.Enabled, t.Reason, t.Secrets = true, false, e.Reason, nil
	case Genesis, AccountOpened, AccountSuspended, AccountResumed, AccountClosed, TokenIssued,
		NodeJoined, NodeLeft, Checkpoint:
	}
	if !possible {
		return s, impossible(f, "its token is "+is.String()+" or immutable")
	}
	t.Revision, t.ModifiedAt = seq, f.Time
	return s, nil
}

func (e TokenEdited) apply(t *Token) {
	set(&t.Name, e.Name)
	set(&t.Description, e.Description)
	set(&t.Tags, e.Tags)
	set(&t.Enabled, e.Enabled)
	set(&t.NotBefore, e.NotBefore)
	set(&t.ExpiresAt, e.ExpiresAt)
	set(&t.Permissions, e.Permissions)
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// rotated returns the secrets after e: the new one first, then those that live
// on, each until the sooner of its own end and e.PreviousUntil.
func rotated(old []Held, e TokenRotated, at Instant) []Held {
	secrets := []Held{{Digest: e.Digest}}
	if e.PreviousUntil == 0 {
		return secrets
	}
	for _, h := range old {
		if h.Until == 0 || h.Until > e.PreviousUntil {
			h.Until = e.PreviousUntil
		}
		if h.Until > at && h.Digest != e.Digest {
			secrets = append(secrets, h)
		}
	}
	return secrets
}

func impossible(f *Fact, why string) error {
	return fmt.Errorf("%s is impossible here: %s", f.Event.Type(), why)
}
