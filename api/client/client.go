package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"hallpass/api/wire"
)

// Config says where a client speaks to, and as whom.
type Config struct {
	Server    string            // http://HOST:PORT or https://HOST, with a path if a proxy adds one
	Token     Secret            // the bearer; may be empty where no credential is needed
	Timeout   time.Duration     // of one request and its answer; default 60 s, which leaves time for leases of 30 s to run out
	Transport http.RoundTripper // default: one of its own, like net/http's
	UserAgent string            // default "hallpass-client"
}

// Client is safe for concurrent use.
type Client struct {
	base    *url.URL
	token   Secret
	agent   string
	timeout time.Duration
	http    *http.Client
	options Options
	own     *own
}

// own is the bearer's account, once it was asked for.
type own struct {
	mu      sync.Mutex // guards account
	account string     // "": not yet
}

func (o *own) get() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.account
}

func (o *own) set(account string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.account = account
}

// Options are what requests ask for beside their own matter.
type Options struct {
	// MinRevision has checks and reads answered from this revision on or a newer
	// one: that of a write's answer, on another node. A node that doesn't get
	// it within 5 s answers a Problem with code "stale". 0: whatever the node has.
	MinRevision uint64

	// Wait is what changes wait for: "all" until no node can answer without the
	// change, with a receipt, or "commit" until it is committed. "": all for
	// revoke, suspend and close, else commit.
	Wait string

	// Force has a token edited, disabled or revoked though no other token of
	// its account could manage its tokens.
	Force bool

	// Once is an Idempotency-Key: to issue, derive or rotate again with the same
	// one within a day answers what was done, without the secret. "": none.
	Once string
}

// Options returns what With was given.
func (c *Client) Options() Options { return c.options }

// With returns a client like c, over the same connections, with these options.
func (c *Client) With(o Options) *Client {
	with := *c
	with.options = o
	return &with
}

// defaultTimeout is above what a change may take that waits for all nodes: 20 s
// to be written, and 1.1 times the longest lease and 5 s.
const defaultTimeout = 60 * time.Second

// New returns a client. Its error says what is wrong with Server; no request
// is made.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.Server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("a server is given as http://HOST:PORT or https://HOST:PORT")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("a server's address holds no user, query or fragment")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := cfg.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 64
		transport = t
	}
	return &Client{
		base:    base,
		token:   cfg.Token,
		agent:   cmp.Or(cfg.UserAgent, "hallpass-client"),
		timeout: cmp.Or(cfg.Timeout, defaultTimeout),
		own:     new(own),
		http: &http.Client{
			Transport: transport,
			// A redirect could carry the bearer elsewhere; hallpass sends none.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Server returns the address that the client speaks to.
func (c *Client) Server() string { return c.base.String() }

// String names the server, and nothing of the bearer.
func (c *Client) String() string { return "hallpass client of " + c.Server() }

// Format is String for every verb: the fields hold the bearer.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// call is one request: what goes in, and where the answer goes.
type call struct {
	method string
	path   []string // segments, not escaped
	query  url.Values
	body   any    // nil: none
	match  uint64 // If-Match, when not 0
	mime   string // of the body; default application/json
	change bool   // it may wait: see Options.Wait
	force  bool   // it may be forced: see Options.Force
	once   bool   // it takes Options.Once
	into   any    // the answer; nil: dropped
}

// maxAnswer bounds an answer, in bytes: the longest is a page of 1000 tokens.
const maxAnswer = 256 << 20

// do makes the request of k. A refusal is a *Problem.
func (c *Client) do(ctx context.Context, k call) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.send(ctx, k, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode/100 != 2 {
		return problemOf(resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.Server(), err)
	}
	switch into := k.into.(type) {
	case nil:
		return nil
	case *[]byte:
		*into = data
		return nil
	}
	if err := json.Unmarshal(data, k.into); err != nil {
		return fmt.Errorf("the answer of %s is not what hallpass would say: %w", c.Server(), err)
	}
	return nil
}

// send makes the request of k and returns whatever answer came.
func (c *Client) send(ctx context.Context, k call, header http.Header) (*http.Response, error) {
	var body io.Reader
	if k.body != nil {
		data, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	for _, seg := range k.path {
		if seg == "" || seg == "." || seg == ".." {
			return nil, errors.New("an id in the request is empty, or no id at all")
		}
	}
	to := c.base.JoinPath(escaped(k.path)...)
	query := k.query
	if k.change && c.options.Wait != "" {
		query = url.Values{"wait": {c.options.Wait}}
	}
	if k.force && c.options.Force {
		query = maps.Clone(query)
		if query == nil {
			query = url.Values{}
		}
		query.Set("force", "true")
	}
	to.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, k.method, to.String(), body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if k.body != nil {
		req.Header.Set("Content-Type", cmp.Or(k.mime, "application/json"))
	}
	if k.match != 0 {
		req.Header.Set("If-Match", strconv.Quote(strconv.FormatUint(k.match, 10)))
	}
	if k.once && c.options.Once != "" {
		req.Header.Set("Idempotency-Key", c.options.Once)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	if c.options.MinRevision != 0 && !k.change {
		req.Header.Set("Hallpass-Min-Revision", strconv.FormatUint(c.options.MinRevision, 10))
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error // its text repeats the method and the whole address
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("no answer from %s: %w", c.Server(), err)
	}
	return resp, nil
}

func escaped(segments []string) []string {
	out := make([]string, len(segments))
	for i, s := range segments {
		out[i] = url.PathEscape(s)
	}
	return out
}

// account returns a, or the bearer's own account for "".
func (c *Client) account(ctx context.Context, a string) (string, error) {
	if a != "" {
		return a, nil
	}
	if own := c.own.get(); own != "" {
		return own, nil
	}
	me, err := c.Whoami(ctx)
	if err != nil {
		return "", err
	}
	return me.Account, nil
}

// Whoami returns the bearer's own token and the state of its account.
func (c *Client) Whoami(ctx context.Context) (wire.Whoami, error) {
	var me wire.Whoami
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "whoami"}, into: &me})
	if err == nil {
		c.own.set(me.Account)
	}
	return me, err
}
