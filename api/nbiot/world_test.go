package nbiot

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// world is one node over a log in memory: this door under /nbiot, the native
// one beside it, and a session in the account acme.
type world struct {
	t       testing.TB
	log     *eventstoretest.Faulty
	proj    *projections.Projection
	svc     *api.Service
	url     string
	logs    *safeBuffer
	root    string // the root token's secret
	session string // of acme
}

func newWorld(t testing.TB) *world { return newWorldWith(t, keyring(t)) }

func newWorldWith(t testing.TB, ring *api.Keyring) *world {
	t.Helper()
	w := newNode(t, "n1", eventstore.NewMemory(eventstore.MemoryConfig{}), ring)
	w.session = w.open("acme")
	return w
}

// newNode is a node over that log.
func newNode(t testing.TB, name domain.NodeName, log eventstore.Log, ring *api.Keyring) *world {
	t.Helper()
	w := &world{t: t, log: eventstoretest.NewFaulty(log), logs: &safeBuffer{}}
	logger := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.proj = projections.Open(w.log, projections.Config{
		Logger: logger, UsageEvery: 1000 * time.Hour, Node: projections.NodeConfig{Name: name},
	})
	t.Cleanup(w.proj.Close)
	w.svc = api.NewService(api.ServiceConfig{
		Log: w.log, Projection: w.proj, Logger: logger, Keyring: func() *api.Keyring { return ring },
	})
	out, err := api.Bootstrap(t.Context(), w.svc, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	w.root = out.Secret.Reveal()
	native, here := api.NewHandler(w.svc, api.HandlerConfig{}), http.StripPrefix("/nbiot", New(w.svc, Config{}))
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/nbiot") {
			here.ServeHTTP(rw, r)
			return
		}
		native.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

func keyring(t testing.TB) *api.Keyring {
	t.Helper()
	ring, err := (*api.Keyring)(nil).Add("a", time.Unix(1700000000, 0), [32]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// open opens an account and a session in it, and returns the session's secret.
func (w *world) open(account string) string {
	w.t.Helper()
	w.native(w.root, "POST", "/v1/accounts", `{"id":"`+account+`"}`)
	return w.native(w.root, "POST", "/v1/sessions", `{"account":"`+account+`"}`)["secret"].(string)
}

// native is a request at the native door that must be done.
func (w *world) native(bearer, method, path, body string) map[string]any {
	w.t.Helper()
	a := w.send(method, path, body, "Authorization", "Bearer "+bearer)
	if a.status/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	var v map[string]any
	_ = json.Unmarshal([]byte(a.body), &v)
	return v
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// as is a request at this door with a token.
func (w *world) as(token, method, path, body string) answer {
	w.t.Helper()
	return w.send(method, "/nbiot"+path, body, "X-API-Token", token)
}

// send makes a request with headers, of which none is sent empty. As curl does,
// it names the type of a form.
func (w *world) send(method, path, body string, header ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] != "" {
			r.Header.Add(header[i], header[i+1])
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

// is fails unless the answer has that status and, refusals apart, that body.
// A refusal must have exactly the two properties of one.
func (a answer) is(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d %s, want %d", a.status, a.body, status)
		return
	}
	if status < 400 {
		if a.body != body {
			t.Errorf("got %s, want %s", a.body, body)
		}
		return
	}
	var r struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}
	strict(t, a.body, &r)
	if r.Status != status || r.Message == "" || !strings.Contains(r.Message, body) {
		t.Errorf("got %s, want a message with %q", a.body, body)
	}
	if a.header.Get("Content-Type") != "application/json" {
		t.Errorf("a refusal of type %q", a.header.Get("Content-Type"))
	}
	if (status == 401) != (a.header.Get("WWW-Authenticate") != "") || (status == 503) != (a.header.Get("Retry-After") == "1") && status != 429 {
		t.Errorf("%d with the headers %v", status, a.header)
	}
}

// strict reads what a client reads that takes no property it does not know.
func strict(t testing.TB, body string, into any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
}

var isSecret = regexp.MustCompile(`^[0-9a-f]{64}$`)

// create makes a token and returns its secret.
func (w *world) create(session, body string) string {
	w.t.Helper()
	a := w.as(session, "POST", "/tokens", body)
	if a.status != 201 {
		w.t.Fatalf("%s: %d %s", body, a.status, a.body)
	}
	var made token
	strict(w.t, a.body, &made)
	if !isSecret.MatchString(made.Token) {
		w.t.Fatalf("the secret is not 64 lower-case hex digits: %d characters", len(made.Token))
	}
	return made.Token
}

// list returns the session's list.
func (w *world) list(session string) []token {
	w.t.Helper()
	a := w.as(session, "GET", "/tokens", "")
	if a.status != 200 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	var l tokenList
	strict(w.t, a.body, &l)
	return l.Tokens
}

// id returns the native id of the token with that secret.
func (w *world) id(secret string) string {
	w.t.Helper()
	at, ok := w.svc.Holder(secret)
	if !ok {
		w.t.Fatal("the secret opens nothing")
	}
	return string(at.Token)
}

// records returns subject, id and data of every record of the log, end to end.
func (w *world) records() string {
	w.t.Helper()
	r, err := w.log.Read(w.t.Context(), 1)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	var all strings.Builder
	buf := make([]eventstore.Record, 64)
	for seen := eventstore.Seq(0); seen < w.proj.Position.At(); {
		n, err := r.Next(w.t.Context(), buf)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, rec := range buf[:n] {
			seen = rec.Seq
			all.WriteString(string(rec.Subject))
			all.Write(rec.Data)
		}
	}
	return all.String()
}

// keeper is a RootKeeper in memory.
type keeper struct{ secret domain.Secret }

func (k *keeper) Load() (domain.Secret, error) { return k.secret, nil }
func (k *keeper) Save(s domain.Secret) error   { k.secret = s; return nil }
func (k *keeper) Remove() error                { k.secret = domain.Secret{}; return nil }

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
