package domain

// Kind tells what a token was made for.
type Kind uint8

// The kinds of token.
const (
	KindAPI Kind = iota + 1
)

func (k Kind) String() string {
	if k == KindAPI {
		return "api"
	}
	return ""
}

// Bounds of a token's fields.
const (
	MaxName        = 255  // characters
	MaxDescription = 1024 // bytes
	MaxTags        = 64
	MaxTagKey      = 64  // bytes
	MaxTagValue    = 256 // bytes
	MaxReasonText  = 512 // bytes
	MaxSecrets     = 4   // live secrets of one token
	MaxOverlap     = 30 * 24 * 60 * 60 * 1000
)

// Tag is one key and value. Tags of a token are sorted by key; keys are unique.
type Tag struct{ Key, Value string }

// Token is an identity with permissions; it survives the rotation of its
// secret. The zero Token is one that was never issued. A Token is a value:
// nothing reachable from it is changed after it was made.
type Token struct {
	Account     AccountID
	ID          TokenID
	Generation  uint64 // 1 at the first issue, one more each time the id is issued again
	Name        string
	Description string
	Tags        []Tag
	Enabled     bool
	Revoked     bool
	Kind        Kind
	Immutable   bool
	NotBefore   Instant // 0: from its issue on
	ExpiresAt   Instant // 0: never
	Permissions Permissions
	IssuedBy    Actor
	CreatedAt   Instant
	ModifiedAt  Instant
	Reason      Reason // of the revoke
	Secrets     []Held // those that may still open it, newest first
	Revision    Seq    // of the last record that changed it
	Narrowed    Seq    // of the last record that took rights from it, in any generation
}

// Held is a secret of a token: its digest, and until when it opens the token.
type Held struct {
	Digest Digest
	Until  Instant // 0: as long as the token
}

// TokenState is what lists and answers show of a token's life.
type TokenState uint8

// The states of a token.
const (
	TokenIsAbsent TokenState = iota
	TokenIsActive
	TokenIsDisabled
	TokenIsRevoked
)

func (s TokenState) String() string {
	return [...]string{"absent", "active", "disabled", "revoked"}[s]
}

// State returns where the token stands. Expiry and not_before don't show here:
// they depend on the time of the question.
func (t *Token) State() TokenState {
	switch {
	case t.Generation == 0:
		return TokenIsAbsent
	case t.Revoked:
		return TokenIsRevoked
	case t.Enabled:
		return TokenIsActive
	}
	return TokenIsDisabled
}

// Actor is who a record was written by: a token of an account, in one of its
// generations. The zero Actor is the operator at the machine itself (first
// start, root reset).
type Actor struct {
	Account    AccountID
	Token      TokenID
	Generation uint64
}

// IsOperator tells whether the actor is the operator at the machine.
func (a Actor) IsOperator() bool { return a == Actor{} }

// ReasonCode says why something was revoked, suspended or closed.
type ReasonCode string

// The reason codes.
const (
	ReasonUnspecified    ReasonCode = "unspecified"
	ReasonCompromised    ReasonCode = "compromised"
	ReasonSuperseded     ReasonCode = "superseded"
	ReasonNoLongerNeeded ReasonCode = "no_longer_needed"
	ReasonOwnerLeft      ReasonCode = "owner_left"
	ReasonPolicy         ReasonCode = "policy"
)

// ReasonCodes lists every reason code.
var ReasonCodes = []ReasonCode{
	ReasonUnspecified, ReasonCompromised, ReasonSuperseded,
	ReasonNoLongerNeeded, ReasonOwnerLeft, ReasonPolicy,
}

// Reason is a code and a free text of at most MaxReasonText bytes.
type Reason struct {
	Code ReasonCode
	Text string
}
