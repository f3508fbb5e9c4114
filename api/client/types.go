package client

import (
	"context"
	"net/http"

	"hallpass/api/wire"
)

// DefineType adds a resource type, or replaces it. It takes a token of the root
// account.
func (c *Client) DefineType(ctx context.Context, name string, t wire.DefineType) (wire.Type, error) {
	return c.type1(ctx, name, call{method: http.MethodPut, body: t})
}

// RemoveType removes a resource type that no token uses, and returns it as it
// was. It takes a token of the root account.
func (c *Client) RemoveType(ctx context.Context, name string) (wire.Type, error) {
	return c.type1(ctx, name, call{method: http.MethodDelete})
}

func (c *Client) type1(ctx context.Context, name string, k call) (wire.Type, error) {
	var out wire.Type
	k.path, k.into, k.change = []string{"v1", "catalog", "types", name}, &out, true
	err := c.do(ctx, k)
	return out, err
}

// MaxLeaks is how many secrets one report holds at most.
const MaxLeaks = 1000

// ReportLeaks reports secrets that were found where they should not be, at most
// MaxLeaks, and returns once none of them works anywhere. It takes no credential.
func (c *Client) ReportLeaks(ctx context.Context, secrets []Secret) (wire.LeakAnswer, error) {
	in := wire.LeakReport{Secrets: make([]string, len(secrets))}
	for i, s := range secrets {
		in.Secrets[i] = s.Reveal()
	}
	var out wire.LeakAnswer
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "leaks"}, body: in, into: &out})
	return out, err
}
