package api

import (
	"cmp"
	"net/netip"

	"hallpass/domain"
	"hallpass/projections"
)

// Question is what a check asks, as it arrived.
type Question struct {
	Action     string
	Resource   string
	Unverified bool       // the action need not be in the catalogue; it then counts as a write
	Secret     string     // whose rights; empty: the caller's own
	From       netip.Addr // where the secret is used from; zero: not known, or, of the caller's own, where the caller is
}

// Need returns what q asks for. Errors have code "invalid" and the pointers
// "/action" and "/resource".
func (s *Service) Need(q Question) (domain.Need, error) {
	return s.proj.Directory.Catalog().Need(q.Action, q.Resource, q.Unverified)
}

// Check answers what the bearer of the secret may do, for that bearer, from
// that address. A secret that does not work is the error invalid_token, never
// which; stale and not_ready mean that this node can't vouch for an answer. No
// lock is held and nothing is allocated.
func (s *Service) Check(secret domain.Secret, need domain.Need, from netip.Addr) (projections.Answer, error) {
	a, err := s.proj.Index.CheckFrom(secret, need, from)
	if err != nil {
		return a, err
	}
	if !stands(a.Verdict) {
		return projections.Answer{}, invalidToken()
	}
	return a, nil
}

// Introspect answers, with the precise verdict, what the bearer of another
// secret may do. Where the caller lacks IntrospectToken on the token found, or
// where there is none, it answers unknown_secret and nothing else. Errors:
// stale and not_ready.
func (s *Service) Introspect(by Caller, secret string, need domain.Need, from netip.Addr) (projections.Answer, error) {
	at := s.Revision()
	unknown := projections.Answer{Decision: domain.Decision{Verdict: domain.UnknownSecret}, At: at}
	parsed, err := domain.ParseBearer(secret)
	if err != nil {
		return unknown, nil
	}
	a, err := s.proj.Index.CheckFrom(parsed, need, from)
	if err != nil {
		return a, err
	}
	if a.Token == nil || !by.Authority.May(a.Token.Account, domain.TokenNeed("IntrospectToken", a.Token.ID)) {
		unknown.At = a.At
		return unknown, nil
	}
	return a, nil
}

// CheckAll answers many questions, whose needs are given, for the bearer of
// own, who uses it from that address: all from one revision, which it returns,
// the bearer's rights included. Whether this node may answer is looked at after
// the last decision. Errors are those of Check, and forbidden where the bearer
// names another address for its own secret and may not; answers about other
// secrets are those of Introspect.
func (s *Service) CheckAll(own string, from netip.Addr, qs []Question, needs []domain.Need) ([]projections.Answer, Seq, error) {
	bearer, err := domain.ParseBearer(own)
	if err != nil {
		return nil, 0, invalidToken()
	}
	asks := make([]projections.Ask, 1, 1+len(qs))
	asks[0] = projections.Ask{Secret: bearer, Need: anyNeed, From: from, Whole: true} // who asks
	for i := range qs {
		secret, from := bearer, cmp.Or(qs[i].From, from)
		if qs[i].Secret != "" {
			secret, _ = domain.ParseBearer(qs[i].Secret) // what isn't one is nobody's
			from = qs[i].From
		}
		asks = append(asks, projections.Ask{Secret: secret, Need: needs[i], From: from, Aside: qs[i].Secret == ""})
	}
	answers, err := s.proj.Index.CheckAll(asks)
	if err != nil {
		return nil, 0, err
	}
	at := answers[0].At
	if !stands(answers[0].Verdict) {
		return nil, 0, invalidToken()
	}
	by := domain.AuthorityOf(domain.Lineage{Token: answers[0].Token, Above: answers[0].Above}, answers[0].Account, at)
	for i := range qs {
		if qs[i].Secret == "" && qs[i].From.IsValid() {
			if err := mayName(&by); err != nil {
				return nil, 0, err
			}
			break
		}
	}
	answers = answers[1:]
	for i := range answers {
		a := &answers[i]
		a.At = at
		if qs[i].Secret != "" && (a.Token == nil || !by.May(a.Token.Account, domain.TokenNeed("IntrospectToken", a.Token.ID))) {
			*a = projections.Answer{Decision: domain.Decision{Verdict: domain.UnknownSecret}, At: at, Stale: a.Stale}
		}
	}
	return answers, at, nil
}

// anyNeed is asked where only the bearer's standing matters.
var anyNeed = domain.Need{Resource: "/", Action: domain.ActionRead, Level: domain.LevelRead, Bare: true}

// stands tells whether the verdict says that a token works.
func stands(v domain.Verdict) bool {
	switch v {
	case domain.Granted, domain.NoGrant, domain.Denied, domain.OnlySessions:
		return true
	case domain.UnknownSecret, domain.WasRevoked, domain.IsDisabled, domain.HasExpired, domain.NotYetValid, domain.OnSuspended,
		domain.WrongAddress, domain.OutsideHours:
	}
	return false
}

// Stands tells, by a nil error, that the secret opens something. Unlike
// Authenticate it does so too where answers may be given as stale ones. Errors
// are those of Check.
func (s *Service) Stands(secret string, from netip.Addr) error {
	parsed, err := domain.ParseBearer(secret)
	if err != nil {
		return invalidToken()
	}
	a, err := s.proj.Index.Stands(parsed, anyNeed, from)
	if err == nil && !stands(a.Verdict) {
		err = invalidToken()
	}
	return err
}
