package api

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"hallpass/domain"
)

// HandlerConfig is what the HTTP door needs beside the service.
type HandlerConfig struct {
	Version  string          // of this build, for /openapi.json and metrics; default "dev"
	Stopping <-chan struct{} // closed when the server shuts down: event streams end at once, /readyz says so; may be nil
	Logger   *slog.Logger    // default: the service's

	// TrustedProxies are believed when they say, in X-Forwarded-For, where a
	// request comes from. None: it comes from where the connection does.
	TrustedProxies []netip.Prefix

	// LeaksPerMinute is how many reports of leaked secrets are taken in a
	// minute, a tenth of them from one network; default 60. Below 0 there is no
	// such route.
	LeaksPerMinute int
}

// handler is the whole door.
type handler struct {
	svc     *Service
	mux     *http.ServeMux
	routes  []*route
	cfg     HandlerConfig
	ids     requestIDs
	openapi []byte
	docs    []byte
	check   *route    // POST /v1/check
	leaks   *leakGate // nil: none are taken
	none    *route    // stands for requests that reach no route, in metrics

	revisions   revisions
	metricsPage http.Handler

	// Of event streams.
	streams   streams
	heartbeat time.Duration
	stall     time.Duration
	recheck   time.Duration
}

// NewHandler returns everything that hallpass serves over HTTP: the native API
// under /v1, /healthz, /readyz, /metrics, /openapi.json and /docs. The server
// around it sets the limits on header size and time; event streams have a time
// limit of their own on each write, and none on their length. Under HTTP/2 the
// limit reaches a connection that takes nothing at all only with the server's
// HTTP2.WriteByteTimeout.
func NewHandler(s *Service, cfg HandlerConfig) http.Handler {
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Logger == nil {
		cfg.Logger = s.logger
	}
	h := &handler{svc: s, mux: http.NewServeMux(), cfg: cfg, ids: newRequestIDs(), none: &route{path: "none"}}
	h.streams = streams{most: maxStreams, each: maxTokenStreams, by: map[domain.Actor]int{}}
	h.heartbeat, h.stall, h.recheck = heartbeat, stall, recheck
	h.metricsPage = s.metrics.handler()
	h.none.count = s.metrics.routeCounter(h.none.path, "")
	if n := cmp.Or(cfg.LeaksPerMinute, leaksPerMinute); n > 0 {
		h.leaks = newLeakGate(n)
	}
	h.routes = h.table()
	h.register()
	h.describe()
	s.metrics.setBuild(cfg.Version)
	return h
}

// register puts the routes into the mux, and beside each path the answer to
// methods that it does not take.
func (h *handler) register() {
	methods := map[string][]string{}
	for _, rt := range h.routes {
		rt.count = h.svc.metrics.routeCounter(rt.path, rt.method)
		if rt.path == checkPath {
			h.check = rt
		}
		h.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, _ *http.Request) {
			c := w.(*call)
			c.route = rt
			c.serve()
		})
		methods[rt.path] = append(methods[rt.path], rt.method)
		if rt.method == http.MethodGet {
			methods[rt.path] = append(methods[rt.path], http.MethodHead)
		}
	}
	for path, takes := range methods {
		if wider := covering(methods, path); wider != "" {
			h.registerBeside(path, slices.Concat(takes, methods[wider]))
			continue
		}
		allow := strings.Join(append(takes, http.MethodOptions), ", ")
		h.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.(*call).otherMethod(allow) })
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.(*call).problem(errNoRoute)
	})
}

// covering returns the path that takes path too, by a wildcard at its end; "":
// none does.
func covering(paths map[string][]string, path string) string {
	at := strings.LastIndexByte(path, '/') + 1
	for other := range paths {
		if strings.LastIndexByte(other, '/')+1 == at && other[:at] == path[:at] && strings.HasPrefix(other[at:], "{") && path[at] != '{' {
			return other
		}
	}
	return ""
}

// registerBeside answers the methods that a path doesn't take, one by one: for
// all at once, the mux could not tell the path from the wider one.
func (h *handler) registerBeside(path string, takes []string) {
	allow := strings.Join(append(takes, http.MethodOptions), ", ")
	for _, m := range []string{http.MethodOptions, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodTrace} {
		if !slices.Contains(takes, m) {
			h.mux.HandleFunc(m+" "+path, func(w http.ResponseWriter, _ *http.Request) { w.(*call).otherMethod(allow) })
		}
	}
}

// ServeHTTP refuses paths that could be read in two ways before anything
// routes on them, names the request, and answers a panic once.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{ResponseWriter: w, r: r, h: h, route: h.none}
	c.ids[0] = h.ids.of(r)
	c.id = c.ids[0]
	w.Header()["X-Request-Id"] = c.ids[:]
	defer c.finish()
	if r.RequestURI == checkPath && r.Method == http.MethodPost { // where the mux would take it, too
		c.route = h.check
		c.check()
		return
	}
	if why := badPath(r); why != "" {
		c.problem(errBadPath(why))
		return
	}
	h.mux.ServeHTTP(c, r)
}

// finish counts the request, and turns a panic into a 500 if nothing was
// answered yet, else into an aborted connection.
func (c *call) finish() {
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		c.h.cfg.Logger.Error("a handler panicked", "request_id", c.id, "route", c.route.path, "panic", p, "stack", string(debug.Stack()))
		if c.status != 0 {
			panic(http.ErrAbortHandler)
		}
		c.problem(errInternal)
	}
	c.route.count.inc(c.status)
}

// otherMethod answers OPTIONS, and every method that the path does not take.
func (c *call) otherMethod(allow string) {
	c.Header().Set("Allow", allow)
	if c.r.Method == http.MethodOptions {
		c.WriteHeader(http.StatusNoContent)
		return
	}
	c.problem(errMethod)
}
