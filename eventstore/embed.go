package eventstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// EmbedConfig configures OpenEmbedded.
type EmbedConfig struct {
	Dir      string // holds the stream; made with mode 0700 if missing
	NoSync   bool   // don't sync each record to disk: a power loss may take acknowledged ones
	MaxBytes int64  // of the stream; 0: half the free disk when it is made, afterwards what it has
	Logger   *slog.Logger
	Listen   string // "127.0.0.1:0": use this loopback address, with a random credential; "": no port at all
}

// The bounds of the default size of a stream, in bytes.
const (
	leastDefaultBytes = 256 << 20
	unknownDiskBytes  = 8 << 30 // where the free disk can't be told
)

// serverMemory bounds JetStream's own memory storage, which hallpass uses for
// the state of consumers only.
const serverMemory = 64 << 20

// serverReady is how long a started server has to accept connections.
const serverReady = 10 * time.Second

// OpenEmbedded starts a NATS server in this process, over cfg.Dir, and opens
// its stream. The directory belongs to one process at a time. It goes on until
// the stream is open or ctx ends; errors are sentences for an operator.
func OpenEmbedded(ctx context.Context, cfg EmbedConfig) (*JetStream, error) {
	logger := orDiscard(cfg.Logger)
	dir, err := claimDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s, err := startServer(ctx, cfg, dir, logger)
	if err != nil {
		dir.release()
		return nil, err
	}
	l, err := open(ctx, logger, s.dialer(), choice{
		replicas: 1,
		maxBytes: cfg.MaxBytes,
		fallback: func(context.Context, *nats.Conn) (int64, error) { return halfFreeDisk(dir.path), nil },
		adjust:   true,
		broken:   s.broken,
	})
	if err != nil {
		s.stop()
		dir.release()
		return nil, err
	}
	l.stop = func() {
		s.stop()
		dir.release()
	}
	return l, nil
}

// halfFreeDisk is the default size of a stream under dir, in bytes.
func halfFreeDisk(dir string) int64 {
	free, ok := freeDisk(dir)
	if !ok {
		return unknownDiskBytes
	}
	return max(free/2, leastDefaultBytes)
}

// embedded is a NATS server in this process.
type embedded struct {
	srv      *server.Server
	log      *serverLog
	addr     string // "": in-process connections only
	user     string
	password string // random, never leaves the process
}

func startServer(ctx context.Context, cfg EmbedConfig, dir *dataDir, logger *slog.Logger) (*embedded, error) {
	e := &embedded{log: &serverLog{logger: logger}}
	opts := &server.Options{
		ServerName:             dir.serverName,
		DontListen:             cfg.Listen == "",
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               dir.path,
		SyncAlways:             !cfg.NoSync,
		JetStreamMaxMemory:     serverMemory,
		JetStreamMaxStore:      1 << 60, // the stream states its own size
	}
	if cfg.Listen != "" {
		if err := e.listen(opts, cfg.Listen); err != nil {
			return nil, err
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("eventstore: the embedded NATS server can't be set up: %w", err)
	}
	e.srv = srv
	srv.SetLoggerV2(e.log, logger.Enabled(ctx, levelServerDebug), false, false)
	started := make(chan struct{})
	go func() { // ends with the start; stop below ends the server
		defer close(started)
		srv.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		<-started // a server that is recovering its store can't be stopped before
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case e.log.fatal.Load(), !srv.ReadyForConnections(serverReady):
		err = errors.New(e.log.lastTrouble())
	}
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("eventstore: the embedded NATS server over %s didn't start: %w", dir.path, err)
	}
	if cfg.Listen != "" {
		e.addr = srv.Addr().String()
	}
	return e, nil
}

// listen adds a loopback listener with a random credential to opts.
func (e *embedded) listen(opts *server.Options, at string) error {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return fmt.Errorf("eventstore: the listen address of the embedded NATS server is no host:port: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("eventstore: the embedded NATS server listens on loopback only (127.0.0.1:0), not on %q", host)
	}
	opts.Host = host
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("eventstore: the listen port of the embedded NATS server is no number: %q", port)
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	e.user, e.password = "hallpass", rand.Text()
	opts.Username, opts.Password = e.user, e.password
	return nil
}

func (e *embedded) dialer() dialer {
	if e.addr == "" {
		return dialer{options: []nats.Option{nats.InProcessServer(inProcess{e.srv})}}
	}
	return dialer{url: "nats://" + e.addr, options: []nats.Option{nats.UserInfo(e.user, e.password)}}
}

// broken returns why the server can't store anything any more, or nil. It
// can't where its disk failed it once: the store then leaves every record
// without an answer, until the server is started again.
func (e *embedded) broken() error {
	err := e.log.diskError()
	switch {
	case err != nil && noRoom(err):
		return fmt.Errorf("%w: the disk has no room left (%w); make room and start hallpass again", ErrFull, err)
	case err != nil:
		return fmt.Errorf("eventstore: the disk failed (%w); mend it and start hallpass again", err)
	case !e.srv.Running() || !e.srv.JetStreamEnabled() || e.log.fatal.Load():
		return fmt.Errorf("eventstore: the embedded NATS server has stopped (%s)", e.log.lastTrouble())
	}
	return nil
}

func (e *embedded) stop() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}
