package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"hallpass/api/client"
)

// script answers each connection to /v1/events with the next of its parts, and
// remembers where the watcher wanted to go on.
type script struct {
	parts   []func(w http.ResponseWriter)
	resumed []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.resumed = append(s.resumed, r.Header.Get("Last-Event-ID"))
	if len(s.parts) == 0 {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":"forbidden","detail":"the script is over"}`)
		return
	}
	part := s.parts[0]
	s.parts = s.parts[1:]
	part(w)
}

// events answers with these revisions, then ends the connection.
func events(after string, revisions ...int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Hallpass-Revision", after)
		_, _ = io.WriteString(w, ": hello\n\n")
		for _, r := range revisions {
			_, _ = fmt.Fprintf(w, "id: %d\nevent: token.edited\ndata: {\"revision\":%d,\ndata: \"type\":\"token.edited\"}\n\n", r, r)
		}
		_, _ = io.WriteString(w, "id: 999\nevent: cut\ndata: {\"revis") // no empty line: it doesn't count
	}
}

func refuse(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"code":%q,"detail":"no"}`, code)
	}
}

// watch runs a Watch to its end.
func watchAll(t *testing.T, s *script, after uint64) (revisions []uint64, last error) {
	srv := httptest.NewServer(s)
	defer srv.Close()
	for e, err := range as(t, srv.URL, bearer).Watch(t.Context(), client.WatchFilter{}, after) {
		if last = err; err == nil {
			revisions = append(revisions, e.Revision)
		}
	}
	return revisions, last
}

func TestWatchGoesOnWhereItWas(t *testing.T) {
	s := &script{parts: []func(http.ResponseWriter){
		events("2", 3, 4), refuse(503, "stale"), events("4"), events("4", 5), refuse(429, "busy"), events("5", 6),
	}}
	got, err := watchAll(t, s, 2)
	if !slices.Equal(got, []uint64{3, 4, 5, 6}) || client.Code(err) != "forbidden" {
		t.Fatalf("got %v, then %v", got, err)
	}
	if want := []string{"2", "4", "4", "4", "5", "5", "6"}; !slices.Equal(s.resumed, want) {
		t.Fatalf("it went on after %v, want %v", s.resumed, want)
	}
}

// A watch from now on knows where now was, even if the link is lost before the
// first event.
func TestWatchFromNow(t *testing.T) {
	s := &script{parts: []func(http.ResponseWriter){events("7"), events("7", 8)}}
	got, _ := watchAll(t, s, client.Now)
	if want := []string{"", "7", "8"}; !slices.Equal(s.resumed, want) || !slices.Equal(got, []uint64{8}) {
		t.Fatalf("got %v, went on after %v, want %v", got, s.resumed, want)
	}
}

func TestWatchEnds(t *testing.T) {
	for name, c := range map[string]struct {
		parts []func(http.ResponseWriter)
		want  string
	}{
		"a shorter history":       {[]func(http.ResponseWriter){events("2", 3), refuse(409, "revision_unknown")}, "revision_unknown"},
		"a revoked bearer":        {[]func(http.ResponseWriter){events("2", 3), refuse(401, "invalid_token")}, "invalid_token"},
		"refused at the start":    {[]func(http.ResponseWriter){refuse(403, "forbidden")}, "forbidden"},
		"not ready at the start":  {[]func(http.ResponseWriter){refuse(503, "not_ready")}, "not_ready"},
		"an event without JSON":   {[]func(http.ResponseWriter){raw("id: 3\ndata: hello\n\n")}, ""},
		"an event without an id":  {[]func(http.ResponseWriter){raw("data: {}\n\n")}, ""},
		"something else entirely": {[]func(http.ResponseWriter){func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hello") }}, ""},
	} {
		s := &script{parts: c.parts}
		_, err := watchAll(t, s, 2)
		if err == nil || client.Code(err) != c.want || len(s.parts) > 0 {
			t.Errorf("%s: got %v", name, err)
		}
		if c.want == "" && len(s.resumed) != 1 {
			t.Errorf("%s: it tried again", name)
		}
	}
}

func raw(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
	}
}

func TestWatchStopsWhenToldTo(t *testing.T) {
	connected := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		close(connected)
		<-r.Context().Done()
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-connected; cancel() }()
	for e, err := range as(t, srv.URL, bearer).Watch(ctx, client.WatchFilter{}, 0) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, %v", e, err)
		}
	}

	// Nobody there at the start is an error, not a reason to wait.
	down := as(t, "http://127.0.0.1:1", bearer)
	for _, err := range down.Watch(t.Context(), client.WatchFilter{}, 0) {
		if err == nil || !strings.Contains(err.Error(), "no answer from") {
			t.Fatalf("got %v", err)
		}
	}
}
