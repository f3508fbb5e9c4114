package domain

// State is what a command is decided upon: what it is about, as it stands. Zero
// values are what was never opened, issued or defined.
type State struct {
	Account Account
	Token   Token

	// Ancestors are those of Token, the parent first; of a token to be derived
	// they start with its parent to be. They end where one is missing.
	Ancestors []*Token

	LastManager bool     // no other token of the account could manage its tokens
	Type        *TypeDef // the type that the command is about, if there is one
	Users       []Target // some of the tokens whose grants name actions that the command takes out of it
	Catalog     *Catalog // nil: the built-in one
}

func (c *Catalog) orBuiltin() *Catalog {
	if c == nil {
		return Builtin()
	}
	return c
}

// Lineage is the token of s with its ancestors.
func (s *State) Lineage() Lineage { return Lineage{&s.Token, s.Ancestors} }

// Authority is what the actor of a command may do, as it stood at revision At.
type Authority struct {
	Actor       Actor
	Kind        Kind // KindSession for a token derived from a session too
	Permissions Permissions
	Above       []Permissions // of its ancestors: it may do only what they may too
	NoTokens    bool          // its account has its tokens managed by sessions, and it is none
	At          Seq
	Catalog     *Catalog // by which permissions are compared; nil: the built-in one
}

// AuthorityOf is what the bearer of the token may do, as it stood at revision
// at: whether it works at all, Standing tells.
func AuthorityOf(l Lineage, account *Account, at Seq) Authority {
	t := l.Token
	a := Authority{
		Actor: Actor{t.Account, t.ID, t.Generation}, Kind: t.Kind, Permissions: t.Permissions, At: at,
		NoTokens: account.ManagedBy == SessionsOnly && t.Kind != KindSession,
	}
	for _, above := range l.Above {
		a.Above = append(a.Above, above.Permissions)
		a.Kind = max(a.Kind, above.Kind)
	}
	return a
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
	if a.NoTokens && a.Actor.Account == account && ofTokens(n.Resource) {
		return false
	}
	return a.may(n)
}

func (a Authority) may(n Need) bool {
	for i := range a.Above {
		if !a.Above[i].Decide(n).Allowed() {
			return false
		}
	}
	return a.Permissions.Decide(n).Allowed()
}

// MayRoot tells whether the actor may do n, a need about what all accounts
// share: accounts themselves, and the catalogue. That takes a token of the
// root account.
func (a Authority) MayRoot(n Need) bool {
	if a.Actor.IsOperator() {
		return true
	}
	return a.Actor.Account == RootAccount && a.may(n)
}

// Everywhere tells whether the actor acts in every account: a root-account
// token that is allowed "/" "*". Its denies still apply, to each need.
func (a Authority) Everywhere() bool {
	if a.Actor.IsOperator() {
		return true
	}
	return a.Actor.Account == RootAccount && a.grantsAllOf(&everything)
}

var everything = Permissions{Mode: Union, Allow: []Grant{{Resource: "/", Actions: []Action{"*"}}}}

// grantsAllOf is that of permissions, for the actor and all its ancestors.
func (a Authority) grantsAllOf(p *Permissions) bool {
	for i := range a.Above {
		if !a.Above[i].grantsAllOf(p, a.Catalog) {
			return false
		}
	}
	return a.Permissions.grantsAllOf(p, a.Catalog)
}

// allowsAllOf is that of permissions, for the actor and all its ancestors.
func (a Authority) allowsAllOf(p *Permissions) bool {
	for i := range a.Above {
		if !a.Above[i].allowsAllOf(p, a.Catalog) {
			return false
		}
	}
	return a.Permissions.allowsAllOf(p, a.Catalog)
}

// ofTokens tells whether r is the resource of an account's tokens, or one of them.
func ofTokens(r Resource) bool {
	const tokens = "/token"
	return len(r) >= len(tokens) && r[:len(tokens)] == tokens && (len(r) == len(tokens) || r[len(tokens)] == '/')
}
