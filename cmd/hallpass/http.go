package main

import (
	"context"
	"log/slog"
	"net"
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

// serving is the HTTP server of a node.
type serving struct {
	door     *door
	stopping chan struct{} // closed when it stops taking part
	served   chan struct{} // closed when it accepts no more
	err      error         // why; to be read after served

	srv    *http.Server
	logger *slog.Logger
	once   sync.Once
}

// serveOn serves what comes in on ln until end is called.
func (n *node) serveOn(ln net.Listener) *serving {
	s := &serving{door: new(door), stopping: make(chan struct{}), served: make(chan struct{}), logger: n.logger}
	s.srv = newHTTPServer(s.door, n.logger)
	go func() { // end waits for it
		defer close(s.served)
		s.err = s.srv.Serve(ln)
	}()
	return s
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
		if err := s.srv.Shutdown(ctx); err != nil {
			s.logger.Warn("requests were cut off", "error", err)
			_ = s.srv.Close()
		}
		<-s.served
	})
}
