package client

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"

	"hallpass/api/wire"
)

// OpenAccount makes an account. It takes a token of the root account.
func (c *Client) OpenAccount(ctx context.Context, a wire.OpenAccount) (wire.Account, error) {
	return c.account1(ctx, call{method: http.MethodPost, body: a})
}

// EditAccount changes an account. It takes a token of the root account.
func (c *Client) EditAccount(ctx context.Context, id string, p Patch) (wire.Account, error) {
	return c.account1(ctx, call{method: http.MethodPatch, body: p, mime: "application/merge-patch+json"}, id)
}

// Account returns an account; for "" the bearer's own.
func (c *Client) Account(ctx context.Context, id string) (wire.Account, error) {
	id, err := c.account(ctx, id)
	if err != nil {
		return wire.Account{}, err
	}
	return c.account1(ctx, call{method: http.MethodGet}, id)
}

// SuspendAccount refuses every token of the account until it is resumed.
func (c *Client) SuspendAccount(ctx context.Context, id string, why wire.Reason) (wire.Account, error) {
	return c.account1(ctx, call{method: http.MethodPost, body: why}, id, "suspend")
}

// ResumeAccount ends a suspension.
func (c *Client) ResumeAccount(ctx context.Context, id string) (wire.Account, error) {
	return c.account1(ctx, call{method: http.MethodPost}, id, "resume")
}

// CloseAccount ends an account and all its tokens for good.
func (c *Client) CloseAccount(ctx context.Context, id string, why wire.Reason) (wire.Account, error) {
	return c.account1(ctx, call{method: http.MethodPost, body: why}, id, "close")
}

// Accounts lists the accounts that the bearer may see, in order of creation.
func (c *Client) Accounts(ctx context.Context) iter.Seq2[wire.Account, error] {
	return pages[wire.Account](ctx, c, []string{"v1", "accounts"}, url.Values{})
}

// account1 makes a request under /v1/accounts that answers one account.
func (c *Client) account1(ctx context.Context, k call, tail ...string) (wire.Account, error) {
	var a wire.Account
	k.path = append([]string{"v1", "accounts"}, tail...)
	k.into, k.change = &a, k.method != http.MethodGet
	err := c.do(ctx, k)
	return a, err
}

// inAccount is pages of a list that stands under an account.
func inAccount[T any](ctx context.Context, c *Client, account string, q url.Values, tail ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		account, err := c.account(ctx, account)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		pages[T](ctx, c, append([]string{"v1", "accounts", account}, tail...), q)(yield)
	}
}

// pages follows a list from cursor to cursor.
func pages[T any](ctx context.Context, c *Client, path []string, q url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := maps.Clone(q) // the sequence may be ranged over again
		for {
			var page wire.List[T]
			if err := c.do(ctx, call{method: http.MethodGet, path: path, query: q, into: &page}); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.NextCursor == nil || *page.NextCursor == "" {
				return
			}
			q.Set("cursor", *page.NextCursor)
		}
	}
}
