package main

import (
	"encoding/json"
	"net/http"
	"sync/atomic"

	"hallpass/api/wire"
)

// door is the handler of a node from the moment that its port is taken. Until
// there is a log to answer from, it says so.
type door struct{ inside atomic.Pointer[http.Handler] }

// open hands every request from now on to h.
func (d *door) open(h http.Handler) { d.inside.Store(&h) }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := d.inside.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	const waiting = "the stream is being opened"
	w.Header().Set("Cache-Control", "no-store")
	switch r.URL.Path {
	case "/healthz":
		answer(w, http.StatusOK, "application/json", wire.Health{Status: "ok"})
	case "/readyz":
		answer(w, http.StatusServiceUnavailable, "application/json", wire.Ready{Phase: "connecting", WaitingFor: waiting, Accepted: []uint64{}})
	default:
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, "application/problem+json", wire.Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
			Detail: "this node is starting: " + waiting + "; try again shortly", Code: "not_ready",
		})
	}
}

func answer(w http.ResponseWriter, status int, mime string, v any) {
	w.Header().Set("Content-Type", mime)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a reader who left
}
