package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hallpass/api/wire"
)

// linesType is the media type of an answer in lines.
const linesType = "application/x-ndjson"

// RevokeTokens revokes the tokens that fit all that b says, or, with DryRun,
// says which they are. progress, if not nil, is told now and then how many are
// revoked. It may take as long as that goes on: the client's timeout is for
// the time in which nothing is heard. A refusal is a *Problem; with the code
// "incomplete" part of the tokens are revoked, and the same again does the rest.
func (c *Client) RevokeTokens(ctx context.Context, account string, b wire.RevokeTokens, progress func(wire.Progress)) (wire.RevokedTokens, error) {
	account, err := c.account(ctx, account)
	if err != nil {
		return wire.RevokedTokens{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(c.timeout, func() {
		cancel(fmt.Errorf("nothing was heard for %v: %w", c.timeout, context.DeadlineExceeded))
	})
	defer silent.Stop()
	resp, err := c.send(ctx, call{
		method: http.MethodPost, path: []string{"v1", "accounts", account, "tokens", "revoke"}, body: b, change: true,
	}, http.Header{"Accept": {linesType + ", application/json"}})
	if err != nil {
		return wire.RevokedTokens{}, causeOf(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK {
		return wire.RevokedTokens{}, problemOf(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		silent.Reset(c.timeout)
		var line struct {
			Of     *int   `json:"of"`
			Code   string `json:"code"`
			Status int    `json:"status"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return wire.RevokedTokens{}, c.unlike(err)
		}
		switch {
		case line.Of != nil:
			var p wire.Progress
			if err := json.Unmarshal(lines.Bytes(), &p); err == nil && progress != nil {
				progress(p)
			}
		case line.Code != "":
			return wire.RevokedTokens{}, problemIn(line.Status, lines.Bytes())
		default:
			var done wire.RevokedTokens
			if err := json.Unmarshal(lines.Bytes(), &done); err != nil {
				return done, c.unlike(err)
			}
			return done, nil
		}
	}
	err = lines.Err()
	if err == nil {
		err = errors.New("the answer broke off")
	}
	return wire.RevokedTokens{}, fmt.Errorf("%w: run the same again to revoke what may be left", causeOf(ctx, err))
}

// causeOf is err, or why ctx ended, if that is what it comes from.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (c *Client) unlike(err error) error {
	return fmt.Errorf("the answer of %s is not what hallpass would say: %w", c.Server(), err)
}
