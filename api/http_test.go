package api

import (
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// The committed document is what the code generates.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t)
	a := w.as("", "GET", "/openapi.json", "")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/vnd.oai.openapi+json") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	const file = "openapi.json"
	if *update {
		if err := os.WriteFile(file, []byte(a.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if a.body != string(want) {
		t.Error("openapi.json is not what the code generates: run go test ./api -run TestOpenAPI -update")
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string                     `json:"operationId"`
			Responses   map[string]json.RawMessage `json:"responses"`
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(want, &doc); err != nil {
		t.Fatal(err)
	}
	described := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			described++
			if op.OperationID == "" || len(op.Responses) == 0 {
				t.Errorf("%s %s is not described", method, path)
			}
		}
	}
	if described != len(w.h.routes) {
		t.Errorf("%d of %d routes are described", described, len(w.h.routes))
	}
	if strings.Contains(a.body, "$schema") {
		t.Error("it speaks of $schema")
	}
	for _, ref := range regexp.MustCompile(`"\$ref": "#/components/schemas/([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
}

// Every route is reached under its own pattern, and counted under it.
func TestEveryRouteIsCounted(t *testing.T) {
	w := newWorld(t)
	for _, rt := range w.h.routes {
		path := strings.NewReplacer("{account}", "root", "{token}", "root").Replace(rt.path)
		if rt.id == "events" {
			continue // it goes on for ever
		}
		w.as("", rt.method, path, "")
	}
	body := w.as("", "GET", "/metrics", "").body
	for _, rt := range w.h.routes {
		if !strings.Contains(body, `hallpass_http_requests_total{method="`+rt.method+`",route="`+rt.path+`"`) {
			t.Errorf("%s %s is not counted", rt.method, rt.path)
		}
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	secret := w.issue("root", `{"id":"very-own-id",`+everything+`}`).Secret
	w.must(secret, "POST", "/v1/check", `{"action":"read","resource":"/a"}`)
	w.as(w.root, "PATCH", "/v1/accounts/root/tokens/nobody", `{"name":"x"}`)
	w.must(w.root, "POST", "/v1/accounts/root/tokens/very-own-id/disable", `{"wait":"all"}`)
	a := w.as("", "GET", "/metrics", "")
	for _, name := range []string{
		"hallpass_fold_position", "hallpass_stream_records", "hallpass_stream_bytes", "hallpass_lease_age_seconds",
		"hallpass_lease_left_seconds", "hallpass_barrier_round_trip_seconds",
	} {
		m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(a.body)
		if m == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if v, err := strconv.ParseFloat(m[1], 64); err != nil || v <= 0 {
			t.Errorf("%s is %s", name, m[1])
		}
	}
	for _, name := range []string{"hallpass_lag_records", "hallpass_lag_seconds"} {
		if !strings.Contains(a.body, "\n"+name+" ") {
			t.Errorf("%s is missing", name)
		}
	}
	for _, line := range []string{
		`hallpass_checks_total{code="granted"} 1`,
		`hallpass_commands_total{command="issue_token",result="changed"} 2`,
		`hallpass_commands_total{command="edit_token",result="not_found"} 1`,
		`hallpass_append_seconds_count 4`,
		"hallpass_fold_lag_records 0\n", "hallpass_ready 1\n",
		"hallpass_event_subscribers 0\n", "hallpass_stream_alarm 0\n", "hallpass_members 1\n",
		`hallpass_fences_total{outcome="acknowledged"} 1`, "hallpass_fence_seconds_count 1\n",
		`hallpass_build_info{go_version="go`,
	} {
		if !strings.Contains(a.body, line) {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(a.body, "hp_") || strings.Contains(a.body, "very-own-id") {
		t.Error("a secret or an id is in the metrics")
	}
}

func TestDocs(t *testing.T) {
	w := newWorld(t)
	a := w.as("", "GET", "/docs", "")
	if a.status != 200 || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	if m := regexp.MustCompile(`(src|href)="(https?:)?//|<script|url\(`).FindString(a.body); m != "" {
		t.Errorf("it loads something from outside: %s", m)
	}
	for code := range statuses {
		if !strings.Contains(a.body, `id="problem-`+string(code)+`"`) {
			t.Errorf("the code %s is not explained", code)
		}
	}
	for _, rt := range w.h.routes {
		if !strings.Contains(a.body, `id="`+rt.id+`"`) {
			t.Errorf("%s is missing", rt.id)
		}
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	if h := read[wire.Health](t, w.as("", "GET", "/healthz", "")); h.Status != "ok" {
		t.Errorf("%+v", h)
	}
	a := w.as("", "GET", "/readyz", "")
	if r := read[wire.Ready](t, a); a.status != 200 || !r.Ready || r.Phase != "live" || r.WaitingFor != "" || r.Applied != r.Target {
		t.Errorf("%d %+v", a.status, r)
	}
	w.proj.Close()
	a = w.as("", "GET", "/readyz", "")
	if r := read[wire.Ready](t, a); a.status != 503 || r.Ready || r.Phase != "closed" || r.WaitingFor == "" {
		t.Errorf("%d %+v", a.status, r)
	}
	b := w.as(w.root, "POST", "/v1/check", `{"action":"read","resource":"/"}`)
	refusedWith(t, b, 503, "stale")
	if b.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	refusedWith(t, w.as(w.root, "GET", "/v1/accounts", ""), 503, "stale")
}

func TestCatalog(t *testing.T) {
	w := newWorld(t)
	c := read[wire.Catalog](t, w.must(w.root, "GET", "/v1/catalog", ""))
	n := 0
	for _, typ := range c.Types {
		n += len(typ.Actions)
	}
	want := 0
	for _, typ := range domain.Builtin().Types {
		want += len(typ.Actions)
	}
	if len(c.Types) == 0 || n != want {
		t.Errorf("%d actions, want %d", n, want)
	}
}

// A panic is a 500 that says nothing, and one line in the log.
func TestPanic(t *testing.T) {
	w := newWorld(t)
	broken := &route{method: "GET", path: "/broken", open: true, do: func(*call) (reply, error) { panic("oh " + marker[:3]) }}
	late := &route{method: "GET", path: "/late", open: true, raw: func(c *call) {
		c.WriteHeader(http.StatusOK)
		_, _ = c.Write([]byte("half"))
		panic("late")
	}}
	w.h.routes = []*route{broken, late}
	w.h.mux = http.NewServeMux()
	w.h.register()
	p := refusedWith(t, w.as("", "GET", "/broken", ""), 500, "internal")
	if strings.Contains(p.Detail, "oh") {
		t.Error(p.Detail)
	}
	if n := strings.Count(w.logs.String(), "a handler panicked"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	// Of the other the head may have come through, but never a whole answer.
	if res, err := http.Get(w.url + "/late"); err == nil {
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("half an answer looks whole")
		}
		_ = res.Body.Close()
	}
	refusedWith(t, w.as("", "GET", "/nothing", ""), 404, "not_found")
}

// Every code of the domain has a status of its own.
func TestEveryCodeHasAStatus(t *testing.T) {
	for _, c := range []domain.Code{
		domain.CodeInvalid, domain.CodeTooLarge, domain.CodeUnauthorized, domain.CodeForbidden, domain.CodeActorRevoked,
		domain.CodeNotFound, domain.CodeExists, domain.CodeRevoked, domain.CodeImmutable, domain.CodeConflict, domain.CodeAccountClosed,
		domain.CodePrecondition, domain.CodeUnknown, domain.CodeStale, domain.CodeNotReady, domain.CodeStreamFull, domain.CodeInternal,
	} {
		if _, ok := statuses[c]; !ok {
			t.Errorf("%s has none", c)
		}
	}
}
