package main

import (
	"encoding/json"
	"net/http"
	"sync/atomic"

	"hallpass/api/wire"
)

// door is the handler of a port from the moment that it is taken.
type door struct {
	before http.Handler // what answers until open
	inside atomic.Pointer[http.Handler]
}

// open hands every request from now on to h.
func (d *door) open(h http.Handler) { d.inside.Store(&h) }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := d.inside.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	d.before.ServeHTTP(w, r)
}

// What is said until there is a log to answer from.
const (
	opening  = "the stream is being opened"
	starting = "this node is starting: " + opening + "; try again shortly"
)

// notYet answers in the native form until then.
type notYet struct{}

func (notYet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch r.URL.Path {
	case "/healthz":
		answer(w, http.StatusOK, "application/json", wire.Health{Status: "ok"})
	case "/readyz":
		answer(w, http.StatusServiceUnavailable, "application/json", wire.Ready{Phase: "connecting", WaitingFor: opening, Accepted: []uint64{}})
	default:
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, "application/problem+json", wire.Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
			Detail: starting, Code: "not_ready",
		})
	}
}

func answer(w http.ResponseWriter, status int, mime string, v any) {
	w.Header().Set("Content-Type", mime)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a reader who left
}
