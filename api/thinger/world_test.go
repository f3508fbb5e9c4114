package thinger

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// world is one node over a log in memory, this door and the native one at the
// root of one server, and the account home with a token that may do everything.
type world struct {
	t    testing.TB
	log  *eventstoretest.Faulty
	proj *projections.Projection
	svc  *api.Service
	url  string
	logs *safeBuffer
	root string // the root token's secret
	home string // that of home's token "owner"
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := newNode(t, "n1", eventstore.NewMemory(eventstore.MemoryConfig{}))
	w.home = w.open("home")
	return w
}

// newNode is a node over that log.
func newNode(t testing.TB, name domain.NodeName, log eventstore.Log) *world {
	t.Helper()
	w := &world{t: t, log: eventstoretest.NewFaulty(log), logs: &safeBuffer{}}
	logger := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.proj = projections.Open(w.log, projections.Config{Logger: logger, UsageEvery: 1000 * time.Hour, Node: projections.NodeConfig{Name: name}})
	t.Cleanup(w.proj.Close)
	w.svc = api.NewService(api.ServiceConfig{Log: w.log, Projection: w.proj, Logger: logger})
	out, err := api.Bootstrap(t.Context(), w.svc, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	w.root = out.Secret.Reveal()
	native, here := api.NewHandler(w.svc, api.HandlerConfig{}), New(w.svc, Config{})
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/users/") || strings.HasPrefix(r.URL.Path, "/v1/server/") {
			here.ServeHTTP(rw, r)
			return
		}
		native.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// open opens an account, and returns the secret of a token that may do
// everything in it.
func (w *world) open(account string) string {
	w.t.Helper()
	w.native("POST", "/v1/accounts", `{"id":"`+account+`"}`)
	return w.issue(account, "owner", `{"allow":[{"resource":"/","actions":["*"]}]}`)
}

// issue makes a token natively, and returns its secret.
func (w *world) issue(account, id, permissions string) string {
	w.t.Helper()
	return w.native("POST", "/v1/accounts/"+account+"/tokens", `{"id":"`+id+`","permissions":`+permissions+`}`)["secret"].(string)
}

// native is a request of the root token at the native door that must be done.
func (w *world) native(method, path, body string) map[string]any {
	w.t.Helper()
	a := w.as(w.root, method, path, body)
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

// as is a request with a bearer; "": none.
func (w *world) as(bearer, method, path, body string) answer {
	w.t.Helper()
	if bearer == "" {
		return w.send(method, path, body)
	}
	return w.send(method, path, body, "Authorization", "Bearer "+bearer)
}

func (w *world) send(method, path, body string, header ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
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

// is fails unless the answer has that status and, refusals apart, that body. A
// refusal must be {"error":{"message":"…"}} and nothing else, and say so.
func (a answer) is(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d %s, want %d", a.status, a.body, status)
		return
	}
	if a.header.Get("Content-Type") != "application/json" {
		t.Errorf("an answer of type %q", a.header.Get("Content-Type"))
	}
	if status < 400 {
		if a.body != body {
			t.Errorf("got %s, want %s", a.body, body)
		}
		return
	}
	var r struct {
		Error *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	strict(t, a.body, &r)
	if r.Error == nil || r.Error.Message == "" || !strings.Contains(r.Error.Message, body) {
		t.Errorf("got %s, want a message with %q", a.body, body)
	}
	if (status == 401) != (a.header.Get("WWW-Authenticate") != "") || (status == 503) != (a.header.Get("Retry-After") == "1") {
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

// tokens is where home's are.
const tokens = "/v1/users/home/tokens"

// token is a configuration as a client reads it.
type token struct {
	AccessToken string                    `json:"access_token"`
	Allow       map[string]map[string]any `json:"allow"`
	Created     int64                     `json:"created"`
	Deny        map[string]map[string]any `json:"deny"`
	Description *string                   `json:"description"`
	Enabled     bool                      `json:"enabled"`
	Expire      *int64                    `json:"expire"`
	Modified    int64                     `json:"modified"`
	Name        string                    `json:"name"`
	Token       string                    `json:"token"`
}

// done is a request of home's owner that must be done, and its answer.
func (w *world) done(method, path, body string) token {
	w.t.Helper()
	a := w.as(w.home, method, path, body)
	if a.status != 200 {
		w.t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.body)
	}
	var made token
	strict(w.t, a.body, &made)
	return made
}

// create makes a token that is enabled, with more in its body, and returns its bearer.
func (w *world) create(id, more string) string {
	w.t.Helper()
	if more != "" {
		more = "," + more
	}
	made := w.done("POST", tokens, `{"token":"`+id+`","name":"Name of `+id+`","enabled":true`+more+`}`)
	if made.AccessToken == "" {
		w.t.Fatalf("%s has no bearer", id)
	}
	return made.AccessToken
}

// property returns the property of the raw answer of that name, as text.
func property(t testing.TB, body, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	strict(t, body, &all)
	return string(all[name])
}

// may asks the guard.
func (w *world) may(bearer, resource, action string) int {
	w.t.Helper()
	return w.as(bearer, "GET", "/v1/users/home/guard/"+resource+"?action="+url.QueryEscape(action), "").status
}

// records returns subject and data of every record of the log, end to end.
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
