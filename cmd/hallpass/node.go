package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// node is one running server: listeners, log, projection and doors, opened in
// that order and closed the other way round.
type node struct {
	flags  *serveFlags
	logger *slog.Logger
	stdout io.Writer
	wanted domain.Secret // the root secret that the environment supplies; may be none
	keys   *liveKeyring  // set by run
}

// run is a node's life: it returns nil when ctx ends it. The ports are taken
// first and answer health and readiness from then on; what opens a token does
// not work before the log is replayed.
func (n *node) run(ctx context.Context) error {
	ports, err := n.listen()
	if err != nil {
		return err
	}
	s := n.serveOn(ports)
	defer s.end()
	if n.flags.nats.URL != "" { // the embedded stream locks the directory itself
		release, err := eventstore.LockDir(n.flags.data)
		if err != nil {
			return err
		}
		defer release()
	}
	if n.keys, err = openKeyring(keyringFileOf(n.flags.keyring, n.flags.data), n.logger); err != nil {
		return err
	}
	log, err := n.flags.openLog(ctx, n.logger)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			n.logger.Warn("closing the log", "error", err)
		}
	}()
	if err := n.flags.others.fits(log.Settings()); err != nil {
		return err
	}
	return n.follow(ctx, log, s)
}

// follow replays the log, sees to the root token, says that the node is ready,
// and waits for its end.
func (n *node) follow(ctx context.Context, log *eventstore.JetStream, s *serving) error {
	head, err := eventstore.OpenHead(filepath.Join(n.flags.data, headFile))
	if err != nil {
		return err
	}
	defer head.Close() //nolint:errcheck // what counts was synced
	self, err := n.self()
	if err != nil {
		return err
	}
	shown, firstUses := newProgress(os.Stderr, n.logger), projections.NewFirstUses()
	clocked, now := n.flags.clock.of(log), n.flags.clock.now()
	collectAgain := collectLater()
	p := projections.Open(clocked, projections.Config{
		Now: now, Logger: n.logger, Progress: shown.show, Node: self, Accept: n.flags.others.accept,
		Head: head, GiveUp: n.flags.others.giveUp, FirstUsed: firstUses.Note, UsageEvery: n.flags.usageEvery,
	})
	defer p.Close()
	defer n.leave(p, log)
	defer s.end() // requests that run need the projection
	ended := make(chan error, 1)
	go func() { ended <- p.Position.Wait(context.Background(), math.MaxUint64) }() // ends with the projection
	svc := api.NewService(api.ServiceConfig{Log: clocked, Projection: p, Logger: n.logger, Keyring: n.keys.now, FirstUses: firstUses, AllowWeakSecrets: n.flags.allowWeak})
	defer inBackground(svc.Reseal)()
	defer inBackground(func(ctx context.Context) { _ = svc.Upkeep(ctx) })() // its error is Ready's, which is seen to below
	s.open(api.NewHandler(svc, api.HandlerConfig{
		Version: version(), Stopping: s.stopping, Logger: n.logger, LeaksPerMinute: n.flags.leaks(),
		TrustedProxies: n.flags.proxies,
	}), n.flags.dialects.handlers(svc))

	go func() { // it takes a moment, in which checks can be answered
		standstill(p)
		collectAgain()
		debug.FreeOSMemory()
	}()
	err = p.Ready(ctx)
	shown.done()
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil: // ended has it too
	default:
		if err := settled(n.flags.data, self); err != nil {
			return err
		}
		if err := n.makeKeyring(ctx, svc); err != nil {
			return stopped(ctx, err)
		}
		if err := n.announce(ctx, svc, s.on); err != nil {
			return stopped(ctx, err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.served:
			return s.err
		case err := <-ended:
			if err := n.over(err, log.Settings()); err != nil {
				return err
			}
			// Closed, but there: readiness names the record, for whoever comes to look.
			n.logger.Error("this node answers nothing but health and readiness", "error", err)
		}
	}
}

