package domain

import "net/netip"

// Verdict is the code of a decision about use. Verdicts are stable: they stand
// in check answers.
type Verdict string

// The verdicts. All but Granted refuse.
const (
	Granted       Verdict = "granted"
	UnknownSecret Verdict = "unknown_secret"
	WasRevoked    Verdict = "revoked"
	IsDisabled    Verdict = "disabled"
	HasExpired    Verdict = "expired"
	NotYetValid   Verdict = "not_yet_valid"
	OnSuspended   Verdict = "account_suspended"
	NoGrant       Verdict = "no_grant"
	Denied        Verdict = "denied"
	WrongAddress  Verdict = "wrong_address"
	OutsideHours  Verdict = "outside_hours"
	OnlySessions  Verdict = "sessions_only"
)

// Reason is the verdict as a sentence for people.
func (v Verdict) Reason() string {
	switch v {
	case Granted:
		return "a grant of the token allows it"
	case UnknownSecret:
		return "no token has this secret"
	case WasRevoked:
		return "the token is revoked, or this secret of it was replaced"
	case IsDisabled:
		return "the token is disabled"
	case HasExpired:
		return "the token, or this secret of it, has expired"
	case NotYetValid:
		return "the token is not valid yet"
	case OnSuspended:
		return "the token's account is suspended or closed"
	case NoGrant:
		return "no grant of the token covers this"
	case Denied:
		return "a deny grant of the token forbids it"
	case WrongAddress:
		return "the token's conditions don't allow the address that it was used from, or none was told"
	case OutsideHours:
		return "the token's conditions don't allow this time of the day"
	case OnlySessions:
		return "the account's tokens are managed by sessions alone"
	}
	return string(v)
}

// Decision answers a check.
type Decision struct {
	Verdict  Verdict
	Grant    *Grant  // the grant that allowed or denied; nil if none did. Not to be changed.
	Ancestor TokenID // the ancestor on whose account it was refused; empty: the token itself
}

// Allowed tells whether the need was granted.
func (d Decision) Allowed() bool { return d.Verdict == Granted }

// Circumstances are of one use of a secret.
type Circumstances struct {
	Now  Instant
	From netip.Addr // of who uses it; zero: nobody said
}

// Lineage is a token and its ancestors, as they stood at one time.
type Lineage struct {
	Token *Token
	Above []*Token // the parent first; it ends early where one is missing
}

// Alone is the lineage of a token that was not derived.
func Alone(t *Token) Lineage { return Lineage{Token: t} }

// Authorize decides whether the bearer of the secret with that digest, held by
// the token in that account, may do n in these circumstances. It is every rule
// about use. A derived token may do what it and each of its ancestors may. A
// digest that the token no longer holds is refused as revoked.
func Authorize(l Lineage, account *Account, secret Digest, n Need, at Circumstances) Decision {
	if v, ancestor := l.standing(account, &secret, &at); v != Granted {
		return Decision{Verdict: v, Ancestor: ancestor}
	}
	if account.ManagedBy == SessionsOnly && l.Token.Kind != KindSession && ofTokens(n.Resource) {
		return Decision{Verdict: OnlySessions}
	}
	v, g := l.Token.Permissions.decide(&n)
	if v != Granted {
		return Decision{Verdict: v, Grant: g}
	}
	for _, t := range l.Above {
		if v, g := t.Permissions.decide(&n); v != Granted {
			return Decision{Verdict: v, Grant: g, Ancestor: t.ID}
		}
	}
	return Decision{Verdict: v, Grant: g}
}

// Standing tells whether the token works at all, whatever is asked: Granted,
// or why not.
func Standing(l Lineage, account *Account, secret Digest, at Circumstances) Decision {
	v, ancestor := l.standing(account, &secret, &at)
	return Decision{Verdict: v, Ancestor: ancestor}
}

// standing names what is nearest to the token: what holds of itself before what
// holds of an ancestor, and of those the parent first.
func (l *Lineage) standing(account *Account, secret *Digest, at *Circumstances) (Verdict, TokenID) {
	t := l.Token
	held := t.held(secret)
	switch {
	case t.Generation == 0:
		return UnknownSecret, ""
	case t.Revoked || held == nil:
		return WasRevoked, ""
	case account.State != AccountIsOpen:
		return OnSuspended, ""
	}
	if v := t.standing(at); v != Granted {
		return v, ""
	}
	if held.Until != 0 && at.Now >= held.Until {
		return HasExpired, ""
	}
	for i := 0; t.Parent != nil; i++ {
		if i == MaxDepth || i == len(l.Above) || !t.Parent.IsOf(l.Above[i]) || l.Above[i].Revoked {
			return WasRevoked, t.Parent.Token
		}
		t = l.Above[i]
		if v := t.standing(at); v != Granted {
			return v, t.ID
		}
	}
	return Granted, ""
}

// standing is what holds of a token and of an ancestor alike, of one that is
// not revoked.
func (t *Token) standing(at *Circumstances) Verdict {
	switch {
	case !t.Enabled:
		return IsDisabled
	case t.NotBefore != 0 && at.Now < t.NotBefore:
		return NotYetValid
	case t.ExpiresAt != 0 && at.Now >= t.ExpiresAt:
		return HasExpired
	}
	if t.Conditions == nil {
		return Granted
	}
	return t.Conditions.judge(at)
}

func (t *Token) held(d *Digest) *Held {
	for i := range t.Secrets {
		if t.Secrets[i].Digest == *d {
			return &t.Secrets[i]
		}
	}
	return nil
}

// Decide applies the permissions alone: deny grants first, then the allow
// grants as the mode says.
func (p *Permissions) Decide(n Need) Decision {
	v, g := p.decide(&n)
	return Decision{Verdict: v, Grant: g}
}

func (p *Permissions) decide(n *Need) (Verdict, *Grant) {
	for i := range p.Deny {
		if g := &p.Deny[i]; g.Resource.Matches(n.Resource) && g.has(n) {
			return Denied, g
		}
	}
	for i := range p.Allow {
		g := &p.Allow[i]
		if string(g.Resource) != string(n.Resource) && !g.Resource.Matches(n.Resource) { // most often they are the same
			continue
		}
		if g.has(n) {
			return Granted, g
		}
		if p.Mode == FirstMatch {
			break
		}
	}
	return NoGrant, nil
}

// Has tells whether the grant's actions cover the need's.
func (g *Grant) Has(n Need) bool { return g.has(&n) }

func (g *Grant) has(n *Need) bool {
	for _, a := range g.Actions {
		if a.covers(n) {
			return true
		}
	}
	return false
}

func (a Action) covers(n *Need) bool {
	switch a {
	case "*":
		return true
	case ActionRead:
		return n.Level != LevelWrite
	case ActionWrite:
		return n.Level == LevelWrite
	}
	if n.Bare {
		return false
	}
	if last := len(a) - 1; a[last] == '*' {
		return len(n.Action) >= last && n.Action[:last] == string(a[:last])
	}
	return string(a) == n.Action
}
