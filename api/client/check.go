package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"hallpass/api/wire"
)

// Check asks whether the bearer, or the holder of the secret in q, may do an
// action on a resource. A refusal is a Decision with Allowed false, no error.
func (c *Client) Check(ctx context.Context, q wire.Check) (wire.Decision, error) {
	var d wire.Decision
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "check"}, body: q, into: &d})
	return d, err
}

// Checks asks up to 1000 questions at once; the answers come in their order.
func (c *Client) Checks(ctx context.Context, qs []wire.Check) ([]wire.Decision, error) {
	var d wire.Decisions
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "checks"}, body: wire.Checks{Checks: qs}, into: &d})
	if err == nil && len(d.Results) != len(qs) {
		return nil, errors.New("the server answered another number of checks than was asked")
	}
	return d.Results, err
}

// Nodes returns the processes that take part in the stream, as the server sees
// them, with the keys that receipts are verified with. It takes ReadAudit on
// /audit of the account root.
func (c *Client) Nodes(ctx context.Context) ([]wire.Node, error) {
	var l wire.List[wire.Node]
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "nodes"}, into: &l})
	return l.Items, err
}

// Catalog returns the resource types and their actions.
func (c *Client) Catalog(ctx context.Context) (wire.Catalog, error) {
	var out wire.Catalog
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "catalog"}, into: &out})
	return out, err
}

// OpenAPI returns the server's description of its API, as JSON.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	return c.raw(ctx, "openapi.json")
}

// Metrics returns the server's figures in Prometheus's text form.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) { return c.raw(ctx, "metrics") }

// Health is nil when the process answers at all.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: []string{"healthz"}})
}

// Ready returns how far the server is. Its being not ready yet is no error.
func (c *Client) Ready(ctx context.Context) (wire.Ready, error) {
	var r wire.Ready
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.send(ctx, call{method: http.MethodGet, path: []string{"readyz"}}, nil)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return r, problemOf(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil || r.Phase == "" {
		return r, errors.New("the answer of " + c.Server() + " to /readyz is not what hallpass would say")
	}
	return r, nil
}

func (c *Client) raw(ctx context.Context, path ...string) ([]byte, error) {
	var data []byte
	err := c.do(ctx, call{method: http.MethodGet, path: path, into: &data})
	return data, err
}