// self is who this node is among the others.
func (n *node) self() (projections.NodeConfig, error) {
	self, err := identityIn(n.flags.data, domain.NodeName(n.flags.others.node))
	self.Lease, self.ServeStale = n.flags.others.lease.d, n.flags.others.stale.d
	return self, err
}

// over says why a node whose projection ended because of err must end; nil if
// it is to stay up, closed, for an operator to see.
func (n *node) over(err error, is eventstore.Settings) error {
	var differs *projections.HistoryError
	switch {
	case errors.Is(err, projections.ErrSuperseded):
		return errors.New("another process has joined under the name of this node, which therefore stops: if both are to run, give each its own --node and --data")
	case errors.Is(err, projections.ErrClosed):
		return fmt.Errorf("this node was declared dead by another process that holds its data directory, and stops: %w", err)
	case errors.As(err, &differs) && is.Replicas < 2:
		return fmt.Errorf("%w (in %s)", err, n.flags.data)
	}
	return nil
}

// What an orderly stop gets for its parts.
const (
	provenFor   = 5 * time.Second
	handOverFor = 10 * time.Second
	leaveFor    = 5 * time.Second
)

// leave takes the node out of the stream, when it takes no requests any more:
// it waits until the other copies of the stream are proven to hold what this
// node has seen, lets another server lead, and says that it answers no more
// checks, so that no fence waits for it. What fails of that costs time
// elsewhere, and nothing else.
func (n *node) leave(p *projections.Projection, log *eventstore.JetStream) {
	if n.flags.others.cluster != "" {
		if err := n.othersProven(p, log); err != nil {
			n.logger.Warn("not every other server is proven to hold all records before this one stops", "error", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), handOverFor)
		defer cancel()
		if err := log.HandOver(ctx); err != nil {
			n.logger.Warn("no other server took over the stream before this one stops", "error", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveFor)
	defer cancel()
	if err := p.Leave(ctx); err != nil {
		n.logger.Warn("the other nodes were not told that this one leaves: changes wait for its lease to run out", "error", err)
	}
}

func (n *node) othersProven(p *projections.Projection, log *eventstore.JetStream) error {
	ctx, cancel := context.WithTimeout(context.Background(), provenFor)
	defer cancel()
	peers, err := log.Peers(ctx)
	if err != nil {
		return err
	}
	var others []string
	for _, peer := range peers {
		if peer.Name != n.flags.others.node && !peer.Offline {
			others = append(others, peer.Name)
		}
	}
	return p.WaitReplicas(ctx, others)
}

// announce makes sure that there is a root token, then prints the ready line,
// behind it the root secret if this start made it, and where dialects have ports
// of their own.
func (n *node) announce(ctx context.Context, svc *api.Service, ports []*listener) error {
	made, err := n.bootstrap(ctx, svc)
	if err != nil {
		return err
	}
	lines := "listening on " + ports[0].url + "\n"
	if !made.IsZero() {
		lines += "root token: " + made.Reveal() + "\n"
	}
	said := []any{"address", ports[0].url, "revision", svc.Revision(), "version", version()}
	for _, l := range ports[1:] {
		lines += l.dialect + " listening on " + l.url + "\n"
		said = append(said, l.dialect, l.url)
	}
	if _, err := io.WriteString(n.stdout, lines); err != nil {
		return fmt.Errorf("writing to stdout: %w", err)
	}
	n.logger.Info("ready", said...)
	return nil
}

// stopped is err, or nil when it only says that the node was told to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// standstill returns once p is live, or has not got on for two seconds: then it
// may be hours until a node without its quorum is ready.
func standstill(p *projections.Projection) {
	for applied := p.Position.At(); ; {
		time.Sleep(2 * time.Second)
		now := p.Position.At()
		if s := p.Status(); s.Phase != projections.Replaying || now == applied {
			return
		}
		applied = now
	}
}
