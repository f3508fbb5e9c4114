package domain

import (
	"fmt"
	"slices"
)

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
	case TypeDefined:
		s.Type = &e.Def
		return s, nil
	case TypeRemoved:
		s.Type = nil
		return s, nil
	case AccountOpened, AccountEdited, AccountSuspended, AccountResumed, AccountClosed:
		return evolveAccount(s, f, seq)
	case TokenIssued:
		return issue(s, f, e, seq)
	case TokenEdited, TokenEnabled, TokenDisabled, TokenRotated, TokenRevoked,
		TokenRetired, TokenRevealed, TokenResealed, TokenExpiring:
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
		*a = Account{ID: f.Account, Name: e.Name, State: AccountIsOpen, CreatedAt: f.Time, ManagedBy: e.ManagedBy}
	case AccountEdited:
		possible = is == AccountIsOpen || is == AccountIsSuspended
		set(&a.Name, e.Name)
		set(&a.ManagedBy, e.ManagedBy)
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
		TokenRetired, TokenRevealed, TokenResealed, TokenExpiring,
		NodeJoined, NodeLeft, Checkpoint, TypeDefined, TypeRemoved:
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
		Secrets: []Held{{Digest: e.Digest, Sealed: e.Sealed}}, Revision: seq, Narrowed: t.Narrowed,
		Parent: e.Parent, Conditions: e.Conditions, Revealable: e.Sealed != nil,
		Told: noticeOf(e.ExpiresAt, f.Time), Origin: e.Origin, Imported: e.Imported,
		Done: done(nil, e.Once, f.Time, seq),
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
		if e.ExpiresAt != nil {
			t.Told = noticeOf(t.ExpiresAt, f.Time)
		}
	case TokenEnabled:
		possible = !t.Enabled && !t.Immutable
		t.Enabled = true
	case TokenDisabled:
		possible = t.Enabled && !t.Immutable
		t.Enabled = false
	case TokenRotated:
		possible = !t.Immutable
		t.Secrets = rotated(t.Secrets, e, f.Time)
		t.Done = done(t.Done, e.Once, f.Time, seq)
	case TokenRevoked:
		t.Revoked, t.Enabled, t.Reason, t.Secrets = true, false, e.Reason, nil
	case TokenRetired:
		t.Secrets = retired(t.Secrets, e.Digest)
	case TokenResealed:
		t.Secrets = resealed(t.Secrets, e)
		return s, nil
	case TokenExpiring:
		t.Told = e.Notice
		return s, nil
	case TokenRevealed:
		return s, nil
	case Genesis, AccountOpened, AccountEdited, AccountSuspended, AccountResumed, AccountClosed, TokenIssued,
		NodeJoined, NodeLeft, Checkpoint, TypeDefined, TypeRemoved:
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
	if e.Conditions != nil {
		t.Conditions = e.Conditions
		if e.Conditions.IsZero() {
			t.Conditions = nil
		}
	}
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// rotated returns the secrets after e: the new one first, then those that live
// on, each until the sooner of its own end and e.PreviousUntil.
func rotated(old []Held, e TokenRotated, at Instant) []Held {
	secrets := []Held{{Digest: e.Digest, Retires: e.Retires && e.PreviousUntil != 0, Sealed: e.Sealed}}
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

// retired returns the secrets without those older than the one that was used.
func retired(old []Held, used Digest) []Held {
	for i := range old {
		if old[i].Digest == used {
			secrets := slices.Clone(old[:i+1])
			secrets[i].Retires = false
			return secrets
		}
	}
	return old
}

func resealed(old []Held, e TokenResealed) []Held {
	secrets := slices.Clone(old)
	for i := range secrets {
		if secrets[i].Digest == e.Digest && secrets[i].Sealed != nil {
			secrets[i].Sealed = &e.Sealed
		}
	}
	return secrets
}

// done returns what was done before with what is done now at the front, as far
// as it is remembered.
func done(before []Done, now *Once, at Instant, seq Seq) []Done {
	if now == nil {
		return before
	}
	list := []Done{{*now, at, seq}}
	for _, d := range before {
		if len(list) < MaxDone && at-d.At < OnceFor {
			list = append(list, d)
		}
	}
	return list
}

func impossible(f *Fact, why string) error {
	return fmt.Errorf("%s is impossible here: %s", f.Event.Type(), why)
}
