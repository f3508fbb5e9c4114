package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/api/client"
	"hallpass/api/wire"
)

const bearer client.Secret = "hp_not-to-be-seen"

// serve answers with h and returns a client for it.
func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return as(t, srv.URL, bearer)
}

func TestNoSecretIsPrinted(t *testing.T) {
	cfg := client.Config{Server: "http://127.0.0.1:1", Token: bearer}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, down := c.Whoami(t.Context())
	asJSON, err := json.Marshal(cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "secret", bearer, "client", c, "error", down)
	for _, s := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%+v %#v %v %s %q %x", cfg, cfg, bearer, bearer, bearer, bearer),
		fmt.Sprintf("%v %+v %#v %s", c, c, c, c), down.Error(), string(asJSON), logged.String(),
	} {
		if strings.Contains(s, "not-to-be-seen") || strings.Contains(s, fmt.Sprintf("%x", "not-to-be-seen")) {
			t.Errorf("it prints %s", s)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, s := range []string{"", "localhost:8080", "ftp://x", "http://", "http://u:p@x", "http://x?a=b", "http://x#f", "://", "http://x y"} {
		if _, err := client.New(client.Config{Server: s}); err == nil {
			t.Errorf("%q is taken for a server", s)
		}
	}
	got := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.URL.EscapedPath() }))
	defer srv.Close()
	_, _ = as(t, srv.URL+"/base/", bearer).Token(t.Context(), "a/b", "x y%2f?")
	if want := "/base/v1/accounts/a%2Fb/tokens/x%20y%252f%3F"; <-got != want {
		t.Errorf("an id leaves its segment: want %s", want)
	}
	for _, id := range []string{"", ".", ".."} {
		if _, err := as(t, srv.URL, bearer).Token(t.Context(), "a", id); err == nil {
			t.Errorf("%q is taken for an id", id)
		}
	}
}

// The bearer is never sent where a redirect points.
func TestRedirectsAreNotFollowed(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	_, err := c.Whoami(t.Context())
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusTemporaryRedirect || p.Code != "" {
		t.Fatalf("got %v", err)
	}
}

func TestAnswersOfSomethingElse(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a page":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello</html>") },
		"a proxy": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) },
		"half":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"a`) },
		"other errors": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":1}`)
		},
	} {
		c := serve(t, h)
		if _, err := c.Whoami(t.Context()); err == nil || client.Code(err) != "" {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := c.Ready(t.Context()); err == nil {
			t.Errorf("%s: taken for readiness", name)
		}
		for _, err := range c.Watch(t.Context(), client.WatchFilter{}, 0) {
			if err == nil {
				t.Errorf("%s: taken for an event", name)
			}
		}
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	c, err := client.New(client.Config{Server: srv.URL, Token: bearer, Timeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Whoami(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestProblemText(t *testing.T) {
	field := wire.ProblemField{Pointer: "/name", Detail: "is too long"}
	other := wire.ProblemField{Pointer: "/tags", Detail: "are too many"}
	for want, p := range map[string]*client.Problem{
		"no such token":                     {Detail: "no such token"},
		"Not Found":                         {Title: "Not Found"},
		"is too long (/name)":               {Detail: "is too long", Fields: []wire.ProblemField{field}},
		"it is refused; /name: is too long": {Detail: "it is refused", Fields: []wire.ProblemField{field}},
		"2 faults; /name: is too long; /tags: are too many": {Detail: "2 faults", Fields: []wire.ProblemField{field, other}},
	} {
		if got := p.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	err := fmt.Errorf("wrapped: %w", &client.Problem{Code: "stale"})
	if !errors.Is(err, &client.Problem{Code: "stale"}) || errors.Is(err, &client.Problem{Code: "unknown"}) || client.Code(err) != "stale" {
		t.Error("codes are not compared")
	}
}

// A list that breaks off says so, after what came before.
func TestListBreaksOff(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"code":"stale","detail":"not current"}`)
			return
		}
		_, _ = io.WriteString(w, `{"items":[{"id":"a"}],"next_cursor":"c"}`)
	})
	var ids []string
	var last error
	for a, err := range c.Accounts(t.Context()) {
		if last = err; err == nil {
			ids = append(ids, a.ID)
		}
	}
	if !slices.Equal(ids, []string{"a"}) || client.Code(last) != "stale" {
		t.Fatalf("got %v, then %v", ids, last)
	}
}
