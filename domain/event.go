package domain

import "encoding/hex"

// Event is a fact of one kind. The set is sealed: every switch over it names
// them all.
//
//sumtype:decl
type Event interface {
	// Type is the versioned name that stands in the record: "token.issued.1".
	// A type's fields never change; a new meaning is a new version. It is the
	// oldest version that can say all of the event, so that nodes which know
	// no newer one go on as long as nobody uses what is new.
	Type() string
	event()
}

// Fact is one event with who, when and about what. It is what a record's data
// encodes; its place in the stream comes from the record around it.
type Fact struct {
	ID         EventID
	Time       Instant   // the writer's clock
	Actor      Actor     // who asked for it
	Authorised Seq       // the revision at which the actor was found entitled to it
	Request    string    // the request id it came with; may be empty
	Account    AccountID // the account it is about
	Token      TokenID   // the token it is about; empty for an account's own events
	Event      Event
}

// Genesis is a stream's first record. It is filed under the account root.
type Genesis struct{ Stream [16]byte } // random: tells one stream from another

// AccountOpened makes an account.
type AccountOpened struct {
	Name      string
	ManagedBy Managers
}

// AccountEdited changes those fields of an account that are not nil.
type AccountEdited struct {
	Name      *string
	ManagedBy *Managers
}

// AccountSuspended refuses every token of the account from here on.
type AccountSuspended struct{ Reason Reason }

// AccountResumed ends a suspension.
type AccountResumed struct{}

// AccountClosed ends an account for good.
type AccountClosed struct{ Reason Reason }

// TokenIssued makes a token, or a new generation of a revoked one.
type TokenIssued struct {
	Generation  uint64
	Name        string
	Description string
	Tags        []Tag
	Enabled     bool
	Kind        Kind
	Immutable   bool
	NotBefore   Instant
	ExpiresAt   Instant
	Permissions Permissions
	Digest      Digest // of its secret
	Parent      *Link  // what it is derived from; nil: nothing
	Conditions  *Conditions
	Sealed      *Sealed // its secret; not nil makes it revealable
	Origin      string
	Imported    bool
	Once        *Once
	Wider       bool // it may do more than its issuer, who governs the account's tokens
}

// TokenEdited changes those fields of a token that are not nil.
type TokenEdited struct {
	Name        *string
	Description *string
	Tags        *[]Tag // the whole new set
	Enabled     *bool
	NotBefore   *Instant
	ExpiresAt   *Instant
	Permissions *Permissions
	Conditions  *Conditions // the empty ones: none from here on
	Narrows     bool        // the new permissions or conditions lack something that the old ones had, or may
}

// TokenEnabled makes a disabled token work again.
type TokenEnabled struct{}

// TokenDisabled refuses a token until it is enabled.
type TokenDisabled struct{}

// TokenRotated gives a token a new secret. Every older secret dies at once
// when PreviousUntil is 0, else at that time unless it was to die sooner.
type TokenRotated struct {
	Digest        Digest
	PreviousUntil Instant
	Retires       bool    // its first use ends the older ones, if they live still
	Sealed        *Sealed // the new secret
	Once          *Once
}

// TokenRetired says that a secret was used that ends all older ones at its
// first use. It is the node's own doing: its actor is the operator.
type TokenRetired struct{ Digest Digest }

// TokenRevealed says that a secret of the token was shown again.
type TokenRevealed struct{ Digest Digest }

// TokenResealed keeps a secret under another key. Its actor is the operator.
type TokenResealed struct {
	Digest Digest
	Sealed Sealed
}

// TokenExpiring tells subscribers of a token's end. Its actor is the operator.
type TokenExpiring struct{ Notice Notice }

// TokenRevoked ends a token and every secret of it.
type TokenRevoked struct {
	Reason Reason
	Bulk   BulkID // of the bulk that it was part of; zero: of none
}

// BulkID names one call that revoked many tokens: 16 random bytes.
type BulkID [16]byte

// IsZero tells whether b names none.
func (b BulkID) IsZero() bool { return b == BulkID{} }

func (b BulkID) String() string { return hex.EncodeToString(b[:]) }

// TypeDefined adds a resource type to the catalogue, or replaces it. It is
// filed under the account root.
type TypeDefined struct{ Def TypeDef }

// TypeRemoved takes a type out of the catalogue: no new grant can name its
// actions. Those that stand keep their meaning.
type TypeRemoved struct{ Name string }

