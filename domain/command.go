package domain

// Command asks for a change. The set is sealed: every switch over it names
// them all. Decide turns a command into the event to append, or refuses it.
//
//sumtype:decl
type Command interface {
	// Target is what the command changes.
	Target() Target
	// Needs is what its actor must be allowed, in the target's account.
	Needs() Need
	command()
}

// Target is what a command changes: a token of an account, the account itself
// where there is no token, or a resource type, whose account is root.
type Target struct {
	Account AccountID
	Token   TokenID
	Type    string
}

// OpenAccount makes an account. Its id must be new.
type OpenAccount struct {
	Account   AccountID
	Name      string
	ManagedBy Managers
}

// EditAccount changes the fields that are not nil.
type EditAccount struct {
	Account   AccountID
	Name      *string
	ManagedBy *Managers
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
	Digest      Digest // of the secret that the answer will show, or of the one brought along
	Conditions  *Conditions
	Kind        Kind    // 0: KindAPI. A session has "/" "*", and ends within MaxSession.
	Parent      TokenID // to derive it from; its generation is the one that stands
	Sealed      *Sealed // the secret, if it is to be revealable
	Origin      string
	Imported    bool
	Once        *Once
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
	Conditions  *Conditions // the empty ones: none from here on
	Force       bool        // though it is the last that could manage the account's tokens
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
	Force   bool // as of EditToken
}

// RotateToken gives a token a new secret. The old ones stay valid for Overlap
// milliseconds, at most MaxOverlap and never past the token's expiry.
type RotateToken struct {
	Account AccountID
	Token   TokenID
	Expect  Seq
	Digest  Digest
	Overlap int64
	Retires bool    // the old ones end when the new one is first used, if not before
	Sealed  *Sealed // the new secret: there if the token is revealable, and only then
	Once    *Once
}

// RetireSecrets ends the secrets that are older than the one with that digest,
// which was used. Only the operator may: a node that saw the use.
type RetireSecrets struct {
	Account AccountID
	Token   TokenID
	Digest  Digest
}

// RevealToken notes that the token's newest secret is shown again.
type RevealToken struct {
	Account AccountID
	Token   TokenID
}

// ResealToken keeps a secret under another key. Only the operator may.
type ResealToken struct {
	Account AccountID
	Token   TokenID
	Digest  Digest
	Was     KeyID // the key that it is under now
	Sealed  Sealed
}

// TellExpiry notes what is due to be told of the token's end, for those who
// follow the events. Only the operator may.
type TellExpiry struct {
	Account AccountID
	Token   TokenID
}

// RevokeToken ends a token for good.
type RevokeToken struct {
	Account AccountID
	Token   TokenID
	Expect  Seq
	Reason  Reason
	Bulk    BulkID
	Force   bool // as of EditToken
}

// DefineType adds a resource type to the catalogue, or replaces it.
type DefineType struct{ Def TypeDef }

// RemoveType takes a resource type out of the catalogue.
type RemoveType struct{ Name string }

// Target implements Command.
func (c OpenAccount) Target() Target    { return Target{Account: c.Account} }
func (c SuspendAccount) Target() Target { return Target{Account: c.Account} }
func (c ResumeAccount) Target() Target  { return Target{Account: c.Account} }
func (c CloseAccount) Target() Target   { return Target{Account: c.Account} }
func (c IssueToken) Target() Target     { return Target{Account: c.Account, Token: c.Token} }
func (c EditToken) Target() Target      { return Target{Account: c.Account, Token: c.Token} }
func (c EnableToken) Target() Target    { return Target{Account: c.Account, Token: c.Token} }
func (c DisableToken) Target() Target   { return Target{Account: c.Account, Token: c.Token} }
func (c RotateToken) Target() Target    { return Target{Account: c.Account, Token: c.Token} }
func (c RevokeToken) Target() Target    { return Target{Account: c.Account, Token: c.Token} }

func (c EditAccount) Target() Target   { return Target{Account: c.Account} }
func (c RetireSecrets) Target() Target { return Target{Account: c.Account, Token: c.Token} }
func (c RevealToken) Target() Target   { return Target{Account: c.Account, Token: c.Token} }
func (c ResealToken) Target() Target   { return Target{Account: c.Account, Token: c.Token} }
func (c TellExpiry) Target() Target    { return Target{Account: c.Account, Token: c.Token} }
func (c DefineType) Target() Target    { return Target{Account: RootAccount, Type: c.Def.Name} }
func (c RemoveType) Target() Target    { return Target{Account: RootAccount, Type: c.Name} }

// Needs implements Command.
func (c EditAccount) Needs() Need    { return AccountNeed("UpdateAccount", c.Account) }
func (c RetireSecrets) Needs() Need  { return TokenNeed("UpdateToken", c.Token) }
func (c ResealToken) Needs() Need    { return TokenNeed("UpdateToken", c.Token) }
func (c TellExpiry) Needs() Need     { return TokenNeed("UpdateToken", c.Token) }
func (c RevealToken) Needs() Need    { return TokenNeed("RevealToken", c.Token) }
func (c DefineType) Needs() Need     { return CatalogNeed("DefineType", c.Def.Name) }
func (c RemoveType) Needs() Need     { return CatalogNeed("RemoveType", c.Name) }
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

func (EditAccount) command()   {}
func (RetireSecrets) command() {}
func (RevealToken) command()   {}
func (ResealToken) command()   {}
func (TellExpiry) command()    {}
func (DefineType) command()    {}
func (RemoveType) command()    {}
