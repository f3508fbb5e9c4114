package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"hallpass/api/client"
	"hallpass/api/client/middleware"
)

// gate is a Checker that knows four secrets, and a Watcher that tells what the
// test hands it.
type gate struct {
	checks  atomic.Int64
	asked   atomic.Pointer[client.Need]
	notices chan client.Notice
}

func (g *gate) Check(_ context.Context, s client.Secret, n client.Need) (client.Decision, error) {
	g.checks.Add(1)
	g.asked.Store(&n)
	d := client.Decision{Works: true, Code: "no_grant", Account: "acme", Token: s.Reveal(), Revision: 7}
	switch s {
	case "good":
		d.Allowed, d.Code = true, "granted"
		return d, nil
	case "weak":
		return d, nil
	case "stale":
		return client.Decision{Allowed: true}, client.Unvouched("stale", "")
	case "broken":
		return client.Decision{Allowed: true}, errors.New("no answer")
	}
	return client.Decision{Code: client.CodeInvalidToken}, nil
}

func (g *gate) Revocations(ctx context.Context, _ uint64) iter.Seq2[client.Notice, error] {
	return func(yield func(client.Notice, error) bool) {
		for {
			select {
			case n := <-g.notices:
				if !yield(n, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

func need(r *http.Request) (client.Need, error) {
	if strings.HasPrefix(r.URL.Path, "/elsewhere") {
		return client.Need{}, errors.New("no rule")
	}
	return client.Need{Action: "read", Resource: r.URL.Path}, nil
}

func who(w http.ResponseWriter, r *http.Request) {
	d, ok := client.DecisionFrom(r.Context())
	_, _ = fmt.Fprint(w, ok, " ", d.Account, "/", d.Token, " ", r.Header.Get("Authorization"))
}

func TestProtect(t *testing.T) {
	var log bytes.Buffer
	g := &gate{notices: make(chan client.Notice)}
	h := client.NewHolds(g, g, client.HoldsConfig{})
	defer h.Close()
	g.notices <- client.Missed{MinRevision: 1}
	if err := h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	guard := &middleware.Guard{Checker: g, Holds: h, Need: need, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	for name, handler := range map[string]http.Handler{
		"protect": guard.Protect(http.HandlerFunc(who)), "hold": guard.Hold(http.HandlerFunc(who)),
	} {
		for _, c := range []struct {
			path      string
			header    []string
			status    int
			code      string
			challenge string
			retry     string
		}{
			{"/x", []string{"Bearer good"}, 200, "", "", ""},
			{"/x", nil, 401, "missing_token", `Bearer realm="hallpass"`, ""},
			{"/x", []string{"Basic Z29vZA=="}, 401, "missing_token", `Bearer realm="hallpass"`, ""},
			{"/x", []string{"Bearer good", "Bearer good"}, 400, "invalid_request", `Bearer realm="hallpass", error="invalid_request"`, ""},
			{"/x", []string{"Bearer a b"}, 400, "invalid_request", `Bearer realm="hallpass", error="invalid_request"`, ""},
			{"/x", []string{"Bearer unknown"}, 401, "invalid_token", `Bearer realm="hallpass", error="invalid_token", error_description="the bearer token does not work"`, ""},
			{"/x", []string{"Bearer weak"}, 403, "forbidden", `Bearer realm="hallpass", error="insufficient_scope"`, ""},
			{"/elsewhere", []string{"Bearer good"}, 403, "forbidden", `Bearer realm="hallpass", error="insufficient_scope"`, ""},
			{"/x", []string{"Bearer stale"}, 503, "stale", "", "1"},
			{"/x", []string{"Bearer broken"}, 503, "unavailable", "", "1"},
		} {
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Header["Authorization"] = c.header
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Body)
			if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.challenge || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("%s %s %q: got %d %v", name, c.path, c.header, w.Code, w.Header())
			}
			if c.status == 200 {
				if string(body) != "true acme/good " || g.asked.Load().Resource != "/x" || r.Header.Get("Authorization") == "" {
					t.Errorf("%s: the handler saw %q", name, body)
				}
				continue
			}
			var p struct {
				Code, Detail string
				Status       int
			}
			if err := json.Unmarshal(body, &p); err != nil || p.Code != c.code || p.Status != c.status || p.Detail == "" {
				t.Errorf("%s %s %q: got %s", name, c.path, c.header, body)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", name, w.Header())
			}
			for _, secret := range []string{"unknown", "weak", "broken"} {
				if strings.Contains(string(body)+log.String(), secret) {
					t.Errorf("%s: a secret got out: %s %s", name, body, log.String())
				}
			}
		}
	}
	if log.Len() == 0 {
		t.Error("nothing was logged of what went wrong")
	}
}

// Every request is a check of its own, and nothing else is.
// A check is told where the secret is used from.
func TestWhereARequestComesFrom(t *testing.T) {
	g := &gate{}
	told := netip.MustParseAddr("198.51.100.7")
	for name, c := range map[string]struct {
		remote string
		by     netip.Addr
		want   string
	}{
		"the connection's":     {"203.0.113.9:4711", netip.Addr{}, "203.0.113.9"},
		"of the sixth version": {"[2001:db8::1]:80", netip.Addr{}, "2001:db8::1"},
		"what Need says":       {"203.0.113.9:4711", told, "198.51.100.7"},
		"a socket without any": {"@", netip.Addr{}, "invalid IP"},
	} {
		guard := &middleware.Guard{Checker: g, Need: func(*http.Request) (client.Need, error) { return client.Need{From: c.by}, nil }}
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("Authorization", "Bearer good")
		guard.Protect(http.HandlerFunc(who)).ServeHTTP(httptest.NewRecorder(), r)
		if got := g.asked.Load().From.String(); got != c.want {
			t.Errorf("%s: from %s, want %s", name, got, c.want)
		}
	}
}

func TestNothingIsCached(t *testing.T) {
	g := new(gate)
	forward := &middleware.Guard{Checker: g, Need: need, Forward: true, Realm: "things"}
	handler := forward.Protect(http.HandlerFunc(who))
	for i := range 5 {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if g.checks.Load() != int64(i+1) || w.Body.String() != "true acme/good Bearer good" {
			t.Fatalf("%d checks, %q", g.checks.Load(), w.Body)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/x", nil))
	if w.Header().Get("WWW-Authenticate") != `Bearer realm="things"` || g.checks.Load() != 5 {
		t.Fatal(w.Header(), g.checks.Load())
	}
}

func TestAGuardWithoutWhatItTakesPanics(t *testing.T) {
	for _, f := range []func(){
		func() { (&middleware.Guard{Need: need}).Protect(nil) },
		func() { (&middleware.Guard{Checker: new(gate)}).Protect(nil) },
		func() { (&middleware.Guard{Checker: new(gate), Need: need}).Hold(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it doesn't")
				}
			}()
			f()
		}()
	}
}
