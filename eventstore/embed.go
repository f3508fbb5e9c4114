package eventstore

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// EmbedConfig configures OpenEmbedded.
type EmbedConfig struct {
	Dir      string        // holds the stream; made with mode 0700 if missing
	NoSync   bool          // don't sync each record to disk: a power loss may take acknowledged ones
	MaxBytes int64         // of the stream; 0: half the free disk when it is made, afterwards what it has
	MaxLease time.Duration // of a stream that is made; 0: DefaultMaxLease
	Logger   *slog.Logger
	Listen   string         // "127.0.0.1:0": use this loopback address, with a random credential; "": no port at all
	Cluster  *ClusterConfig // nil: the server stands alone

	// ClientListen is a host:port for other nodes and embedders, who connect as
	// user hallpass with ClientPassword, over TLS when the cluster has a
	// certificate. It takes the place of Listen.
	ClientListen   string
	ClientPassword string
}

// The bounds of the default size of a stream, in bytes.
const (
	leastDefaultBytes = 256 << 20
	unknownDiskBytes  = 8 << 30 // where the free disk can't be told
)

// OpenEmbedded starts a NATS server in this process, over cfg.Dir, and opens
// its stream. The directory belongs to one process at a time. It goes on until
// the stream is open or ctx ends: in a cluster, until enough of the other nodes
// are there too, in whatever order they start. Errors are sentences for an
// operator.
func OpenEmbedded(ctx context.Context, cfg EmbedConfig) (*JetStream, error) {
	logger := orDiscard(cfg.Logger)
	if cfg.Cluster != nil { // before it leaves traces in the directory
		if err := cfg.Cluster.routesTo(new(server.Options)); err != nil {
			return nil, err
		}
	}
	dir, err := claimDir(cfg.Dir, modeOf(cfg.Cluster))
	if err != nil {
		return nil, err
	}
	s, err := startServer(ctx, cfg, dir, logger)
	if err != nil {
		dir.release()
		return nil, err
	}
	l, err := open(ctx, logger, s.dialer(), s.choice(cfg, dir))
	if err != nil {
		s.stop()
		dir.release()
		return nil, err
	}
	if cfg.ClientListen != "" {
		l.clientURL = "nats://" + s.srv.Addr().String()
	}
	l.free = func() (int64, bool) { return freeDisk(dir.path) }
	l.stop = func() {
		s.stop()
		dir.release()
	}
	return l, nil
}

func (e *embedded) choice(cfg EmbedConfig, dir *dataDir) choice {
	c := choice{
		replicas: 1,
		maxBytes: cfg.MaxBytes,
		maxLease: cfg.MaxLease,
		fallback: func(context.Context, *nats.Conn) (int64, error) { return halfFreeDisk(dir.path), nil },
		adjust:   true,
		broken:   e.broken,
	}
	if e.held {
		c.lost = func() error {
			return fmt.Errorf("eventstore: the data directory %s held the stream, and the server could not take it up (%s); "+
				"nothing is made in its place: restore the directory from a backup, or use another one for a new stream", dir.path, e.log.lastTrouble())
		}
	}
	if e.cluster != nil {
		c.replicas = e.cluster.replicas()
		c.member = e
	}
	return c
}

// halfFreeDisk is the default size of a stream under dir, in bytes.
func halfFreeDisk(dir string) int64 {
	free, ok := freeDisk(dir)
	if !ok {
		return unknownDiskBytes
	}
	return max(free/2, leastDefaultBytes)
}