// NodeJoined says that a node follows the stream: only from here on can it have
// a lease. Like NodeLeft and Checkpoint it is about the stream, not about an
// account: it is filed under the account root, its actor is the operator, and
// it changes no account and no token.
type NodeJoined struct {
	Name        NodeName
	Incarnation Incarnation
	Key         [32]byte // Ed25519 public key, which its acknowledgements are signed with
	Reads       uint64   // the SchemaLevel of its version
}

// NodeLeft says that an incarnation answers no more and never will.
type NodeLeft struct {
	Name        NodeName
	Incarnation Incarnation
}

// Checkpoint says which history followers found in the replicas of the stream:
// that of the first Size leaves, as the root of their Merkle tree tells it.
type Checkpoint struct {
	Size uint64 // at least 1
	Root [32]byte
	Seen []Sighting // who found it and where, at most MaxSightings
}

// Sighting is one follower's word for the history of a Checkpoint.
type Sighting struct {
	Replica string // name of the server whose copy was read, at most MaxReplicaName bytes; may be empty on a lone server
	By      Incarnation
}

// Bounds of a Checkpoint. Decode refuses what is beyond them, and such a record
// stops every node: who writes a Checkpoint keeps to them.
const (
	MaxSightings   = 64
	MaxReplicaName = 255 // bytes of UTF-8
)

// Type returns the event's versioned name.
func (Genesis) Type() string { return "genesis.1" }

// Type returns the event's versioned name.
func (e AccountOpened) Type() string {
	if e.ManagedBy != AnyToken {
		return "account.opened.2"
	}
	return "account.opened.1"
}

// Type returns the event's versioned name.
func (e TokenIssued) Type() string {
	if e.Kind > KindAPI || e.Parent != nil || e.Conditions != nil || e.Sealed != nil || e.Origin != "" || e.Imported || e.Once != nil || e.Wider {
		return "token.issued.2"
	}
	return "token.issued.1"
}

// Type returns the event's versioned name.
func (e TokenEdited) Type() string {
	if e.Conditions != nil {
		return "token.edited.2"
	}
	return "token.edited.1"
}

// Type returns the event's versioned name.
func (e TokenRotated) Type() string {
	if e.Retires || e.Sealed != nil || e.Once != nil {
		return "token.rotated.2"
	}
	return "token.rotated.1"
}

// Type returns the event's versioned name.
func (e TokenRevoked) Type() string {
	if !e.Bulk.IsZero() {
		return "token.revoked.2"
	}
	return "token.revoked.1"
}

// Type returns the event's versioned name.
func (AccountSuspended) Type() string { return "account.suspended.1" }
func (AccountResumed) Type() string   { return "account.resumed.1" }
func (AccountClosed) Type() string    { return "account.closed.1" }
func (TokenEnabled) Type() string     { return "token.enabled.1" }
func (TokenDisabled) Type() string    { return "token.disabled.1" }
func (AccountEdited) Type() string    { return "account.edited.1" }
func (TokenRetired) Type() string     { return "token.retired.1" }
func (TokenRevealed) Type() string    { return "token.revealed.1" }
func (TokenResealed) Type() string    { return "token.resealed.1" }
func (TokenExpiring) Type() string    { return "token.expiring.1" }
func (TypeDefined) Type() string      { return "type.defined.1" }
func (TypeRemoved) Type() string      { return "type.removed.1" }
func (NodeJoined) Type() string       { return "node.joined.1" }
func (NodeLeft) Type() string         { return "node.left.1" }
func (Checkpoint) Type() string       { return "checkpoint.1" }

func (Genesis) event()          {}
func (AccountOpened) event()    {}
func (AccountSuspended) event() {}
func (AccountResumed) event()   {}
func (AccountClosed) event()    {}
func (TokenIssued) event()      {}
func (TokenEdited) event()      {}
func (TokenEnabled) event()     {}
func (TokenDisabled) event()    {}
func (TokenRotated) event()     {}
func (TokenRevoked) event()     {}
func (AccountEdited) event()    {}
func (TokenRetired) event()     {}
func (TokenRevealed) event()    {}
func (TokenResealed) event()    {}
func (TokenExpiring) event()    {}
func (TypeDefined) event()      {}
func (TypeRemoved) event()      {}
func (NodeJoined) event()       {}
func (NodeLeft) event()         {}
func (Checkpoint) event()       {}
