package domain

// State is what a command is decided upon: the account and the token that it
// is about, as they stand. Zero values are what was never opened or issued.
type State struct {
	Account Account
	Token   Token
}

// Authority is what the actor of a command may do, as it stood at revision At.
type Authority struct {
	Actor       Actor
	Permissions Permissions
	At          Seq
}

// Operator is the authority of whoever has the machine: first start and reset.
func Operator(at Seq) Authority { return Authority{At: at} }

// May tells whether the actor may do n in the account: in its own account
// what its permissions say; in others only as a root token with "/" "*".
func (a Authority) May(account AccountID, n Need) bool {
	if a.Actor.IsOperator() {
		return true
	}
	if a.Actor.Account != account && !a.Everywhere() {
		return false
	}
	return a.Permissions.Decide(n).Allowed()
}

// MayAccounts tells whether the actor may do n, a need about accounts
// themselves: that takes a token of the root account.
func (a Authority) MayAccounts(n Need) bool {
	if a.Actor.IsOperator() {
		return true
	}
	return a.Actor.Account == RootAccount && a.Permissions.Decide(n).Allowed()
}

// Everywhere tells whether the actor acts in every account: a root-account
// token that is allowed "/" "*". Its denies still apply, to each need.
func (a Authority) Everywhere() bool {
	if a.Actor.IsOperator() {
		return true
	}
	everything := Permissions{Mode: Union, Allow: []Grant{{Resource: "/", Actions: []Action{"*"}}}}
	return a.Actor.Account == RootAccount && a.Permissions.grantsAllOf(&everything)
}
