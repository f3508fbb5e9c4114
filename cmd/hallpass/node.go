package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"syscall"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// node is one running server: listener, log, projection and door, opened in
// that order and closed the other way round.
type node struct {
	flags  *serveFlags
	logger *slog.Logger
	stdout io.Writer
	wanted domain.Secret // the root secret that the environment supplies; may be none
}

// run is a node's life: it returns nil when ctx ends it. The port is taken
// first and answers health and readiness from then on; what opens a token does
// not work before the log is replayed.
func (n *node) run(ctx context.Context) error {
	ln, scheme, err := n.listen()
	if err != nil {
		return err
	}
	s := n.serveOn(ln)
	defer s.end()
	log, err := n.flags.openLog(ctx, n.logger)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			n.logger.Warn("closing the log", "error", err)
		}
	}()
	return n.follow(ctx, log, s, scheme+"://"+ln.Addr().String())
}

// follow replays the log, sees to the root token, says that the node is ready,
// and waits for its end.
func (n *node) follow(ctx context.Context, log eventstore.Log, s *serving, address string) error {
	shown := newProgress(os.Stderr, n.logger)
	p := projections.Open(log, projections.Config{Logger: n.logger, Progress: shown.show})
	defer p.Close()
	defer s.end() // requests that run need the projection
	svc := api.NewService(api.ServiceConfig{Log: log, Projection: p, Logger: n.logger})
	s.door.open(api.NewHandler(svc, api.HandlerConfig{Version: version(), Stopping: s.stopping, Logger: n.logger}))

	relax := replaying()
	err := p.Ready(ctx)
	relax()
	shown.done()
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		// Closed, but there: readiness names the record, for whoever comes to look.
		n.logger.Error("this node answers nothing but health and readiness", "error", err)
	default:
		if err := n.announce(ctx, svc, address); err != nil {
			return stopped(ctx, err)
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case <-s.served:
		return fmt.Errorf("serving %s: %w", address, s.err)
	}
}

// announce makes sure that there is a root token, then prints the ready line,
// and behind it the root secret if this start made it.
func (n *node) announce(ctx context.Context, svc *api.Service, address string) error {
	made, err := n.bootstrap(ctx, svc)
	if err != nil {
		return err
	}
	lines := "listening on " + address + "\n"
	if !made.IsZero() {
		lines += "root token: " + made.Reveal() + "\n"
	}
	if _, err := io.WriteString(n.stdout, lines); err != nil {
		return fmt.Errorf("writing to stdout: %w", err)
	}
	n.logger.Info("ready", "address", address, "revision", svc.Revision(), "version", version())
	return nil
}

// listen takes the port, with TLS if that is asked for.
func (n *node) listen() (net.Listener, string, error) {
	var certificate tls.Certificate
	if n.flags.tlsCert != "" {
		var err error
		if certificate, err = tls.LoadX509KeyPair(n.flags.tlsCert, n.flags.tlsKey); err != nil {
			return nil, "", fmt.Errorf("the TLS certificate %s and its key %s don't load: %w", n.flags.tlsCert, n.flags.tlsKey, err)
		}
	}
	ln, err := net.Listen("tcp", n.flags.listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, "", fmt.Errorf("the address %s is in use by another program: stop it, or choose another with --listen", n.flags.listen)
	case errors.Is(err, syscall.EACCES):
		return nil, "", fmt.Errorf("this user may not listen on %s: choose a port above 1023 with --listen", n.flags.listen)
	case err != nil:
		return nil, "", fmt.Errorf("can't listen on %s: %w: choose another address with --listen", n.flags.listen, err)
	}
	if n.flags.tlsCert != "" {
		return tls.NewListener(ln, &tls.Config{
			Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12,
		}), "https", nil
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		n.logger.Warn("secrets travel in clear: use --tls-cert and --tls-key, or let only a TLS proxy reach this address", "address", tcp.String())
	}
	return ln, "http", nil
}

// stopped is err, or nil when it only says that the node was told to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// replaying makes the garbage collector run less often while a log is replayed
// into memory that all stays; the returned function ends that. Of 400,000
// records, "hallpass bench replay" on 2 busy cores did 0.48 of its yardstick
// with 100 %, 0.62 to 0.72 with 200 % and a quarter more memory, and no more
// with 400 % and two thirds more memory. GOMEMLIMIT still holds.
func replaying() func() {
	before := debug.SetGCPercent(200)
	return func() { debug.SetGCPercent(before) }
}
