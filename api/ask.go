package api

import (
	"hallpass/domain"
	"hallpass/projections"
)

// Question is what a check asks, as it arrived.
type Question struct {
	Action     string
	Resource   string
	Unverified bool   // the action need not be in the catalogue; it then counts as a write
	Secret     string // whose rights; empty: the caller's own
}

// Need returns what q asks for. Errors have code "invalid" and the pointers
// "/action" and "/resource".
func (s *Service) Need(q Question) (domain.Need, error) {
	return s.catalog.Need(q.Action, q.Resource, q.Unverified)
}

// Check answers what the bearer of the secret may do, for that bearer. A
// secret that does not work is the error invalid_token, never which; stale and
// not_ready mean that this node can't vouch for an answer. No lock is held and
// nothing is allocated.
func (s *Service) Check(secret domain.Secret, need domain.Need) (projections.Answer, error) {
	a, err := s.proj.Index.Check(secret, need)
	if err != nil {
		return a, err
	}
	switch a.Verdict {
	case domain.Granted, domain.NoGrant, domain.Denied:
		return a, nil
	case domain.UnknownSecret, domain.WasRevoked, domain.IsDisabled, domain.HasExpired, domain.NotYetValid, domain.OnSuspended:
	}
	return projections.Answer{}, invalidToken()
}

// Introspect answers, with the precise verdict, what the bearer of another
// secret may do. Where the caller lacks IntrospectToken on the token found, or
// where there is none, it answers unknown_secret and nothing else. Errors:
// stale and not_ready.
func (s *Service) Introspect(by Caller, secret string, need domain.Need) (projections.Answer, error) {
	at := s.Revision()
	unknown := projections.Answer{Decision: domain.Decision{Verdict: domain.UnknownSecret}, At: at}
	parsed, err := domain.ParseSecret(secret)
	if err != nil {
		return unknown, nil
	}
	a, err := s.proj.Index.Check(parsed, need)
	if err != nil {
		return a, err
	}
	if a.Token == nil || !by.Authority.May(a.Token.Account, domain.TokenNeed("IntrospectToken", a.Token.ID)) {
		unknown.At = a.At
		return unknown, nil
	}
	return a, nil
}
