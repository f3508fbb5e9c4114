package domain

// VoidReason says why a record changes nothing; "" means that it counts.
type VoidReason string

// Why a record is void.
const (
	ActorNarrowed VoidReason = "actor_narrowed" // its actor lost rights after it was authorised
	IntoClosed    VoidReason = "account_closed" // its account was closed before it
)

// Void settles, the same on every node, whether the record of f counts: a
// write that was authorised before its actor lost rights, and stored after,
// does not. actor is the token, its ancestors and the account of f's actor as
// they stand just before the record (zero for the operator), target the account
// that f is about.
func Void(f *Fact, actor State, target *Account) VoidReason {
	if !f.Actor.IsOperator() && actor.narrowedSince(f.Actor.Generation, f.Authorised) {
		return ActorNarrowed
	}
	if target.State != AccountIsClosed {
		return ""
	}
	switch f.Event.(type) {
	case TokenIssued, TokenEdited, TokenEnabled, TokenDisabled, TokenRotated,
		TokenRetired, TokenRevealed, TokenResealed, TokenExpiring:
		return IntoClosed
	case TokenRevoked, Genesis, AccountOpened, AccountEdited, AccountSuspended, AccountResumed, AccountClosed,
		NodeJoined, NodeLeft, Checkpoint, TypeDefined, TypeRemoved:
		// A revoke does no harm; an account's own records are guarded by the
		// expected last sequence of its subject; the others are about no account.
	}
	return ""
}

// narrowedSince tells whether the token in that generation, an ancestor of it
// or its account lost rights after that record.
func (s *State) narrowedSince(generation uint64, authorised Seq) bool {
	t := &s.Token
	if t.Generation != generation || t.Narrowed > authorised || s.Account.Narrowed > authorised {
		return true
	}
	for i := 0; t.Parent != nil; i++ {
		if i == len(s.Ancestors) || !t.Parent.IsOf(s.Ancestors[i]) {
			return true
		}
		if t = s.Ancestors[i]; t.Narrowed > authorised {
			return true
		}
	}
	return false
}

// Narrows tells whether e takes rights from the token or account of s, or may:
// such an event voids what its target was authorised to do before it.
func Narrows(s State, e Event) bool {
	switch e := e.(type) {
	case AccountSuspended, AccountClosed, TokenDisabled, TokenRevoked:
		return true
	case TokenRotated:
		return e.PreviousUntil == 0
	case TokenEdited:
		return e.narrows(&s.Token)
	case AccountEdited:
		return e.ManagedBy != nil && *e.ManagedBy != AnyToken
	case Genesis, AccountOpened, AccountResumed, TokenIssued, TokenEnabled, NodeJoined, NodeLeft, Checkpoint,
		TokenRevealed, TokenResealed, TokenExpiring, TypeDefined, TypeRemoved:
		return false
	case TokenRetired:
		// The first use of the new secret may be the very command that comes
		// next: it must not be void for it. What the old one was authorised to
		// do before it retired stands.
		return false
	}
	return true
}

func (e TokenEdited) narrows(t *Token) bool {
	switch {
	case e.Enabled != nil && !*e.Enabled:
		return true
	case e.NotBefore != nil && *e.NotBefore > t.NotBefore:
		return true
	case e.ExpiresAt != nil && sooner(*e.ExpiresAt, t.ExpiresAt):
		return true
	}
	return e.Narrows
}

// sooner compares two ends, where 0 is never.
func sooner(a, b Instant) bool { return a != 0 && (b == 0 || a < b) }
