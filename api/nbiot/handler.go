package nbiot

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// origin is what tells the tokens made here.
const origin = "nbiot"

// Config is what the door needs beside the service.
type Config struct {
	TrustedProxies []netip.Prefix // as in api.HandlerConfig
	Logger         *slog.Logger   // default: the service's

	// Guarded is the account whose tokens the guard lets through; "": all, and
	// whoever asks has to compare the Hallpass-Account of the answer.
	Guarded domain.AccountID
}

// New returns the door, at the root of its paths.
func New(s *api.Service, cfg Config) http.Handler {
	return api.NewDialect(s, api.DialectConfig{Name: origin, TrustedProxies: cfg.TrustedProxies, Logger: cfg.Logger}, door{cfg.Guarded})
}

type door struct{ guarded domain.AccountID }

// reply is what a request is answered with if it is not refused.
type reply struct {
	status int
	body   any // nil: none
}

// Serve implements api.Dialect. No encoded slash comes here: the segments of
// the decoded path are those that were sent.
func (d door) Serve(v *api.Visit) {
	var r reply
	var err error
	path := strings.TrimPrefix(v.Request.URL.Path, "/")
	switch first, rest, _ := strings.Cut(path, "/"); {
	case path == "":
		r, err = ping(v)
	case first == "guard":
		r, err = d.guard(v, "/"+rest)
	case first == "tokens":
		r, err = manage(v, strings.Split(path, "/"))
	default:
		err = errNoPath
	}
	if err != nil {
		refuse(v, refusalOf(v, err))
		return
	}
	respond(v, r)
}

// Fail implements api.Dialect.
func (d door) Fail(v *api.Visit, err *domain.Error) {
	r := refusalOf(v, err)
	if err.Code == codeBadPath && strings.HasPrefix(v.Request.URL.Path, "/guard/") {
		r.Status = http.StatusForbidden
	}
	refuse(v, r)
}

// call is one request about tokens.
type call struct {
	*api.Visit
	credential string // as it was presented
	by         api.Caller
	account    domain.AccountID // the session's
	secret     string           // in the path; "": none
	tag        string           // in the path, folded
}

type operation func(*call) (reply, error)

// operationsAt returns what is done at a path of that many segments, by
// method; nil if nothing is served there.
func operationsAt(path []string) map[string]operation {
	switch {
	case len(path) == 1:
		return map[string]operation{http.MethodGet: (*call).list, http.MethodPost: (*call).create}
	case len(path) == 2:
		return map[string]operation{http.MethodGet: (*call).get, http.MethodPatch: (*call).update, http.MethodDelete: (*call).remove}
	case len(path) == 3 && path[2] == "tags":
		return map[string]operation{http.MethodGet: (*call).getTags, http.MethodPatch: (*call).setTags}
	case len(path) == 4 && path[2] == "tags":
		return map[string]operation{http.MethodGet: (*call).getTag, http.MethodDelete: (*call).removeTag}
	}
	return nil
}

// manage does what a session asks for. Who is none gets no body read.
func manage(v *api.Visit, path []string) (reply, error) {
	operations := operationsAt(path)
	if operations == nil {
		return reply{}, errNoPath
	}
	method := v.Request.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	do, ok := operations[method]
	if !ok {
		return reply{}, errMethod
	}
	credential, err := credential(v.Request.Header)
	if err != nil {
		return reply{}, err
	}
	c := &call{Visit: v, credential: credential}
	if len(path) > 1 {
		c.secret = path[1]
	}
	if len(path) > 3 {
		c.tag = fold(path[3])
	}
	if err := c.judge(); err != nil {
		return reply{}, err
	}
	r, err := do(c)
	if err == nil && method == http.MethodGet {
		err = c.judge() // whether it may be answered is known only now
	}
	return r, err
}

// judge finds out which session asks, and gives it the time that it may take.
func (c *call) judge() (err error) {
	if c.by, err = c.Caller(c.credential); err != nil {
		return err
	}
	if c.by.Token.Kind != domain.KindSession {
		return errNoSession
	}
	c.account = c.by.Token.Account
	c.AllowTime()
	return nil
}

// body reads the body. It may come slowly: the session is judged again after it.
func (c *call) body() ([]byte, error) {
	text, err := c.Body()
	if err != nil {
		return nil, err
	}
	return text, c.judge()
}

// credential returns what the request presents: the X-API-Token header, or a
// bearer. Two that differ are none.
func credential(h http.Header) (string, error) {
	given := slices.Clone(h["X-Api-Token"])
	for _, line := range h["Authorization"] {
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

func respond(v *api.Visit, r reply) {
	if r.body == nil {
		v.WriteHeader(r.status)
		return
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r.body) // strings, booleans and numbers: it can't fail
	body := bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	v.Header().Set("Content-Type", "application/json")
	v.Header().Set("Content-Length", strconv.Itoa(len(body)))
	v.WriteHeader(r.status)
	_, _ = v.Write(body) // who went away misses it
}
