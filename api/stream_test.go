package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
)

// pipes is a listener whose connections hold nothing: what is written waits
// until it is read. In fake time that shows exactly when a stream gives up.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// piped is a node in fake time.
type piped struct {
	*world
	pipes *pipes
}

func inPipes(t *testing.T, test func(t *testing.T, w piped)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := piped{newQuietWorld(t), &pipes{make(chan net.Conn), make(chan struct{})}}
		srv := &http.Server{Handler: w.h, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
		var wg sync.WaitGroup
		wg.Go(func() { _ = srv.Serve(w.pipes) })
		test(t, w)
		_ = srv.Close()
		wg.Wait()
	})
}

// ask opens a stream and reads its answer's head.
func (w piped) ask(bearer string) (net.Conn, *stream) {
	w.t.Helper()
	client, server := net.Pipe()
	w.pipes.conns <- server
	if _, err := fmt.Fprintf(client, "GET /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n", bearer); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() }) // after the server, and so the stream, ended
	return client, &stream{w.t, res, bufio.NewReader(res.Body)}
}

// follow opens a stream and reads its first comment, and no more.
func (w piped) follow(bearer string) (net.Conn, *stream) {
	w.t.Helper()
	conn, s := w.ask(bearer)
	for range 2 {
		if line, ok := s.line(); !ok || s.res.StatusCode != http.StatusOK {
			w.t.Fatalf("%d %s", s.res.StatusCode, line)
		}
	}
	return conn, s
}

// do sends a request past the network.
func (w piped) do(bearer, method, path, body string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+bearer)
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	if rec.Code/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// open returns how many streams are counted.
func (w piped) open() int {
	synctest.Wait()
	w.h.streams.mu.Lock()
	defer w.h.streams.mu.Unlock()
	return w.h.streams.all
}

func (w piped) mustBeOpen(want int, when string) {
	w.t.Helper()
	if got := w.open(); got != want {
		w.t.Errorf("%s: %d streams, want %d", when, got, want)
	}
}

func TestStalledStreamEnds(t *testing.T) {
	inPipes(t, func(t *testing.T, w piped) {
		conn, _ := w.follow(w.root)
		defer conn.Close() //nolint:errcheck // a pipe
		w.do(w.root, "POST", "/v1/accounts", `{"id":"acme"}`)
		time.Sleep(stall - time.Millisecond)
		w.mustBeOpen(1, "before the limit")
		time.Sleep(time.Millisecond)
		w.mustBeOpen(0, "at the limit")
	})
}

// One who reads late, but does read, is never cut off.
func TestSlowStreamGoesOn(t *testing.T) {
	inPipes(t, func(t *testing.T, w piped) {
		conn, s := w.follow(w.root)
		defer conn.Close() //nolint:errcheck // a pipe
		for i := range 10 {
			id := fmt.Sprint("t", i)
			w.do(w.root, "POST", "/v1/accounts/root/tokens", `{"id":"`+id+`"}`)
			time.Sleep(stall - time.Second)
			s.expect("token.issued", id)
		}
	})
}

func TestStalledStreamEndsWithItsToken(t *testing.T) {
	for _, end := range []struct{ method, path, body string }{
		{"DELETE", "/v1/accounts/root/tokens/me", ""},
		{"PATCH", "/v1/accounts/root/tokens/me", `{"permissions":null}`},
		{"", "", ""}, // it expires
	} {
		inPipes(t, func(t *testing.T, w piped) {
			expires := w.now.Load() + 60_000
			me := read[wire.Token](t, w.do(w.root, "POST", "/v1/accounts/root/tokens",
				fmt.Sprintf(`{"id":"me","expires_at":%q,`+everything+`}`, time.UnixMilli(expires).UTC().Format(time.RFC3339Nano)))).Secret
			conn, _ := w.follow(me)
			defer conn.Close() //nolint:errcheck // a pipe
			w.do(w.root, "POST", "/v1/accounts", `{"id":"acme"}`)
			synctest.Wait() // now its write waits
			if end.method == "" {
				w.now.Store(expires)
			} else {
				w.do(w.root, end.method, end.path, end.body)
			}
			time.Sleep(recheck)
			w.mustBeOpen(0, end.method)
		})
	}
}

func TestStalledStreamEndsAtShutdown(t *testing.T) {
	inPipes(t, func(t *testing.T, w piped) {
		conn, _ := w.follow(w.root)
		defer conn.Close() //nolint:errcheck // a pipe
		w.do(w.root, "POST", "/v1/accounts", `{"id":"acme"}`)
		synctest.Wait() // now its write waits
		before := time.Now()
		close(w.stop)
		w.mustBeOpen(0, "after the stop")
		if took := time.Since(before); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// A stream that ends in order ends as HTTP says, with a word on why.
func TestStreamSaysWhyItEnds(t *testing.T) {
	inPipes(t, func(t *testing.T, w piped) {
		w.do(w.root, "POST", "/v1/accounts", `{"id":"acme"}`)
		me := read[wire.Token](t, w.do(w.root, "POST", "/v1/accounts/acme/tokens", `{"id":"me",`+everything+`}`)).Secret
		conn, s := w.follow(me)
		defer conn.Close() //nolint:errcheck // a pipe
		w.do(w.root, "DELETE", "/v1/accounts/acme/tokens/me?force=true", "")
		rest, err := io.ReadAll(s.lines)
		if string(rest) != ": the token may no longer read events\n\n" || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
	})
}

func TestTooManyStreams(t *testing.T) {
	inPipes(t, func(t *testing.T, w piped) {
		var conns []net.Conn
		for range maxTokenStreams {
			conn, _ := w.follow(w.root)
			conns = append(conns, conn)
		}
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
		}()
		conn, s := w.ask(w.root)
		body, err := io.ReadAll(s.lines)
		if err != nil {
			t.Fatal(err)
		}
		a := answer{s.res.StatusCode, s.res.Header, string(body)}
		refusedWith(t, a, 429, "too_many_streams")
		w.conforms(httptest.NewRequest(http.MethodGet, "/v1/events", nil), a)
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		_ = conn.Close()
		w.mustBeOpen(maxTokenStreams, "after a refusal")

		other := read[wire.Token](t, w.do(w.root, "POST", "/v1/accounts/root/tokens", `{"id":"other",`+everything+`}`)).Secret
		conn, _ = w.follow(other)
		conns = append(conns, conn)
		_ = conns[0].Close()
		w.mustBeOpen(maxTokenStreams, "after one left")
		conn, _ = w.follow(w.root)
		conns = append(conns, conn)
	})
}

func TestStreamsAreCounted(t *testing.T) {
	s := streams{most: 3, each: 2, by: map[domain.Actor]int{}}
	a, b, c := domain.Actor{Token: "a"}, domain.Actor{Token: "b"}, domain.Actor{Token: "c"}
	enter := func(a domain.Actor, want domain.Code) {
		t.Helper()
		if err := s.enter(a); want != "" && domain.CodeOf(err) != want || want == "" && err != nil {
			t.Errorf("%s: %v, want %q", a.Token, err, want)
		}
	}
	enter(a, "")
	enter(a, "")
	enter(a, codeTooManyStreams)
	enter(b, "")
	enter(c, codeTooManyStreams)
	s.leave(a)
	enter(c, "")
	for _, x := range []domain.Actor{a, b, c} {
		s.leave(x)
	}
	if s.all != 0 || len(s.by) != 0 {
		t.Errorf("left: %d %v", s.all, s.by)
	}
}
