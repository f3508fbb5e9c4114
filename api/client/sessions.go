package client

import (
	"context"
	"net/http"

	"hallpass/api/wire"
)

// OpenSession makes a session, a token for hours that may do everything in an
// account, and returns it with its secret.
func (c *Client) OpenSession(ctx context.Context, o wire.OpenSession) (wire.Token, Secret, error) {
	var t wire.Token
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "sessions"}, body: o, into: &t, change: true})
	s := Secret(t.Secret)
	t.Secret = ""
	return t, s, err
}

// RevokeSelf ends the bearer's own token for good. It takes no right.
func (c *Client) RevokeSelf(ctx context.Context, why wire.Reason) (wire.Token, error) {
	var t wire.Token
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "self", "revoke"}, body: why, into: &t, change: true, force: true})
	return t, err
}
