package api

import (
	"context"
	"fmt"
	"net/http"

	"hallpass/api/wire"
	"hallpass/domain"
)

// Reveal returns the newest secret of a token that was issued as revealable.
// That it is shown is a record first: the secret is there only if that took
// effect. Errors are those of Do, not_revealable, and key_missing; a secret that
// can't be opened leaves no record.
func (s *Service) Reveal(ctx context.Context, by Caller, account domain.AccountID, token domain.TokenID) (domain.Secret, Result, error) {
	if err := checkIDs(account, token); err != nil {
		return domain.Secret{}, Result{}, err
	}
	var secret domain.Secret
	cmd := domain.RevealToken{Account: account, Token: token}
	r, err := s.change(ctx, by, cmd.Target(), WaitCommit, func(by Caller, state domain.State) (domain.Command, error) {
		if _, err := domain.Decide(state, cmd, by.Authority, s.now()); err != nil {
			return cmd, nil // it is refused for that, not for what is in the box
		}
		var err error
		if secret, err = s.open(account, token, state.Token.Secrets[0]); err != nil {
			return cmd, fmt.Errorf("opening the secret of token %s in account %s: %w", token, account, err)
		}
		return cmd, nil
	})
	if err != nil {
		return domain.Secret{}, r, err
	}
	return secret, r, nil
}

func (c *call) revealToken() (reply, error) {
	account, id, err := c.target()
	if err != nil {
		return reply{}, err
	}
	if err := c.readInto(&wire.Reveal{}); err != nil {
		return reply{}, err
	}
	c.allowTime()
	secret, r, err := c.h.svc.Reveal(c.r.Context(), c.by, account, id)
	if err != nil {
		return reply{}, err
	}
	t := &r.State.Token
	return reply{
		body: wire.Revealed{
			Account: string(account), ID: string(id), Generation: t.Generation,
			Secret: secret.Reveal(), Revision: uint64(r.Revision),
		},
		revision: r.Revision, etag: t.Revision, wait: r.Wait,
	}, nil
}

func (h *handler) revealRoutes() []*route {
	return []*route{
		{method: http.MethodPost, path: tokenPath + "/reveal", id: "revealToken", tag: "tokens", summary: "Show a token's secret again",
			about: "Its newest one, if it was issued as revealable. Behind every answer with a secret stands a record that says who was shown it. Takes RevealToken on /token/{token}, and all that the token may do.",
			do:    (*call).revealToken, in: wire.Reveal{}, inAll: true, out: wire.Revealed{},
			codes: []string{"not_found", "account_closed", "revoked", "not_revealable", "key_missing", "internal"}},
	}
}
