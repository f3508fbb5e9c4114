package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hallpass/api/wire"
)

// stream is an open stream of events.
type stream struct {
	t     testing.TB
	res   *http.Response
	lines *bufio.Reader
}

// event is one Server-Sent Event as it came.
type event struct {
	id, name string
	data     wire.Event
}

func (w *world) follow(bearer, query, lastID string) *stream {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/events"+query, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		w.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	return &stream{w.t, res, bufio.NewReader(res.Body)}
}

// line returns the next line; false at the end of the stream.
func (s *stream) line() (string, bool) {
	line, err := s.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

// next returns the next event, past comments; false at the end of the stream.
func (s *stream) next() (event, bool) {
	s.t.Helper()
	var e event
	for {
		line, ok := s.line()
		if !ok {
			return e, false
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				s.t.Fatal(err)
			}
		case "":
			if line == "" && e.id != "" {
				return e, true
			}
		default:
			s.t.Fatalf("a line %q", line)
		}
	}
}

// expect reads one event and checks its name and token.
func (s *stream) expect(name, token string) event {
	s.t.Helper()
	e, ok := s.next()
	if !ok || e.name != name || e.data.Token != token || e.data.Type != name || e.id != fmt.Sprint(e.data.Revision) {
		s.t.Fatalf("got %+v (%v), want %s of %s", e, ok, name, token)
	}
	return e
}

func TestEventStream(t *testing.T) {
	w := newWorld(t)
	s := w.follow(w.root, "", "")
	w.open("acme")
	s.expect("account.opened", "")
	w.must(w.root, "POST", "/v1/accounts/acme/tokens", `{"id":"a","name":"n"}`)
	issued := s.expect("token.issued", "a")
	if issued.data.Change["name"] != "n" || issued.data.Actor.Token != "root" || issued.data.Account != "acme" || issued.data.Authorised == 0 || issued.data.ID == "" {
		t.Errorf("%+v", issued.data)
	}
	w.must(w.root, "POST", "/v1/accounts/acme/tokens/a/disable", "")
	s.expect("token.disabled", "a")

	t.Run("resume", func(t *testing.T) {
		r := w.follow(w.root, "", issued.id)
		r.expect("token.disabled", "a")
		// The header goes before the query: a browser that reconnects sends both.
		r = w.follow(w.root, "?after=0", issued.id)
		r.expect("token.disabled", "a")
		r = w.follow(w.root, "?after="+issued.id, "")
		r.expect("token.disabled", "a")
		r = w.follow(w.root, "", "0")
		if first, ok := r.next(); !ok || first.name != "genesis" || first.id != "1" {
			t.Errorf("the first is %+v", first)
		}
	})
	t.Run("filters", func(t *testing.T) {
		w.open("other")
		w.issue("other", `{"id":"a"}`)
		w.issue("acme", `{"id":"b"}`)
		w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/b", "")
		w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/a", "")
		r := w.follow(w.root, "?account=acme&type=token.revoked&after=0", "")
		r.expect("token.revoked", "b")
		r.expect("token.revoked", "a")
		r = w.follow(w.root, "?account=acme&token=b&after=0", "")
		r.expect("token.issued", "b")
		r.expect("token.revoked", "b")
	})
	t.Run("only the own account", func(t *testing.T) {
		own := w.issue("acme", `{"id":"own",`+everything+`}`)
		r := w.follow(own.Secret, "?after="+fmt.Sprint(own.Revision-1), "")
		w.issue("other", `{"id":"unseen"}`)
		w.issue("acme", `{"id":"seen"}`)
		r.expect("token.issued", "own")
		r.expect("token.issued", "seen")
		refusedWith(t, w.as(own.Secret, "GET", "/v1/events?account=other", ""), 403, "forbidden")
	})
	t.Run("past the end", func(t *testing.T) {
		a := w.send(req{method: "GET", path: "/v1/events", bearer: w.root, header: map[string]string{"Last-Event-ID": "99999"}})
		refusedWith(t, a, 409, "revision_unknown")
		b := w.send(req{method: "GET", path: "/v1/events", bearer: w.root, header: map[string]string{"Last-Event-ID": "x"}})
		refusedWith(t, b, 400, "bad_header")
	})
	t.Run("a HEAD request ends", func(t *testing.T) {
		if a := w.as(w.root, "HEAD", "/v1/events", ""); a.status != 200 || a.body != "" {
			t.Errorf("%d %q", a.status, a.body)
		}
	})
}

