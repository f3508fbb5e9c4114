package api

import (
	"net/netip"

	"hallpass/domain"
	"hallpass/projections"
)

// Caller is who asks: a bearer whose token was found in good standing, or the
// operator at the machine.
type Caller struct {
	Authority domain.Authority
	Token     *domain.Token  // nil for the operator. Not to be changed.
	Account   domain.Account // of the token
	Request   string         // the request id, for the record; may be empty
	From      netip.Addr     // where the secret is used from; zero: not known

	secret domain.Secret // that was presented; zero for the operator
	bearer projections.Bearer
}

// Operator is the caller that acts for whoever has the machine: first start
// and reset.
func (s *Service) Operator() Caller {
	return Caller{Authority: domain.Operator(s.Revision())}
}

// Authenticate returns the caller with that secret, which is used from that
// address. Errors: invalid_token, which never says why, and stale or not_ready
// while this node can't vouch for an answer.
func (s *Service) Authenticate(secret string, from netip.Addr) (Caller, error) {
	parsed, err := domain.ParseBearer(secret)
	if err != nil {
		return Caller{}, invalidToken()
	}
	b, err := s.proj.Index.Bearer(parsed, from)
	if err != nil {
		return Caller{}, err
	}
	if b.Verdict != domain.Granted {
		return Caller{}, invalidToken()
	}
	return Caller{
		Authority: domain.AuthorityOf(domain.Lineage{Token: b.Token, Above: b.Above}, &b.Account, b.At),
		Token:     b.Token,
		Account:   b.Account,
		From:      from,
		secret:    parsed,
		bearer:    b,
	}, nil
}

// standing returns the caller as it stands now: the same token, generation and
// secret. It fails with actor_revoked when that no longer works, and as Check
// does when this node can't vouch for it.
func (s *Service) standing(c Caller) (Caller, error) {
	at := s.Revision() // before the look-up: what is found is at least as new
	if c.Authority.Actor.IsOperator() {
		c.Authority.At = at
		return c, nil
	}
	actor := c.Authority.Actor
	state, _ := s.proj.Directory.State(domain.Target{Account: actor.Account, Token: actor.Token})
	t := state.Token
	if t.Generation != actor.Generation ||
		!domain.Standing(state.Lineage(), &state.Account, c.secret.Digest(), domain.Circumstances{Now: s.now(), From: c.From}).Allowed() {
		return c, domain.Errorf(domain.CodeActorRevoked, "the caller's token stopped working before the change took effect; nothing was changed")
	}
	c.Token, c.Account, c.Authority = &t, state.Account, domain.AuthorityOf(state.Lineage(), &state.Account, at)
	_, err := s.proj.Index.Bearer(c.secret, c.From) // for the lease, which it reads last
	return c, err
}

func invalidToken() error {
	return domain.Errorf(domain.CodeUnauthorized, "the bearer token does not work")
}
