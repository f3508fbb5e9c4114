package domain

// Command asks for a change. The set is sealed: every switch over it names
// them all. Decide turns a command into the event to append, or refuses it.
//
//sumtype:decl
type Command interface {
	// Target is what the command changes; the token id is empty for an
	// account's own commands.
	Target() (AccountID, TokenID)
	// Needs is what its actor must be allowed, in the target's account.
	Needs() Need
	command()
}

// OpenAccount makes an account. Its id must be new.
type OpenAccount struct {
	Account AccountID
	Name    string
}

// SuspendAccount refuses every token of the account until it is resumed.
type SuspendAccount struct {
	Account AccountID
	Reason  Reason
}

// ResumeAccount ends a suspension.
type ResumeAccount struct{ Account AccountID }

// CloseAccount ends an account and all its tokens for good.
type CloseAccount struct {
	Account AccountID
	Reason  Reason
}

// IssueToken makes a token, or a new generation of a revoked one.
type IssueToken struct {
	Account     AccountID
	Token       TokenID
	Name        string
	Description string
	Tags        []Tag
	Disabled    bool
	Immutable   bool
	NotBefore   Instant
	ExpiresAt   Instant // may lie in the past: a token born expired
	Permissions Permissions
	Digest      Digest // of the secret that the answer will show
}

// EditToken changes the fields that are not nil. Expect, if not 0, is the
// token's revision as the caller saw it.
type EditToken struct {
	Account     AccountID
	Token       TokenID
	Expect      Seq
	Name        *string
	Description *string
	Tags        *[]Tag
	Enabled     *bool
	NotBefore   *Instant
	ExpiresAt   *Instant
	Permissions *Permissions
}

// EnableToken makes a disabled token work again.
type EnableToken struct {
	Account AccountID
	Token   TokenID
	Expect  Seq
}

// DisableToken refuses a token until it is enabled.
type DisableToken struct {
	Account AccountID
	Token   TokenID
	Expect  Seq
}

// RotateToken gives a token a new secret. The old ones stay valid for Overlap
// milliseconds, at most MaxOverlap and never past the token's expiry.
type RotateToken struct {
	Account AccountID
	Token   TokenID
	Expect  Seq
	Digest  Digest
	Overlap int64
}

// RevokeToken ends a token for good.
type RevokeToken struct {
	Account AccountID
	Token   TokenID
	Expect  Seq
	Reason  Reason
}

// Target implements Command.
func (c OpenAccount) Target() (AccountID, TokenID)    { return c.Account, "" }
func (c SuspendAccount) Target() (AccountID, TokenID) { return c.Account, "" }
func (c ResumeAccount) Target() (AccountID, TokenID)  { return c.Account, "" }
func (c CloseAccount) Target() (AccountID, TokenID)   { return c.Account, "" }
func (c IssueToken) Target() (AccountID, TokenID)     { return c.Account, c.Token }
func (c EditToken) Target() (AccountID, TokenID)      { return c.Account, c.Token }
func (c EnableToken) Target() (AccountID, TokenID)    { return c.Account, c.Token }
func (c DisableToken) Target() (AccountID, TokenID)   { return c.Account, c.Token }
func (c RotateToken) Target() (AccountID, TokenID)    { return c.Account, c.Token }
func (c RevokeToken) Target() (AccountID, TokenID)    { return c.Account, c.Token }

// Needs implements Command.
func (c OpenAccount) Needs() Need    { return AccountNeed("CreateAccount", c.Account) }
func (c SuspendAccount) Needs() Need { return AccountNeed("SuspendAccount", c.Account) }
func (c ResumeAccount) Needs() Need  { return AccountNeed("ResumeAccount", c.Account) }
func (c CloseAccount) Needs() Need   { return AccountNeed("CloseAccount", c.Account) }
func (c IssueToken) Needs() Need     { return TokenNeed("CreateToken", c.Token) }
func (c EditToken) Needs() Need      { return TokenNeed("UpdateToken", c.Token) }
func (c EnableToken) Needs() Need    { return TokenNeed("UpdateToken", c.Token) }
func (c DisableToken) Needs() Need   { return TokenNeed("UpdateToken", c.Token) }
func (c RotateToken) Needs() Need    { return TokenNeed("UpdateToken", c.Token) }
func (c RevokeToken) Needs() Need    { return TokenNeed("DeleteToken", c.Token) }

func (OpenAccount) command()    {}
func (SuspendAccount) command() {}
func (ResumeAccount) command()  {}
func (CloseAccount) command()   {}
func (IssueToken) command()     {}
func (EditToken) command()      {}
func (EnableToken) command()    {}
func (DisableToken) command()   {}
func (RotateToken) command()    {}
func (RevokeToken) command()    {}
