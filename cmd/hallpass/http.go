package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Limits of the HTTP server. Streams of events lift those on time.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second // of answers; changes, which may wait for other nodes, give themselves more
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes

	drainFor = 10 * time.Second // what requests get to finish at a stop
)

// serving is the HTTP servers of a node, one a port.
type serving struct {
	on       []*listener   // the main one first
	stopping chan struct{} // closed when they stop taking part
	served   chan struct{} // closed when one of them accepts no more
	err      error         // why; to be read after served

	servers []*http.Server
	running sync.WaitGroup
	first   sync.Once // to end
	logger  *slog.Logger
	once    sync.Once
}

// serveOn serves what comes in on the ports until end is called.
func (n *node) serveOn(ports []*listener) *serving {
	s := &serving{on: ports, stopping: make(chan struct{}), served: make(chan struct{}), logger: n.logger}
	for _, l := range ports {
		srv := newHTTPServer(l.door, n.logger)
		s.servers = append(s.servers, srv)
		s.running.Go(func() { // end waits for it
			err := srv.Serve(l)
			s.first.Do(func() {
				s.err = fmt.Errorf("serving %s: %w", l.url, err)
				close(s.served)
			})
		})
	}
	return s
}

// open lets the ports answer: the main one with everything, each other one with
// its dialect alone.
func (s *serving) open(native http.Handler, dialects map[string]http.Handler) {
	for _, l := range s.on {
		if l.dialect == "" {
			l.door.open(newMount(native, dialects))
		} else {
			l.door.open(dialects[l.dialect])
		}
	}
}

func newHTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),

		// A client that reads nothing at all would keep its event streams
		// open: over HTTP/2 their own deadline can't end them.
		HTTP2: &http.HTTP2Config{WriteByteTimeout: writeTimeout},
	}
}

// end ends event streams at once, lets requests finish for at most drainFor,
// and cuts off the rest. It may be called again.
func (s *serving) end() {
	s.once.Do(func() {
		close(s.stopping)
		ctx, cancel := context.WithTimeout(context.Background(), drainFor)
		defer cancel()
		var all sync.WaitGroup
		for _, srv := range s.servers {
			all.Go(func() {
				if err := srv.Shutdown(ctx); err != nil {
					s.logger.Warn("requests were cut off", "error", err)
					_ = srv.Close()
				}
			})
		}
		all.Wait()
		s.running.Wait()
	})
}
