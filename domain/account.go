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

// Account is the space in which token ids are unique. The zero Account is one
// that was never opened.
type Account struct {
	ID        AccountID
	Name      string
	State     AccountState
	CreatedAt Instant
	Revision  Seq // of the last record that changed it
	Narrowed  Seq // of the last record that took rights from its tokens
}
