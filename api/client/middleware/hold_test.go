package middleware_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"hallpass/api/client"
	"hallpass/api/client/middleware"
)

// held starts a server whose requests are held.
func held(t *testing.T, handler http.HandlerFunc) (*gate, string) {
	g := &gate{notices: make(chan client.Notice)}
	h := client.NewHolds(g, g, client.HoldsConfig{})
	g.notices <- client.Missed{MinRevision: 1}
	if err := h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer((&middleware.Guard{Holds: h, Need: need}).Hold(handler))
	t.Cleanup(func() {
		srv.Close()
		h.Close()
	})
	return g, srv.URL
}

func request(t *testing.T, url string, body io.Reader) (status int, answer *bufio.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp.StatusCode, bufio.NewReader(resp.Body)
}

// A request that was let in ends when the token is revoked, wherever its
// handler is: waiting for the context, for its body, or for the client to read.
func TestAHeldRequestIsCut(t *testing.T) {
	ends := make(chan error, 1)
	forever := func(w http.ResponseWriter) {
		_, _ = fmt.Fprintln(w, "hello")
		_ = http.NewResponseController(w).Flush()
	}
	for name, handler := range map[string]http.HandlerFunc{
		"waiting for the context": func(w http.ResponseWriter, r *http.Request) {
			forever(w)
			<-r.Context().Done()
			_, _ = fmt.Fprintln(w, "bye")
			ends <- context.Cause(r.Context())
		},
		"reading the body": func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			forever(w)
			_, _ = io.Copy(io.Discard, r.Body)
			ends <- context.Cause(r.Context())
		},
		"writing to who doesn't read": func(w http.ResponseWriter, r *http.Request) {
			forever(w)
			for chunk := make([]byte, 1<<20); ; {
				if _, err := w.Write(chunk); err != nil {
					ends <- context.Cause(r.Context())
					return
				}
			}
		},
		"on a connection of its own": func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				ends <- err
				return
			}
			defer conn.Close() //nolint:errcheck // a test
			_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello\n")
			_ = rw.Flush()
			_, _ = rw.ReadByte()
			ends <- context.Cause(r.Context())
		},
	} {
		g, url := held(t, handler)
		body, hang := io.Pipe() // never ends by itself
		var sent io.Reader
		if name == "reading the body" {
			sent = body
		}
		_, lines := request(t, url, sent)
		if line, err := lines.ReadString('\n'); err != nil || line != "hello\n" {
			t.Fatalf("%s: %q, %v", name, line, err)
		}
		g.notices <- client.Revoked{Revision: 8, Account: "acme", Token: "good", Type: "token.revoked"}
		if err := <-ends; !errors.As(err, new(*client.CutError)) {
			t.Errorf("%s: it ended with %v", name, err)
		}
		rest, _ := io.ReadAll(lines)
		if name == "waiting for the context" && string(rest) != "bye\n" {
			t.Errorf("%s: no last words: %q", name, rest)
		}
		_ = hang.Close()
	}
}

// A request that ended by itself leaves its connection as it was.
func TestAConnectionOutlivesWhatWasHeldOnIt(t *testing.T) {
	g, url := held(t, who)
	for range 3 {
		_, answer := request(t, url, nil)
		if _, err := io.ReadAll(answer); err != nil {
			t.Fatal(err)
		}
	}
	g.notices <- client.Revoked{Revision: 8, Account: "acme", Token: "good", Type: "token.revoked"}
	if status, _ := request(t, url, nil); status != http.StatusOK { // the gate still says yes
		t.Fatal(status)
	}
}
