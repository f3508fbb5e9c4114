package client

import (
	"context"
	"net/http"

	"hallpass/api/wire"
)

// RevealToken returns the newest secret of a token that was issued as
// revealable. That it was shown stands in the stream, with who asked.
func (c *Client) RevealToken(ctx context.Context, account, token string) (wire.Revealed, Secret, error) {
	account, err := c.account(ctx, account)
	if err != nil {
		return wire.Revealed{}, "", err
	}
	var r wire.Revealed
	err = c.do(ctx, call{
		method: http.MethodPost, path: []string{"v1", "accounts", account, "tokens", token, "reveal"},
		body: wire.Reveal{}, into: &r,
	})
	s := Secret(r.Secret)
	r.Secret = ""
	return r, s, err
}

// Keyring returns the keys that secrets are sealed with, as the server sees
// them, without the keys. It takes ReadAudit on /audit of the account root.
func (c *Client) Keyring(ctx context.Context) (wire.Keyring, error) {
	var k wire.Keyring
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "keyring"}, into: &k})
	return k, err
}
