package thinger

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// origin is what tells the tokens made here.
const origin = "thinger"

// Config is what the door needs beside the service.
type Config struct {
	TrustedProxies []netip.Prefix // as in api.HandlerConfig
	Logger         *slog.Logger   // default: the service's
}

// New returns the door, at the root of its paths.
func New(s *api.Service, cfg Config) http.Handler {
	return api.NewDialect(s, api.DialectConfig{Name: origin, TrustedProxies: cfg.TrustedProxies, Logger: cfg.Logger}, door{})
}

type door struct{}

// Serve implements api.Dialect. No encoded slash comes here: the segments of
// the decoded path are those that were sent.
func (d door) Serve(v *api.Visit) {
	body, err := d.serve(v, strings.Split(strings.TrimPrefix(v.Request.URL.Path, "/"), "/"))
	if err != nil {
		refuse(v, refusalOf(v, err))
		return
	}
	respond(v, http.StatusOK, body)
}

func (d door) serve(v *api.Visit, path []string) (any, error) {
	query, err := url.ParseQuery(v.Request.URL.RawQuery)
	if err != nil {
		return nil, errBadQuery
	}
	c := &call{Visit: v, query: query}
	switch {
	case len(path) == 3 && path[0] == "v1" && path[1] == "server" && path[2] == "assets" && c.method() == http.MethodGet:
		return assets, nil
	case len(path) < 4 || path[0] != "v1" || path[1] != "users":
		return nil, errNoPath
	}
	c.user = path[2]
	switch path[3] {
	case "tokens":
		return c.manage(path[4:])
	case "guard":
		return c.guard(path[4:])
	}
	return nil, errNoPath
}

// Fail implements api.Dialect.
func (d door) Fail(v *api.Visit, err *domain.Error) { refuse(v, refusalOf(v, err)) }

// call is one request of somebody.
type call struct {
	*api.Visit
	query   url.Values
	user    string // in the path
	secret  string // as it was presented
	by      api.Caller
	account domain.AccountID
	token   domain.TokenID // in the path; "": none
}

// method is the request's, HEAD being a GET whose body nobody sends.
func (c *call) method() string {
	if c.Request.Method == http.MethodHead {
		return http.MethodGet
	}
	return c.Request.Method
}

type operation func(*call) (any, error)

// operationsAt returns what is done under …/tokens, by method; nil if nothing
// is served there.
func operationsAt(path []string) map[string]operation {
	switch {
	case len(path) == 0:
		return map[string]operation{http.MethodGet: (*call).list, http.MethodPost: (*call).create, http.MethodDelete: (*call).removeMany}
	case len(path) == 1:
		return map[string]operation{http.MethodGet: (*call).read, http.MethodPut: (*call).update, http.MethodDelete: (*call).remove}
	case len(path) == 2 && path[1] == "clone":
		return map[string]operation{http.MethodPost: (*call).clone}
	}
	return nil
}

var userID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// manage does what a caller asks for about tokens. Who is not known gets no body
// read.
func (c *call) manage(path []string) (any, error) {
	do := operationsAt(path)[c.method()]
	if do == nil {
		return nil, errNoPath
	}
	var err error
	if c.secret, err = c.credential(); err != nil {
		return nil, err
	}
	if err := c.judge(); err != nil {
		return nil, err
	}
	if !userID.MatchString(c.user) {
		return nil, errNoToken
	}
	c.account = domain.AccountID(c.user)
	if len(path) > 0 {
		if c.token, err = domain.ParseTokenID(path[0]); err != nil {
			return nil, errNoToken
		}
	}
	out, err := do(c)
	if err == nil && c.method() == http.MethodGet {
		err = c.judge() // whether it may be answered is known only now
	}
	return out, err
}

// judge finds out who asks, and gives him the time that it may take.
func (c *call) judge() (err error) {
	if c.by, err = c.Caller(c.secret); err == nil {
		c.AllowTime()
	}
	return err
}

// body reads the body. It may come slowly: the caller is judged again after it.
func (c *call) body() ([]byte, error) {
	text, err := c.Body()
	if err != nil {
		return nil, err
	}
	return text, c.judge()
}

// credential returns what the request presents. Two that differ are none.
func (c *call) credential() (string, error) {
	given := slices.Clone(c.query["authorization"])
	for _, line := range c.Request.Header["Authorization"] {
		if scheme, secret, _ := strings.Cut(line, " "); strings.EqualFold(scheme, "Bearer") {
			given = append(given, strings.Trim(secret, " "))
		}
	}
	switch given = slices.Compact(given); {
	case len(given) > 1:
		return "", errManyCredentials
	case len(given) == 0 || given[0] == "":
		return "", errNoCredential
	}
	return given[0], nil
}

// number returns a number of the query.
func (c *call) number(name string, otherwise, least, most int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, domain.Invalid("/"+name, "%s is a number from %d to %d", name, least, most)
	}
	return n, nil
}

func respond(v *api.Visit, status int, body any) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // strings, booleans and numbers: it can't fail
	text := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	v.Header().Set("Content-Type", "application/json")
	v.Header().Set("Content-Length", strconv.Itoa(len(text)))
	v.WriteHeader(status)
	_, _ = v.Write(text) // who went away misses it
}

// asset is a kind of thing that clients can list.
type asset struct {
	Asset string     `json:"asset"`
	Role  string     `json:"role"`
	Paths assetPaths `json:"paths"`
}

type assetPaths struct {
	List string `json:"list"`
}

// assets is what clients ask for to learn where tokens are. They put the user
// in the place of the group of that name, up to its first ")".
var assets = []asset{{"token", "user", assetPaths{"v1/users/(?<user>[a-zA-Z0-9_-]{1,32})/tokens"}}}
