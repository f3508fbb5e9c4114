package crafter

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// Origin is what tells the tokens made here.
const Origin = "crafter"

// DefaultAccount is where tokens live unless Config says otherwise.
const DefaultAccount domain.AccountID = "crafter"

// Config is what the door needs beside the service.
type Config struct {
	Account        domain.AccountID // default: DefaultAccount
	TrustedProxies []netip.Prefix   // as in api.HandlerConfig
	Logger         *slog.Logger     // default: the service's
}

// New returns the door, at the root of its paths.
func New(s *api.Service, cfg Config) http.Handler {
	d := door{account: cfg.Account}
	if d.account == "" {
		d.account = DefaultAccount
	}
	inner := api.NewDialect(s, api.DialectConfig{Name: Origin, TrustedProxies: cfg.TrustedProxies, Logger: cfg.Logger}, d)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-Id"); id != "" && (len(id) > 128 || strings.Contains(r.URL.RawQuery+r.URL.Path, id) || holdsSecret(s, d.account, id)) {
			r.Header.Del("X-Request-Id") // it would stand in records
		}
		inner.ServeHTTP(w, r)
	})
}

type door struct{ account domain.AccountID }

// Serve implements api.Dialect. No encoded slash comes here: the segments of
// the decoded path are those that were sent.
func (d door) Serve(v *api.Visit) {
	c := &call{Visit: v, account: d.account}
	body, err := c.serve()
	if err != nil {
		c.refuse(err)
		return
	}
	c.respond(http.StatusOK, body)
}

// Fail implements api.Dialect.
func (d door) Fail(v *api.Visit, err *domain.Error) {
	c := &call{Visit: v, account: d.account, filters: isFilter(v.Request.URL.Path)}
	c.refuse(err)
}

// call is one request.
type call struct {
	*api.Visit
	account    domain.AccountID
	filters    bool       // it is for the filter
	params     url.Values // of the query, and of an urlencoded body
	by         api.Caller
	credential string // accessTokenId, as it was sent
	id         string // in the path
	does       string // the action in refusals
}

// operation returns what 200 is answered with; nil: an empty body.
type operation struct {
	method string
	does   string // as the platform names it
	do     func(*call) (any, error)
}

const (
	base       = "/api/1/access_token/"
	filterPath = "/api/1/filter"
)

func isFilter(path string) bool { return strings.TrimSuffix(path, ".json") == filterPath }

// at returns what is done at a path, and the id in it.
func at(path string) (op operation, id string, ok bool) {
	path, ok = strings.CutPrefix(strings.TrimSuffix(path, ".json"), base)
	id, rest, under := strings.Cut(path, "/")
	switch {
	case !ok || id == "":
		return op, "", false
	case path == "create":
		return operation{http.MethodPost, "CREATE_TOKEN", (*call).create}, "", true
	case path == "all":
		return operation{http.MethodGet, "READ_TOKEN", (*call).list}, "", true
	case !under:
		return operation{http.MethodGet, "READ_TOKEN", (*call).get}, id, true
	case rest == "delete":
		return operation{http.MethodPost, "DELETE_TOKEN", (*call).remove}, id, true
	}
	return op, "", false
}

// serve finds out what is asked for and by whom. Who is not known gets no body
// read, but for one that may say who it is.
func (c *call) serve() (any, error) {
	if isFilter(c.Request.URL.Path) {
		c.filters = true
		return nil, c.filter()
	}
	op, id, ok := at(c.Request.URL.Path)
	if !ok {
		return nil, errNoPath
	}
	method := c.Request.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if method != op.method {
		c.Header().Set("Allow", op.method)
		return nil, errMethod
	}
	c.id, c.does = id, op.does
	if err := c.identify(op.does != "CREATE_TOKEN"); err != nil {
		return nil, err
	}
	out, err := op.do(c)
	if err == nil && op.method == http.MethodGet {
		err = c.authenticate() // whether it may be answered is known only now
	}
	return out, err
}

func (c *call) respond(status int, body any) {
	if body == nil {
		c.Header().Set("Content-Length", "0")
		c.WriteHeader(status)
		return
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // strings, booleans and numbers: it can't fail
	text := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	c.Header().Set("Content-Type", "application/json")
	c.Header().Set("Content-Length", strconv.Itoa(len(text)))
	c.WriteHeader(status)
	_, _ = c.Write(text) // who went away misses it
}
