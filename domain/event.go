package domain

// Event is a fact of one kind. The set is sealed: every switch over it names
// them all.
//
//sumtype:decl
type Event interface {
	// Type is the versioned name that stands in the record: "token.issued.1".
	// A type's fields never change; a new meaning is a new version.
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
type AccountOpened struct{ Name string }

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
	Narrows     bool // the new permissions lack something that the old ones had, or may
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
}

// TokenRevoked ends a token and every secret of it.
type TokenRevoked struct{ Reason Reason }

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
func (Genesis) Type() string          { return "genesis.1" }
func (AccountOpened) Type() string    { return "account.opened.1" }
func (AccountSuspended) Type() string { return "account.suspended.1" }
func (AccountResumed) Type() string   { return "account.resumed.1" }
func (AccountClosed) Type() string    { return "account.closed.1" }
func (TokenIssued) Type() string      { return "token.issued.1" }
func (TokenEdited) Type() string      { return "token.edited.1" }
func (TokenEnabled) Type() string     { return "token.enabled.1" }
func (TokenDisabled) Type() string    { return "token.disabled.1" }
func (TokenRotated) Type() string     { return "token.rotated.1" }
func (TokenRevoked) Type() string     { return "token.revoked.1" }
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
func (NodeJoined) event()       {}
func (NodeLeft) event()         {}
func (Checkpoint) event()       {}
