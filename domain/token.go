package domain

import "sync"

// Kind tells what a token was made for.
type Kind uint8

// The kinds of token.
const (
	KindAPI     Kind = iota + 1
	KindSession      // of a person who manages an account, for hours
)

func (k Kind) String() string { return [...]string{"", "api", "session"}[k] }

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
	MaxSession     = 12 * 60 * 60 * 1000 // how long a session lasts at most
	MaxDepth       = 8                   // ancestors of a derived token
	MaxOrigin      = 64                  // bytes
)

// Link names a token of the same account in one of its generations.
type Link struct {
	Token      TokenID
	Generation uint64
}

// Sealed is a secret that can be shown again by who has the key: none of its
// text can be read from it. AES-256-GCM.
type Sealed struct {
	Key KeyID
	Box []byte // nonce and ciphertext, 1 to MaxSealed bytes
}

// KeyID names a key of the keyring: [A-Za-z0-9_-]{1,64}.
type KeyID string

// MaxSealed bounds a sealed secret, in bytes.
const MaxSealed = 5 << 10

// Once marks what came with an Idempotency-Key, so that the same request again
// finds what the first one did.
type Once struct {
	Key     [16]byte // of the key and who sent it, hashed
	Request [16]byte // of what was asked with it, hashed
}

// Done is a Once and when it was used.
type Done struct {
	Once
	At  Instant
	Seq Seq // the record that it made
}

// Bounds of idempotency.
const (
	OnceFor = 24 * 60 * 60 * 1000 // how long a key is remembered
	MaxDone = 32                  // keys remembered of one token: of more, the newest
)

// Notice is what was told of a token's end.
type Notice uint8

// The notices, in the order in which they come.
const (
	NoNotice Notice = iota
	In30Days
	In7Days
	In1Day
	AtExpiry
)

func (n Notice) String() string {
	return [...]string{"", "in_30_days", "in_7_days", "in_1_day", "at_expiry"}[n]
}

// Days returns how many days before the end the notice comes.
func (n Notice) Days() int { return [...]int{-1, 30, 7, 1, 0}[n] }

// noticeOf is the last notice that is due at now for what ends then.
func noticeOf(end, now Instant) Notice {
	if end == 0 {
		return NoNotice
	}
	for n := AtExpiry; n > NoNotice; n-- {
		if now >= end-Instant(n.Days())*24*60*60*1000 {
			return n
		}
	}
	return NoNotice
}

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

	Parent     *Link       // what it was derived from; nil: it stands alone
	Conditions *Conditions // nil: none
	Revealable bool        // its secrets are kept sealed, to be shown again
	Told       Notice      // the last one told of ExpiresAt
	Origin     string      // the door it was made through; empty: the native one
	Imported   bool        // its first secret was brought along
	Done       []Done      // the idempotency keys of the last 24 hours, newest first
}

// Held is a secret of a token: its digest, and until when it opens the token.
type Held struct {
	Digest  Digest
	Until   Instant // 0: as long as the token
	Retires bool    // its first use ends all older ones
	Sealed  *Sealed // nil: it can't be shown again
}

// DueNotice returns what is to be told of the token's end at now, and was not
// told yet; NoNotice if nothing.
func (t *Token) DueNotice(now Instant) Notice {
	if n := noticeOf(t.ExpiresAt, now); n > t.Told && t.Generation != 0 && !t.Revoked {
		return n
	}
	return NoNotice
}

func (t *Token) actor() Actor { return Actor{t.Account, t.ID, t.Generation} }

// Manages tells whether the token can issue, edit and revoke every token of its
// account at now. Sessions and derived tokens don't count: they come and go. One
// that is not valid yet does: it will be.
func (t *Token) Manages(now Instant) bool {
	if t.Generation == 0 || t.Revoked || !t.Enabled || t.Kind != KindAPI || t.Parent != nil ||
		t.ExpiresAt != 0 && now >= t.ExpiresAt {
		return false
	}
	for _, n := range managing() {
		if !t.Permissions.Decide(n).Allowed() {
			return false
		}
	}
	return true
}

var managing = sync.OnceValue(func() []Need {
	return []Need{TokenNeed("UpdateToken", ""), TokenNeed("CreateToken", ""), TokenNeed("DeleteToken", "")}
})

// IsOf tells whether l names t as it stands.
func (l Link) IsOf(t *Token) bool { return l.Token == t.ID && l.Generation == t.Generation }

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
