package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hallpass/api/wire"
)

// IssueToken makes a token and returns it with its secret, which is shown only
// this once. An empty account is the bearer's own.
func (c *Client) IssueToken(ctx context.Context, account string, t wire.IssueToken) (wire.Token, Secret, error) {
	return c.secretive(ctx, account, nil, call{method: http.MethodPost, body: t, once: true})
}

// DeriveToken makes a token that may never do more than the parent, and returns
// it with its secret. What t leaves out of permissions and expiry is the parent's.
func (c *Client) DeriveToken(ctx context.Context, account, parent string, t wire.IssueToken) (wire.Token, Secret, error) {
	return c.secretive(ctx, account, []string{parent, "derive"}, call{method: http.MethodPost, body: t, once: true})
}

// RotateToken gives a token a new secret, shown only this once. The old one
// stays valid for the overlap, cut to the second.
func (c *Client) RotateToken(ctx context.Context, account, token string, overlap time.Duration) (wire.Token, Secret, error) {
	return c.Rotate(ctx, account, token, wire.Rotate{Overlap: int64(overlap / time.Second)})
}

// Rotate is RotateToken with all that a rotation can be told.
func (c *Client) Rotate(ctx context.Context, account, token string, how wire.Rotate) (wire.Token, Secret, error) {
	return c.secretive(ctx, account, []string{token, "rotate"}, call{method: http.MethodPost, body: how, once: true})
}

// Token returns a token.
func (c *Client) Token(ctx context.Context, account, token string) (wire.Token, error) {
	return c.token1(ctx, account, []string{token}, call{method: http.MethodGet})
}

// Patch is a JSON merge patch (RFC 7396) of a token's fields: what is absent
// stays, nil takes away, objects merge, lists are replaced.
type Patch map[string]any

// EditToken changes a token. A revision other than 0 must still be the token's
// own, else the answer is a Problem with code "precondition_failed".
func (c *Client) EditToken(ctx context.Context, account, token string, p Patch, revision uint64) (wire.Token, error) {
	return c.token1(ctx, account, []string{token}, call{
		method: http.MethodPatch, body: p, match: revision, mime: "application/merge-patch+json", force: true,
	})
}

// EnableToken makes a disabled token work again.
func (c *Client) EnableToken(ctx context.Context, account, token string) (wire.Token, error) {
	return c.token1(ctx, account, []string{token, "enable"}, call{method: http.MethodPost})
}

// DisableToken refuses a token until it is enabled.
func (c *Client) DisableToken(ctx context.Context, account, token string) (wire.Token, error) {
	return c.token1(ctx, account, []string{token, "disable"}, call{method: http.MethodPost, force: true})
}

// RevokeToken ends a token for good. Revoking it again is no error.
func (c *Client) RevokeToken(ctx context.Context, account, token string, why wire.Reason) (wire.Token, error) {
	return c.token1(ctx, account, []string{token}, call{method: http.MethodDelete, body: why, force: true})
}

// TokenFilter narrows a list. The zero filter gives every token but the
// revoked ones and sessions.
type TokenFilter struct {
	Name          string    // prefix
	Tag           string    // "key" or "key:value"
	State         string    // active, disabled or revoked
	Kind          string    // api, session or all; default api
	Parent        string    // derived from that token itself
	Origin        string    // made through that door
	Enabled       *bool     //
	ExpiresBefore time.Time //
	UnusedSince   time.Time // not used at that time or later
	PageSize      int       // tokens a request, at most 1000; default the server's
}

// Tokens lists an account's tokens in order of creation, asking for one page
// after another. An error ends the list.
func (c *Client) Tokens(ctx context.Context, account string, f TokenFilter) iter.Seq2[wire.Token, error] {
	q := url.Values{}
	setIf(q, "name", f.Name)
	setIf(q, "tag", f.Tag)
	setIf(q, "state", f.State)
	setIf(q, "kind", f.Kind)
	setIf(q, "parent", f.Parent)
	setIf(q, "origin", f.Origin)
	if f.Enabled != nil {
		q.Set("enabled", strconv.FormatBool(*f.Enabled))
	}
	if !f.ExpiresBefore.IsZero() {
		q.Set("expires_before", f.ExpiresBefore.UTC().Format(time.RFC3339Nano))
	}
	if !f.UnusedSince.IsZero() {
		q.Set("unused_since", f.UnusedSince.UTC().Format(time.RFC3339Nano))
	}
	if f.PageSize > 0 {
		q.Set("limit", strconv.Itoa(f.PageSize))
	}
	return inAccount[wire.Token](ctx, c, account, q, "tokens")
}

// TokenEvents lists the records of a token, oldest first, those of revoked
// generations too.
func (c *Client) TokenEvents(ctx context.Context, account, token string) iter.Seq2[wire.Event, error] {
	return inAccount[wire.Event](ctx, c, account, url.Values{}, "tokens", token, "events")
}

// secretive is for the two answers that show a secret.
func (c *Client) secretive(ctx context.Context, account string, tail []string, k call) (wire.Token, Secret, error) {
	t, err := c.token1(ctx, account, tail, k)
	s := Secret(t.Secret)
	t.Secret = ""
	return t, s, err
}

// token1 makes a request under …/tokens that answers one token.
func (c *Client) token1(ctx context.Context, account string, tail []string, k call) (wire.Token, error) {
	account, err := c.account(ctx, account)
	if err != nil {
		return wire.Token{}, err
	}
	var t wire.Token
	k.path = append([]string{"v1", "accounts", account, "tokens"}, tail...)
	k.into, k.change = &t, k.method != http.MethodGet
	err = c.do(ctx, k)
	return t, err
}

func setIf(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}
