package api

import (
	"net/http"

	"hallpass/api/wire"
	"hallpass/domain"
)

// sessionFor is how long a session lasts unless it is said, in seconds.
const sessionFor = 3600

func (c *call) openSession() (reply, error) {
	var in wire.OpenSession
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	var b binder
	account := c.by.Authority.Actor.Account
	if in.Account != "" {
		var err error
		if account, err = domain.ParseAccountID(in.Account); err != nil {
			b.fault("/account", "%s", detailOf(err))
		}
	}
	switch {
	case in.ExpiresIn == 0:
		in.ExpiresIn = sessionFor
	case in.ExpiresIn < 0 || in.ExpiresIn > domain.MaxSession/1000:
		b.fault("/expires_in", "is 1 to %d seconds (12 hours)", domain.MaxSession/1000)
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	secret, err := c.h.svc.NewSecret()
	if err != nil {
		return reply{}, err
	}
	return c.doIssue(domain.IssueToken{
		Account: account, Kind: domain.KindSession, Name: in.Name, Digest: secret.Digest(),
		ExpiresAt: c.h.svc.now() + domain.Instant(in.ExpiresIn)*1000,
	}, secret)
}

// revokeSelf ends the bearer's own token, which takes no right.
func (c *call) revokeSelf() (reply, error) {
	reason, wait, err := c.readReason()
	if err != nil {
		return reply{}, err
	}
	self := c.by.Authority.Actor
	return c.changeToken(self.Account, self.Token, matches{any: true}, wait, func(Caller, domain.State, Seq) (domain.Command, error) {
		return domain.RevokeToken{Account: self.Account, Token: self.Token, Reason: reason, Force: c.forced()}, nil
	})
}

func (h *handler) sessionRoutes() []*route {
	return []*route{
		{method: "POST", path: "/v1/sessions", id: "openSession", tag: "tokens", summary: "Open a session",
			about: "A token for a person who manages the account for some hours: it may do everything there, can't be changed, and ends by itself. Takes CreateToken on /token in the account, and all that it may do; a session can't open another one. The answer shows the secret, this once.",
			do:    (*call).openSession, query: []param{waitParam}, in: wire.OpenSession{}, inAll: true, out: wire.Token{}, status: http.StatusCreated,
			codes: []string{"not_found", "account_closed"}},
		{method: "POST", path: "/v1/self/revoke", id: "revokeSelf", tag: "tokens", summary: "Revoke the bearer's own token",
			about: "For good: it logs a session out. Takes no right. The reason may stand in the body or in the query, not in both.",
			do:    (*call).revokeSelf, query: append([]param{forceParam}, reasonParams...), in: wire.Reason{}, inAll: true, out: wire.Token{},
			codes: []string{"not_found", "last_manager"}},
	}
}
