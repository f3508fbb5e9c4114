package projections

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// NodeConfig is how a node takes part in the stream. The zero value is a node
// of a random name that answers for 12 s after each proof.
type NodeConfig struct {
	Name        domain.NodeName    // unique among the nodes; default a random one
	Incarnation domain.Incarnation // of this process; default a random one
	Key         ed25519.PrivateKey // signs acknowledgements and receipts; default a new one

	// Ended are earlier incarnations of this node that are surely dead: whoever
	// states them holds the lock on the data directory in which they are written.
	// The node writes that they have left, so that no fence waits for them.
	Ended []domain.Incarnation

	Lease      time.Duration // how long checks are answered after a proof; default 12 s
	ServeStale time.Duration // how long after that they may be, marked stale; default not at all

	// FollowOnly is for nodes that are many, or may not write barriers: they
	// ask those that write them, which are the nodes without it.
	FollowOnly bool
}

// DefaultLease is above what replacing a killed stream leader takes (4 to 9 s).
const DefaultLease = 12 * time.Second

// renewEvery is how often a node asks for proof.
func (c *NodeConfig) renewEvery() time.Duration { return min(time.Second, c.Lease/4) }

// defaults fills in what isn't stated.
func (c *NodeConfig) defaults() {
	if c.Name == "" {
		c.Name = domain.NodeName("node-" + rand.Text()[:10])
	}
	if c.Incarnation == (domain.Incarnation{}) {
		_, _ = rand.Read(c.Incarnation[:]) // never fails
	}
	if c.Key == nil {
		_, c.Key, _ = ed25519.GenerateKey(nil) // fails only if rand.Read does
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
}

// ConfigError says that a node was configured in a way that can't be: it has
// ended before it began.
type ConfigError struct{ Why error }

func (e *ConfigError) Error() string {
	return "projections: the node's configuration: " + e.Why.Error()
}
func (e *ConfigError) Unwrap() error { return e.Why }

// leastLease is the shortest that makes sense: a proof takes milliseconds.
const leastLease = 100 * time.Millisecond

// check returns a *ConfigError, or nil.
func (c *NodeConfig) check() error {
	_, err := domain.ParseNodeName(string(c.Name))
	switch {
	case err != nil:
	case c.Lease < leastLease || c.Lease > longestLease:
		err = fmt.Errorf("a lease of %v is not between %v and %v", c.Lease, leastLease, longestLease)
	case c.ServeStale < 0 || c.ServeStale > longestLease:
		err = fmt.Errorf("stale answers for %v are not between none and %v", c.ServeStale, longestLease)
	case len(c.Key) != ed25519.PrivateKeySize:
		err = errors.New("the key is no Ed25519 private key")
	default:
		return nil
	}
	return &ConfigError{err}
}

// life is one process's part in the stream: it joins once it is caught up,
// then asks for proof until it ends.
type life struct {
	cfg      *Config
	log      eventstore.Log
	logger   *slog.Logger
	fold     *fold
	follower *follower
	stream   [16]byte
	name     domain.NodeName
	self     domain.Incarnation

	asker  *asker
	keeper *keeper
	fences fences
	ready  chan struct{} // closed with the first lease
	once   sync.Once     // of closing ready
	done   chan struct{} // closed when run has ended
}

func newLife(log eventstore.Log, cfg *Config, f *fold, follower *follower) *life {
	l := &life{
		cfg: cfg, log: log, logger: cfg.Logger, fold: f, follower: follower, stream: log.Settings().Stream,
		name: cfg.Node.Name, self: cfg.Node.Incarnation, ready: make(chan struct{}), done: make(chan struct{}),
	}
	l.keeper = newKeeper(l)
	l.asker = newAsker(l, l.keeper)
	f.asker, f.index.lease = l.asker, l.asker.lease
	return l
}

// granted is called with every proof.
func (l *life) granted() {
	l.once.Do(func() {
		l.fold.index.setGate(gateOpen)
		close(l.ready)
	})
}

// run is the whole life. It ends with ctx, and with the follower.
func (l *life) run(ctx context.Context) {
	defer close(l.done)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	parts.Go(func() { l.keeper.run(ctx) })
	parts.Go(func() { l.lead(ctx) })
	if l.catchUp(ctx) != nil {
		return
	}
	stop, err := l.enter(ctx)
	if err != nil {
		return // the follower or ctx has ended
	}
	defer stop()
	parts.Go(func() { l.checkpointing(ctx) })
	l.renew(ctx)
}

// catchUp waits until the follower is live for the first time. Its errors are
// pause's.
func (l *life) catchUp(ctx context.Context) error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-l.follower.caught:
			return nil
		case <-l.follower.done:
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
			l.asker.askEcho()
		}
	}
}

