package domain

// Bounds of permissions.
const (
	MaxGrants  = 256 // allow and deny together
	MaxActions = 64  // in one grant
	MaxAction  = 64  // bytes of one action

	MaxAllActions = 1024 // in all grants of a token
)

// Action is what a grant lists: an action's name ("ReadBucket"), a name with a
// final "*" ("Read*"), "*", or an access level: "read" covers every action
// whose level is read or list, "write" the rest.
type Action string

// Grant is a resource pattern and the actions it covers there.
type Grant struct {
	Resource   Pattern
	Actions    []Action
	Unverified bool // its action names need not be in the catalogue
}

// Mode is how a token's allow grants are read.
type Mode uint8

// The modes.
const (
	Union      Mode = iota + 1 // any allow grant will do
	FirstMatch                 // the first allow grant whose resource matches decides
)

func (m Mode) String() string { return [...]string{"", "union", "first_match"}[m] }

// Permissions is what a token may do. A matching deny grant refuses first,
// whatever its place and the mode.
type Permissions struct {
	Mode  Mode
	Allow []Grant
	Deny  []Grant
}
