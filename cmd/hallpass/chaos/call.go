package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"hallpass/api/wire"
)

// Client makes requests to processes. It knows nothing that a gateway in
// another language couldn't know.
type Client struct {
	http *http.Client
	root string // the root secret
}

func newClient(root string) *Client {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	return &Client{http: &http.Client{Transport: t}, root: root}
}

// Answer is what came back.
type Answer struct {
	Status   int    // 0: nothing came in time
	Code     string // of a refusal
	Err      error  // why nothing came
	unsent   bool   // and nothing was sent
	Token    wire.Token
	Receipt  *Receipt // of a change that was waited for everywhere
	Decision wire.Decision
}

// Receipt is of a receipt what is judged here.
type Receipt struct {
	Revision uint64  `json:"revision"`
	TookMS   float64 `json:"took_ms"`
	Nodes    []struct {
		Name string `json:"name"`
		How  string `json:"how"`
	} `json:"nodes"`
}

// RanOut tells whether a lease had to be waited out.
func (r *Receipt) RanOut() bool {
	for _, n := range r.Nodes {
		if n.How == "ran_out" {
			return true
		}
	}
	return false
}

// Outcome says what the client knows of what it asked for.
func (a *Answer) Outcome() Outcome {
	switch {
	case a.Status/100 == 2:
		return Done
	case a.Status/100 == 4, a.unsent:
		return Refused
	case a.Code == "stale":
		return Refused // said before anything is written
	}
	return Unknown
}

func (a *Answer) String() string {
	if a.Err != nil {
		return a.Err.Error()
	}
	return fmt.Sprintf("%d %s", a.Status, a.Code)
}

// ask makes one request as the bearer.
func (c *Client) ask(ctx context.Context, bearer, method, url string, body, into any) Answer {
	var a Answer
	var data []byte
	if body != nil {
		if data, a.Err = json.Marshal(body); a.Err != nil {
			return a
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(data))
	if err != nil {
		a.Err = err
		return a
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		if method == http.MethodPatch {
			req.Header.Set("Content-Type", "application/merge-patch+json")
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		a.Err, a.unsent = plain(err), errors.As(err, &op) && op.Op == "dial"
		return a
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	data, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		a.Err = err
		return a
	}
	a.Status = resp.StatusCode
	if a.Status/100 != 2 {
		var p wire.Problem
		_ = json.Unmarshal(data, &p) // not hallpass's own answer has no code
		a.Code = p.Code
		return a
	}
	if err := json.Unmarshal(data, into); err != nil {
		return Answer{Err: fmt.Errorf("an answer that can't be read: %w", err)}
	}
	return a
}

// plain is an error of the HTTP client without the address, which says nothing
// after the run.
func plain(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// account holds all tokens of a run.
const account = "root"

func tokenURL(p *Process, token, tail string) string {
	return p.URL + "/v1/accounts/" + account + "/tokens/" + token + tail
}

// changed is an answer that is a token, and a receipt.
type changed struct {
	wire.Token
	Receipt *Receipt `json:"receipt"`
}

// change gives a command about a token. All says to wait until no node can be
// without it.
func (c *Client) change(ctx context.Context, bearer, method, url string, body any, all bool) Answer {
	wait := "?wait=commit"
	if all {
		wait = "?wait=all"
	}
	var got changed
	a := c.ask(ctx, bearer, method, url+wait, body, &got)
	a.Token, a.Receipt = got.Token, got.Receipt
	if all && a.Status/100 == 2 && a.Receipt == nil {
		a.Err = errors.New("wait=all was answered without a receipt")
	}
	return a
}

// invalidToken is the code of a bearer whose token doesn't work.
const invalidToken = "invalid_token"

// check asks whether a secret is good for a part of the device named like the
// token: as the bearer of it, or as a gateway that was shown it.
func (c *Client) check(ctx context.Context, p *Process, secret, token, part string, shown bool) Answer {
	var d wire.Decision
	q := wire.Check{Action: "AccessDeviceResources", Resource: resource(token, part)}
	bearer := secret
	if shown {
		q.Secret, bearer = secret, c.root
	}
	a := c.ask(ctx, bearer, http.MethodPost, p.URL+"/v1/check", q, &d)
	a.Decision = d
	if !shown && a.Status == http.StatusUnauthorized && a.Code == invalidToken {
		a.Status, a.Decision.Code = http.StatusOK, invalidToken
	}
	return a
}

// ready returns why the process doesn't answer checks; "" if it does.
func (c *Client) ready(ctx context.Context, p *Process) string {
	var r wire.Ready
	a := c.ask(ctx, c.root, http.MethodGet, p.URL+"/readyz", nil, &r)
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.Status == http.StatusOK && r.Ready:
		return ""
	case a.Status == http.StatusOK:
		return r.WaitingFor
	}
	return fmt.Sprint("status ", a.Status)
}

// token returns a token, if there is one.
func (c *Client) token(ctx context.Context, p *Process, id string) (t wire.Token, there bool, _ error) {
	a := c.ask(ctx, c.root, http.MethodGet, tokenURL(p, id, ""), nil, &t)
	switch {
	case a.Err != nil:
		return t, false, a.Err
	case a.Code == "not_found":
		return t, false, nil
	case a.Status/100 != 2:
		return t, false, fmt.Errorf("looking at token %s: %s", id, a.String())
	}
	return t, true, nil
}

func resource(token, part string) string { return "/device/" + token + "/" + part }

// permissions grant one part of the device, and what a manager needs.
func permissions(token, part string, manager bool) *wire.Permissions {
	p := &wire.Permissions{Allow: []wire.Grant{{Resource: resource(token, part), Actions: []string{"AccessDeviceResources"}}}}
	if manager {
		p.Allow = []wire.Grant{
			{Resource: "/device", Actions: []string{"AccessDeviceResources"}},
			{Resource: "/token", Actions: []string{"CreateToken"}},
		}
	}
	return p
}
