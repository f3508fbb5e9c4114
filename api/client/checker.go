package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"hallpass/api/wire"
)

// Need is what a request to a service takes.
type Need struct {
	Action      string // the name of an action, or the bare level read or write
	Resource    string // one resource: an absolute path without *
	Unverified  bool   // the action need not be in the catalogue; it then counts as a write
	MinRevision uint64 // the answer is to be at least as new; 0: as new as it is

	// From is who uses the secret; zero: not known, which tokens with conditions
	// on addresses refuse. A Remote passes it on as X-Forwarded-For, which the
	// server heeds if this program's address is among its trusted proxies; else
	// it goes by this program's.
	From netip.Addr
}

// Decision is the answer to a check of a bearer's secret.
type Decision struct {
	Allowed  bool
	Works    bool          // the secret opens a token; if not, it isn't said why, and of what follows only Code
	Code     string        // granted, no_grant, denied; invalid_token: it doesn't work
	Account  string        //
	Token    string        // its id
	Revision uint64        // the answer is at least as new
	Stale    time.Duration // 0, or how old the proof of being current is that it rests on; see serve_stale

	// Ancestors are the ids of what the token was derived from, the parent
	// first: it ends with each of them.
	Ancestors []string
}

// CodeInvalidToken is the Code of a Decision about a secret that doesn't work.
const CodeInvalidToken = "invalid_token"

// Checker answers what the bearer of a secret may do: all that a gateway or a
// service needs of hallpass for requests that are soon over. Remote asks a
// server; package embedded answers in this process.
type Checker interface {
	// Check decides. A refusal is a Decision. An error means that nothing is
	// known, so that the request must be refused: the *Problem stale or
	// not_ready when the node can't vouch for being current, or not for
	// MinRevision; the *Problem invalid when the need can't be one; any other.
	// Nobody may keep an answer for a later request.
	Check(ctx context.Context, secret Secret, need Need) (Decision, error)
}

// RemoteConfig is how a Remote watches. The zero value is fine.
type RemoteConfig struct {
	Account string // watch this account alone; "": all that the client's token may read

	// Patience is after how long without a sign of life from the server a watch
	// says that it may be missing something; default 20 s. The server gives one
	// every 15 s.
	Patience time.Duration
}

const defaultPatience = 20 * time.Second

// Remote is a Checker and a Watcher over HTTP.
type Remote struct {
	c        *Client
	account  string
	patience time.Duration
}

// Remote returns the client as a Checker and a Watcher. Checks are made with
// the secret that is checked, so that the client's own token takes no right for
// them, and may be absent; a watch takes ReadEvents on /audit.
func (c *Client) Remote(cfg RemoteConfig) *Remote {
	r := &Remote{c: c, account: cfg.Account, patience: cfg.Patience}
	if r.patience <= 0 {
		r.patience = defaultPatience
	}
	return r
}

// Check implements Checker.
func (r *Remote) Check(ctx context.Context, secret Secret, need Need) (Decision, error) {
	if !secret.wellFormed() { // it can't stand in a header, and opens nothing
		return Decision{Code: CodeInvalidToken}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.c.timeout)
	defer cancel()
	header := http.Header{"Authorization": {"Bearer " + secret.Reveal()}}
	if need.MinRevision > 0 {
		header.Set("Hallpass-Min-Revision", strconv.FormatUint(need.MinRevision, 10))
	}
	if need.From.IsValid() {
		header.Set("X-Forwarded-For", need.From.String())
	}
	resp, err := r.c.send(ctx, call{
		method: http.MethodPost, path: []string{"v1", "check"},
		body: wire.Check{Action: need.Action, Resource: need.Resource, Unverified: need.Unverified},
	}, header)
	if err != nil {
		return Decision{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK {
		p := problemOf(resp)
		if p.Status == http.StatusUnauthorized && p.Code == CodeInvalidToken {
			return Decision{Code: CodeInvalidToken}, nil
		}
		return Decision{}, p
	}
	var d wire.Decision
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProblem)).Decode(&d); err != nil {
		return Decision{}, fmt.Errorf("the answer of %s is not what hallpass would say: %w", r.c.Server(), err)
	}
	return decisionOf(d, need)
}

// decisionOf takes an answer, unless it can't be one, or is older than asked for.
func decisionOf(d wire.Decision, need Need) (Decision, error) {
	switch {
	case d.Account == "" || d.Token == "" || d.Allowed != (d.Code == "granted"):
		return Decision{}, fmt.Errorf("the server answered a check with a decision that makes no sense")
	case d.Revision < need.MinRevision:
		return Decision{}, Unvouched("stale", "the server answered from before the revision that was asked for")
	}
	return Decision{
		Allowed: d.Allowed, Works: true, Code: d.Code, Account: d.Account, Token: d.Token, Revision: d.Revision,
		Stale: staleness(d), Ancestors: d.Ancestors,
	}, nil
}

// staleness is above 0 for every answer that says it is stale.
func staleness(d wire.Decision) time.Duration {
	if !d.Stale {
		return 0
	}
	return max(time.Duration(d.AgeMS)*time.Millisecond, 1)
}

// Unvouched is the refusal of a node that can't vouch for an answer: code is
// stale or not_ready.
func Unvouched(code, detail string) *Problem {
	const status = http.StatusServiceUnavailable
	return &Problem{Status: status, Code: code, Title: http.StatusText(status), Detail: detail}
}

// decisionKey is of the context's value, a Decision.
type decisionKey struct{}

// WithDecision returns a context that holds the decision on which a request
// goes on.
func WithDecision(ctx context.Context, d Decision) context.Context {
	return context.WithValue(ctx, decisionKey{}, d)
}

// DecisionFrom returns the decision on which a request goes on, where a
// middleware or an interceptor has put it; false where there is none.
func DecisionFrom(ctx context.Context) (Decision, bool) {
	d, ok := ctx.Value(decisionKey{}).(Decision)
	return d, ok
}
