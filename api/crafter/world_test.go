package crafter

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// world is one node over a log in memory: this door under /crafter-profile, the
// native one beside it, and a master.
type world struct {
	t      testing.TB
	memory *eventstore.Memory
	log    *eventstoretest.Faulty // the node's way to it
	proj   *projections.Projection
	svc    *api.Service
	url    string
	logs   *safeBuffer
	later  atomic.Int64 // ms that the clock is ahead
	root   string       // the root token's secret
	master string
}

type setup struct {
	ring *api.Keyring
	weak bool
}

func newWorld(t testing.TB) *world {
	w := newWorldWith(t, setup{ring: keyring(t)})
	w.master = w.create(w.root, `{"application":"adminconsole","master":true,"tenantPermissions":[],"expiresOn":null}`)
	return w
}

func newWorldWith(t testing.TB, s setup) *world {
	t.Helper()
	w := &world{t: t, memory: eventstore.NewMemory(eventstore.MemoryConfig{}), logs: &safeBuffer{}}
	w.log = eventstoretest.NewFaulty(w.memory)
	logger := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.proj = projections.Open(w.log, projections.Config{
		Logger: logger, UsageEvery: 1000 * time.Hour, Node: projections.NodeConfig{Name: "n1"},
		Now: func() domain.Instant { return domain.InstantOf(time.Now()) + domain.Instant(w.later.Load()) },
	})
	t.Cleanup(w.proj.Close)
	w.svc = api.NewService(api.ServiceConfig{
		Log: w.log, Projection: w.proj, Logger: logger, Keyring: func() *api.Keyring { return s.ring }, AllowWeakSecrets: s.weak,
	})
	out, err := api.Bootstrap(t.Context(), w.svc, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	w.root = out.Secret.Reveal()
	mux := http.NewServeMux()
	mux.Handle("/", api.NewHandler(w.svc, api.HandlerConfig{}))
	mux.Handle("/crafter-profile/", http.StripPrefix("/crafter-profile", New(w.svc, Config{})))
	srv := httptest.NewServer(mux)
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

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

const tokens = "/crafter-profile/api/1/access_token"

// as is a request about tokens with accessTokenId in the query.
func (w *world) as(id, method, path, body string) answer {
	w.t.Helper()
	return w.send(method, tokens+path+"?accessTokenId="+url.QueryEscape(id), body, "Content-Type", "application/json")
}

// form is a POST with the parameters in its body.
func (w *world) form(path string, params ...string) answer {
	w.t.Helper()
	return w.send("POST", path, pairs(params), "Content-Type", "application/x-www-form-urlencoded")
}

// filter asks whether the token may do that; more are other parameters.
func (w *world) filter(id, tenant, action string, more ...string) answer {
	w.t.Helper()
	params := append([]string{"accessTokenId", id, "tenant", tenant, "action", action}, more...)
	return w.send("GET", "/crafter-profile/api/1/filter?"+pairs(params), "")
}

func pairs(params []string) string {
	var all []string
	for i := 0; i < len(params); i += 2 {
		if params[i+1] != "" {
			all = append(all, params[i]+"="+url.QueryEscape(params[i+1]))
		}
	}
	return strings.Join(all, "&")
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
	res, err := http.DefaultClient.Do(r)
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

// advance moves the clock on by so many milliseconds, and waits until the node
// has proof again of being current.
func (w *world) advance(ms int64) {
	w.t.Helper()
	before := w.proj.Status().Lease
	w.later.Add(ms)
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if is := w.proj.Status().Lease; is.Left > 0 && is.Age < before.Length {
			return
		}
		if time.Since(began) > 30*time.Second {
			w.t.Fatalf("no proof of being current comes: %+v", w.proj.Status())
		}
	}
}

// quiet fails for each record that is written from here on.
func (w *world) quiet() {
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		w.t.Errorf("a record is written: %s", e.Type)
		return eventstoretest.None
	})
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

// create makes a token that must be made, and returns its id.
func (w *world) create(by, body string) string {
	w.t.Helper()
	return *w.created(w.as(by, "POST", "/create", body)).ID
}

func (w *world) created(a answer) Token {
	w.t.Helper()
	if a.status != 200 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	return readToken(w.t, a.body)
}

func readToken(t testing.TB, body string) Token {
	t.Helper()
	var made Token
	strict(t, body, &made)
	if want, _ := json.Marshal(made); plain(string(want)) != plain(body) {
		t.Errorf("got %s, want the properties as in %s", body, want)
	}
	if made.ID == nil || *made.ID == "" {
		t.Fatalf("there is no id in %s", body)
	}
	return made
}

// plain undoes what encoding/json does for HTML.
func plain(text string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
}

func (w *world) list(by string) []Token {
	w.t.Helper()
	a := w.as(by, "GET", "/all", "")
	if a.status != 200 {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	var l []Token
	strict(w.t, a.body, &l)
	return l
}

// native id of the token with that id here.
func (w *world) nativeID(id string) string {
	w.t.Helper()
	at, ok := w.svc.Holder(id)
	if !ok || at.Account != DefaultAccount {
		w.t.Fatal("the id opens nothing")
	}
	return string(at.Token)
}

// codes are those that the platform's client knows.
var codes = strings.Fields(`ACCESS_TOKEN_EXISTS NO_SUCH_ACCESS_TOKEN_ID ACCESS_DENIED ACTION_DENIED NO_SUCH_TENANT BAD_CREDENTIALS DISABLED_PROFILE
	NO_SUCH_PROFILE NO_SUCH_TICKET NO_SUCH_PERSISTENT_LOGIN NO_SUCH_VERIFICATION_TOKEN INVALID_EMAIL_ADDRESS PERMISSION_ERROR ATTRIBUTE_ALREADY_DEFINED
	ATTRIBUTE_NOT_DEFINED PARAM_DESERIALIZATION_ERROR TENANT_EXISTS PROFILE_EXISTS INVALID_QUERY OTHER`)

// is fails unless the answer has that status and that body.
func (a answer) is(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, body)
	}
}

// refuses fails unless the answer is that refusal, as a strict client reads it.
func (a answer) refuses(t testing.TB, status int, code, message string) {
	t.Helper()
	if got := a.read(t, status, code); got != message {
		t.Errorf("the message is %q, want %q", got, message)
	}
}

// says is refuses for a message that holds all of parts.
func (a answer) says(t testing.TB, status int, code string, parts ...string) {
	t.Helper()
	got := a.read(t, status, code)
	for _, part := range parts {
		if !strings.Contains(got, part) || got == "" {
			t.Errorf("the message is %q, want %q in it", got, part)
		}
	}
}

func (a answer) read(t testing.TB, status int, code string) string {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d %s, want %d", a.status, a.body, status)
	}
	var r struct {
		Code    string `json:"errorCode"`
		Message string `json:"message"`
	}
	strict(t, a.body, &r)
	if r.Code != code || !slices.Contains(codes, r.Code) {
		t.Errorf("got %s, want the code %s", a.body, code)
	}
	if a.header.Get("Content-Type") != "application/json" || (status == 503) != (a.header.Get("Retry-After") == "1") || status == 401 {
		t.Errorf("%d with the headers %v", status, a.header)
	}
	return r.Message
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

// types returns the types of a token's records, oldest first.
func (w *world) types(id string) string {
	w.t.Helper()
	var types []string
	for _, e := range w.native(w.root, "GET", "/v1/accounts/crafter/tokens/"+w.nativeID(id)+"/events", "")["items"].([]any) {
		types = append(types, strings.TrimPrefix(e.(map[string]any)["type"].(string), "token."))
	}
	return strings.Join(types, " ")
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
