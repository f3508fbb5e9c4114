package domain

// AccountState is where an account stands. Closed is final.
type AccountState uint8

// The states of an account.
const (
	AccountIsAbsent AccountState = iota
	AccountIsOpen
	AccountIsSuspended // every token of it is refused
	AccountIsClosed    // every token of it is refused, for good
)

func (s AccountState) String() string {
	return [...]string{"absent", "open", "suspended", "closed"}[s]
}

// Managers tells which tokens of an account may manage its tokens.
type Managers uint8

// Who may manage an account's tokens.
const (
	AnyToken     Managers = iota
	SessionsOnly          // only sessions: what a person does, and no API token
)

func (m Managers) String() string { return [...]string{"any", "sessions"}[m] }

// Account is the space in which token ids are unique. The zero Account is one
// that was never opened.
type Account struct {
	ID        AccountID
	Name      string
	State     AccountState
	CreatedAt Instant
	Revision  Seq // of the last record that changed it
	Narrowed  Seq // of the last record that took rights from its tokens
	ManagedBy Managers
}
