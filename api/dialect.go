package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"

	"hallpass/domain"
)

// Dialect is another way to speak to the same Service: paths, bodies, statuses
// and errors of its own, and no rule or state. What it is asked comes as a
// Visit; all it does goes through the Service that the Visit has.
type Dialect interface {
	// Serve answers the visit.
	Serve(v *Visit)

	// Fail answers a visit that could not be served, in the dialect's form.
	Fail(v *Visit, err *domain.Error)
}

// DialectConfig is what a dialect's door needs beside the service.
type DialectConfig struct {
	Name           string         // in metrics, and the origin of the tokens made there; an id
	TrustedProxies []netip.Prefix // as in HandlerConfig
	Logger         *slog.Logger   // default: the service's
}

// Visit is one request at a dialect's door.
type Visit struct {
	http.ResponseWriter
	Request *http.Request
	Service *Service
	Origin  string     // the dialect's name
	ID      string     // the request's, for records and logs
	From    netip.Addr // who asks; zero: not known

	status  int
	counted bool // as a use of the caller's token
}

// NewDialect returns the door of d: it names requests, refuses paths that could
// be read in two ways, bounds bodies, counts, and answers a panic once. As with
// NewHandler, the server around it sets the limits on header size and time.
func NewDialect(s *Service, cfg DialectConfig, d Dialect) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = s.logger
	}
	return &dialectDoor{svc: s, cfg: cfg, dialect: d, ids: newRequestIDs()}
}

type dialectDoor struct {
	svc     *Service
	cfg     DialectConfig
	dialect Dialect
	ids     requestIDs
}

func (h *dialectDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &Visit{
		ResponseWriter: w, Request: r, Service: h.svc, Origin: h.cfg.Name,
		ID: h.ids.of(r), From: clientAddress(r, h.cfg.TrustedProxies),
	}
	w.Header()["X-Request-Id"] = []string{v.ID}
	w.Header()["Cache-Control"] = noStore
	defer h.finish(v)
	if why := badPath(r); why != "" {
		h.dialect.Fail(v, v.AsError(errBadPath(why)))
		return
	}
	h.dialect.Serve(v)
}

func (h *dialectDoor) finish(v *Visit) {
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		h.cfg.Logger.Error("a handler panicked", "request_id", v.ID, "dialect", h.cfg.Name, "panic", p, "stack", string(debug.Stack()))
		if v.status != 0 {
			panic(http.ErrAbortHandler)
		}
		h.dialect.Fail(v, errInternal)
	}
	h.svc.metrics.routeCounter(h.cfg.Name, knownMethod(v.Request.Method)).inc(v.status)
}

// knownMethod keeps what clients make up out of metrics.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// WriteHeader implements http.ResponseWriter.
func (v *Visit) WriteHeader(status int) {
	if v.status == 0 {
		v.status = status
	}
	v.ResponseWriter.WriteHeader(status)
}

func (v *Visit) Write(b []byte) (int, error) {
	if v.status == 0 {
		v.status = http.StatusOK
	}
	return v.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (v *Visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

// Context is the request's.
func (v *Visit) Context() context.Context { return v.Request.Context() }

// Caller returns who presents that credential, as things stand now. However
// often that is asked, the visit is one use of it. Ask before the body is read,
// again when it is there, and where nothing was changed once more when the
// answer is made: a credential that ended meanwhile gets none. Errors are those
// of Service.Authenticate.
func (v *Visit) Caller(secret string) (Caller, error) {
	by, err := v.Service.Authenticate(secret, v.From)
	by.Request = v.ID
	if err == nil && !v.counted {
		v.counted = true
		v.Service.proj.Index.Used(&by.bearer, by.From)
	}
	return by, err
}

// Body returns the request's body, whatever its type. Errors: body_too_large,
// unsupported_encoding, request_timeout, and bad_json for one that was cut off.
// Call it for a known caller alone, as bodies may be large, and ask for him
// again after it: it may take as long as the server lets it.
func (v *Visit) Body() ([]byte, error) { return readBody(v.ResponseWriter, v.Request, maxBody) }

// Form is Body where the credential may be in it, so that nobody is known yet: it
// takes little.
func (v *Visit) Form() ([]byte, error) { return readBody(v.ResponseWriter, v.Request, maxForm) }

// AllowTime gives the answer the time that writing and a fence may take,
// whatever the server's own limit is. Call it once the caller is known, and
// again when the body was read.
func (v *Visit) AllowTime() { v.Service.allowTime(v.ResponseWriter) }

// Operator is the caller for what a dialect does in hallpass's own name, such
// as opening the account that its tokens live in.
func (v *Visit) Operator() Caller {
	by := v.Service.Operator()
	by.Request = v.ID
	return by
}

// AsError returns err as the refusal to answer with: what is none is logged in
// full, and answered as internal. Where err says when to try again, so does the
// answer's Retry-After from here on.
func (v *Visit) AsError(err error) *domain.Error {
	var soon *tooSoon
	if errors.As(err, &soon) {
		v.Header().Set("Retry-After", seconds(soon.wait))
	}
	return v.Service.asError(err, v.ID)
}
