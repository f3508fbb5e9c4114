package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// world is one node over a log in memory, with its door on loopback.
type world struct {
	t    testing.TB
	log  *eventstoretest.Faulty
	proj *projections.Projection
	svc  *Service
	h    *handler
	url  string
	root string // the root token's secret
	logs *safeBuffer
	now  atomic.Int64
	doc  func() *huma.OpenAPI
	stop chan struct{}
}

// keeper is a RootKeeper in memory.
type keeper struct{ secret domain.Secret }

func (k *keeper) Load() (domain.Secret, error) { return k.secret, nil }
func (k *keeper) Save(s domain.Secret) error   { k.secret = s; return nil }
func (k *keeper) Remove() error                { k.secret = domain.Secret{}; return nil }

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
}

func newWorldOver(t testing.TB, log eventstore.Log, cfg ServiceConfig) *world {
	t.Helper()
	w := newQuietWorldOver(t, log, cfg)
	srv := httptest.NewServer(w.h)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// newQuietWorld is newWorld without the network, for fake time.
func newQuietWorld(t testing.TB) *world {
	t.Helper()
	return newQuietWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
}

func newQuietWorldOver(t testing.TB, log eventstore.Log, cfg ServiceConfig) *world {
	t.Helper()
	w := &world{t: t, log: eventstoretest.NewFaulty(log), logs: &safeBuffer{}, stop: make(chan struct{})}
	w.now.Store(time.Now().UnixMilli())
	logger := slog.New(slog.NewTextHandler(w.logs, nil))
	w.proj = projections.Open(w.log, projections.Config{Logger: logger, Now: func() domain.Instant { return domain.Instant(w.now.Load()) }})
	t.Cleanup(w.proj.Close)
	cfg.Log, cfg.Projection, cfg.Logger = w.log, w.proj, logger
	w.svc = NewService(cfg)
	out, err := Bootstrap(t.Context(), w.svc, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	w.root = out.Secret.Reveal()
	w.h = NewHandler(w.svc, HandlerConfig{Stopping: w.stop}).(*handler)
	w.doc = sync.OnceValue(w.h.document)
	return w
}

// advance moves the wall clock on by so many milliseconds, and waits until the
// node has proof again of being current: the old one may have been longer ago.
func (w *world) advance(ms int64) {
	w.t.Helper()
	before := w.proj.Status().Lease
	w.now.Add(ms)
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if is := w.proj.Status().Lease; is.Left > 0 && is.Age < before.Length {
			return
		}
		if time.Since(began) > 30*time.Second {
			w.t.Fatalf("no proof of being current comes: %+v", w.proj.Status())
		}
	}
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// req is a request; zero values are left out.
type req struct {
	method, path string
	bearer       string
	body         string
	header       map[string]string
}

func (w *world) send(r req) answer {
	w.t.Helper()
	hr, err := http.NewRequestWithContext(context.Background(), r.method, w.url+r.path, strings.NewReader(r.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if r.bearer != "" {
		hr.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	for k, v := range r.header {
		hr.Header.Set(k, v)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(hr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, string(body)}
	w.conforms(hr, a)
	return a
}

// conforms checks an answer against the OpenAPI document: the status is one
// that it names, and the body is what it says.
func (w *world) conforms(r *http.Request, a answer) {
	w.t.Helper()
	_, pattern := w.h.mux.Handler(r)
	i := slices.IndexFunc(w.h.routes, func(rt *route) bool { return rt.method+" "+rt.path == pattern })
	if i < 0 || badPath(r) != "" || w.h.routes[i].id == "" {
		return // it reached no route
	}
	rt, doc := w.h.routes[i], w.doc()
	item := doc.Paths[rt.path]
	op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete}[rt.method]
	is := op.Responses[strconv.Itoa(a.status)]
	typ, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if is == nil || is.Content[typ] == nil {
		w.t.Errorf("%s: a %d of type %s is not in the document", pattern, a.status, typ)
		return
	}
	if !strings.HasSuffix(typ, "json") || typ == linesType || a.body == "" || rt.id == "openapi" {
		return
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		w.t.Errorf("%s: %v", pattern, err)
	}
	var found huma.ValidateResult
	huma.Validate(doc.Components.Schemas, is.Content[typ].Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, &found)
	for _, err := range found.Errors {
		w.t.Errorf("%s: %d is not as described: %v", pattern, a.status, err)
	}
	if problem, ok := v.(map[string]any); ok && typ == "application/problem+json" && !strings.Contains(is.Description, fmt.Sprint(problem["code"])) {
		w.t.Errorf("%s: the code %v is not in the document", pattern, problem["code"])
	}
}

// as sends a request with a bearer and a body.
func (w *world) as(bearer, method, path, body string) answer {
	w.t.Helper()
	return w.send(req{method: method, path: path, bearer: bearer, body: body})
}

// must is as, and fails unless the status is 2xx.
func (w *world) must(bearer, method, path, body string) answer {
	w.t.Helper()
	a := w.as(bearer, method, path, body)
	if a.status/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// issue issues a token in the account and returns it.
func (w *world) issue(account, body string) wire.Token {
	w.t.Helper()
	return read[wire.Token](w.t, w.must(w.root, "POST", "/v1/accounts/"+account+"/tokens", body))
}

func (w *world) open(account string) {
	w.t.Helper()
	w.must(w.root, "POST", "/v1/accounts", `{"id":"`+account+`"}`)
}

func read[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return v
}

// problem reads a problem and checks what every one has.
func problem(t *testing.T, a answer) wire.Problem {
	t.Helper()
	p := read[wire.Problem](t, a)
	if p.Status != a.status || p.Code == "" || p.Title == "" || p.Type == "" || p.Detail == "" || p.RequestID == "" {
		t.Errorf("incomplete problem: %d %s", a.status, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a problem's Content-Type is %q", got)
	}
	return p
}

// refused checks the status and code of a refusal.
func refusedWith(t *testing.T, a answer, status int, code string) wire.Problem {
	t.Helper()
	p := problem(t, a)
	if p.Status != status || p.Code != code {
		t.Errorf("got %d %s (%s), want %d %s", p.Status, p.Code, p.Detail, status, code)
	}
	return p
}

// safeBuffer is a bytes.Buffer for many goroutines.
type safeBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newServer serves h with limits on the time of reading and writing.
func newServer(t *testing.T, h http.Handler, reading, writing time.Duration) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = reading, writing
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}