// enter writes the join record, once this node has seen what was before it,
// and starts to answer other nodes.
func (l *life) enter(ctx context.Context) (stop func(), _ error) {
	for _, ended := range l.cfg.Node.Ended {
		if m, there := l.fold.members.get(ended); there {
			if err := l.record(ctx, domain.NodeLeft{Name: m.Name, Incarnation: ended}, m.Name); err != nil {
				return nil, err
			}
		}
	}
	join := domain.NodeJoined{Name: l.name, Incarnation: l.self, Reads: domain.SchemaLevel}
	copy(join.Key[:], l.cfg.Node.Key.Public().(ed25519.PublicKey))
	if err := l.record(ctx, join, l.name); err != nil {
		return nil, err
	}
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, listen := range l.listeners() {
		f, err := l.untilListening(ctx, listen)
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, f)
	}
	return stop, nil
}

// listeners are what this node answers.
func (l *life) listeners() []func() (func(), error) {
	all := []func() (func(), error){l.acknowledge}
	if !l.cfg.Node.FollowOnly {
		all = append(all, l.keeper.listen, l.tell)
	}
	return all
}

func (l *life) untilListening(ctx context.Context, listen func() (func(), error)) (func(), error) {
	for {
		stop, err := listen()
		if err == nil {
			return stop, nil
		}
		l.logger.Warn("not listening to other nodes yet", "error", err)
		if err := l.pause(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

// record appends a fact about the node of that name, and returns once this node has
// applied it. It tries until ctx or the follower ends; a process that dies
// meanwhile leaves it written or not, which the next life finds.
func (l *life) record(ctx context.Context, e domain.Event, about domain.NodeName) error {
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		err := l.recordOnce(ctx, e, about)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrClosed) || ctx.Err() != nil {
			return err
		}
		if conflict := (*eventstore.ConflictError)(nil); !errors.As(err, &conflict) {
			l.logger.Warn("a record about this node is not written yet", "record", e.Type(), "error", err)
		}
		if err := l.pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (l *life) recordOnce(ctx context.Context, e domain.Event, about domain.NodeName) error {
	fact := l.newFact(e)
	pending := l.fold.pending.expect(fact.ID)
	defer pending.Cancel()
	ctx, cancel := context.WithTimeout(ctx, barrierTime)
	defer cancel()
	data := domain.Encode(fact)
	if _, err := domain.Decode(data); err != nil { // stored, it would stop every node
		return fmt.Errorf("a record that nodes could not read: %w", err)
	}
	_, err := l.log.Append(ctx, eventstore.Entry{
		Subject: eventstore.SubjectOf(fact), Expect: l.fold.members.lastOf(about), ID: fact.ID, Type: e.Type(), Data: data,
	})
	if err != nil && !errors.Is(err, eventstore.ErrUnknown) {
		return err
	}
	_, err = pending.Wait(ctx)
	return err
}

// leave says that this node answers no more, which its gate must say already.
func (l *life) leave(ctx context.Context) error {
	if _, joined := l.fold.members.get(l.self); !joined {
		return nil
	}
	err := l.record(ctx, domain.NodeLeft{Name: l.name, Incarnation: l.self}, l.name)
	if _, there := l.fold.members.get(l.self); !there {
		return nil // the record ended this node, as it should
	}
	return err
}

// newFact is a fact of the operator's about the stream's own affairs.
func (l *life) newFact(e domain.Event) *domain.Fact {
	var entropy [10]byte
	_, _ = rand.Read(entropy[:]) // never fails
	now := l.fold.index.Now()
	return &domain.Fact{
		ID: domain.NewEventID(now, entropy), Time: now, Authorised: l.fold.position.At(), Account: domain.RootAccount, Event: e,
	}
}

// pause waits. Its errors are ctx's, and ErrClosed when the follower ended.
func (l *life) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.follower.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// renew asks for proof again and again. Where none comes back, the reader is
// replaced: it may read from a server that is cut off, which looks like peace.
func (l *life) renew(ctx context.Context) {
	every := l.cfg.Node.renewEvery()
	least := every
	if l.cfg.Node.FollowOnly {
		least += l.cfg.Node.Lease / askShare
	}
	patience, heard, tries := least, time.Duration(0), 0
	for {
		age, p := l.asker.lease.standing()
		wait, late := every, p == nil || age > p.length/3
		if late {
			wait = every / 4
		}
		l.asker.ask(late)
		if err := l.pause(ctx, wait); err != nil {
			return
		}
		if last := l.asker.lastHeard(); last != heard { // proof comes again
			patience, heard, tries = least, last, 0
		}
		// A reader that was just opened gets its time, and one that is being
		// opened has the log's own patience.
		if opened := time.Duration(l.follower.since.Load()); opened != 0 && l.asker.overdue(patience, opened) {
			l.follower.reopen(fmt.Errorf("%w: no proof of being current came back in %v", eventstore.ErrLost, patience), tries > 1)
			tries++
			patience = min(2*patience, max(l.cfg.Node.Lease/3, least))
		}
	}
}