func TestEventStreamLeavesOutVoidRecords(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	actor := w.issue("acme", `{"id":"actor",`+everything+`}`).Secret
	s := w.follow(w.root, "?account=acme", "")
	there, release := w.hold("token.issued")
	got := w.meanwhile(req{method: "POST", path: "/v1/accounts/acme/tokens", bearer: actor, body: `{"id":"late"}`})
	<-there
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/actor?force=true", "")
	release()
	<-got
	w.issue("acme", `{"id":"next"}`)
	s.expect("token.revoked", "actor")
	s.expect("token.issued", "next")
}

func TestEventStreamEndsWithItsToken(t *testing.T) {
	for _, end := range []struct{ method, path, body string }{
		{"DELETE", "/v1/accounts/acme/tokens/me?force=true", ""},
		{"POST", "/v1/accounts/acme/tokens/me/disable?force=true", ""},
		{"POST", "/v1/accounts/acme/tokens/me/rotate", ""},
		{"POST", "/v1/accounts/acme/suspend", ""},
		{"PATCH", "/v1/accounts/acme/tokens/me?force=true", `{"permissions":{"deny":[{"resource":"/audit","actions":["ReadEvents"]}]}}`},
	} {
		w := newWorld(t)
		w.open("acme")
		me := w.issue("acme", `{"id":"me",`+everything+`}`).Secret
		s := w.follow(me, "", "")
		w.issue("acme", `{"id":"x"}`)
		s.expect("token.issued", "x")
		w.must(w.root, end.method, end.path, end.body)
		if e, ok := s.next(); ok {
			t.Errorf("%s %s: it goes on with %+v", end.method, end.path, e)
		}
	}
}

func TestEventStreamEndsWhenItsTokenExpires(t *testing.T) {
	w := newWorld(t)
	w.h.heartbeat = time.Millisecond
	ends := w.now.Load() + 60_000
	me := w.issue("root", fmt.Sprintf(`{"id":"me","expires_at":%q,`+everything+`}`, time.UnixMilli(ends).UTC().Format(time.RFC3339Nano))).Secret
	s := w.follow(me, "", "")
	for {
		line, ok := s.line()
		if !ok {
			t.Fatal("it ended too soon")
		}
		if line == ": still here" {
			break
		}
	}
	w.now.Store(ends)
	if _, ok := s.next(); ok {
		t.Error("an event came")
	}
}

func TestEventStreamEndsAtShutdown(t *testing.T) {
	w := newWorld(t)
	s := w.follow(w.root, "", "")
	if _, ok := s.line(); !ok {
		t.Fatal("no first line")
	}
	close(w.stop)
	if _, ok := s.next(); ok {
		t.Error("an event came")
	}
	a := w.as("", "GET", "/readyz", "")
	if r := read[wire.Ready](t, a); a.status != 503 || r.Phase != "stopping" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A stream outlives the server's time limits on reading and writing.
func TestEventStreamOutlivesTimeouts(t *testing.T) {
	w := newQuietWorld(t)
	srv := newServer(t, w.h, 300*time.Millisecond, 300*time.Millisecond)
	w.url = srv.URL
	w.h.heartbeat = 50 * time.Millisecond
	s := w.follow(w.root, "", "")
	for comments := 0; comments < 10; {
		line, ok := s.line()
		if !ok {
			t.Fatalf("it ended after %d comments", comments)
		}
		if line == ": still here" {
			comments++
		}
	}
}
