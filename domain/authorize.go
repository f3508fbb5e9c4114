package domain

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
	}
	return string(v)
}

// Decision answers a check.
type Decision struct {
	Verdict Verdict
	Grant   *Grant // the grant that allowed or denied; nil if none did. Not to be changed.
}

// Allowed tells whether the need was granted.
func (d Decision) Allowed() bool { return d.Verdict == Granted }

// Authorize decides whether the bearer of the secret with that digest, held by
// t in an account in that state, may do n at now. It is every rule about use.
// A digest that t no longer holds is refused as revoked.
func Authorize(t *Token, account AccountState, secret Digest, n Need, now Instant) Decision {
	if v := Standing(t, account, secret, now); v != Granted {
		return Decision{Verdict: v}
	}
	return t.Permissions.Decide(n)
}

// Standing tells whether the token works at all at now, whatever is asked:
// Granted, or why not.
func Standing(t *Token, account AccountState, secret Digest, now Instant) Verdict {
	held := t.held(secret)
	switch {
	case t.Generation == 0:
		return UnknownSecret
	case t.Revoked || held == nil:
		return WasRevoked
	case account != AccountIsOpen:
		return OnSuspended
	case !t.Enabled:
		return IsDisabled
	case t.NotBefore != 0 && now < t.NotBefore:
		return NotYetValid
	case t.ExpiresAt != 0 && now >= t.ExpiresAt, held.Until != 0 && now >= held.Until:
		return HasExpired
	}
	return Granted
}

func (t *Token) held(d Digest) *Held {
	for i := range t.Secrets {
		if t.Secrets[i].Digest == d {
			return &t.Secrets[i]
		}
	}
	return nil
}

// Decide applies the permissions alone: deny grants first, then the allow
// grants as the mode says.
func (p *Permissions) Decide(n Need) Decision {
	for i := range p.Deny {
		if g := &p.Deny[i]; g.Resource.Matches(n.Resource) && g.Has(n) {
			return Decision{Denied, g}
		}
	}
	for i := range p.Allow {
		g := &p.Allow[i]
		if string(g.Resource) != string(n.Resource) && !g.Resource.Matches(n.Resource) { // most often they are the same
			continue
		}
		if g.Has(n) {
			return Decision{Granted, g}
		}
		if p.Mode == FirstMatch {
			return Decision{Verdict: NoGrant}
		}
	}
	return Decision{Verdict: NoGrant}
}

// Has tells whether the grant's actions cover the need's.
func (g *Grant) Has(n Need) bool {
	for _, a := range g.Actions {
		if a.covers(n) {
			return true
		}
	}
	return false
}

func (a Action) covers(n Need) bool {
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
