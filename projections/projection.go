package projections

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Seq is a revision of the stream.
type Seq = domain.Seq

// ErrClosed is what waiting for a projection returns once it was closed.
var ErrClosed = errors.New("projections: closed")

// Config is how to follow a log. The zero value is fine.
type Config struct {
	Now    func() domain.Instant // the wall clock; default time.Now. Called at most once a check.
	Logger *slog.Logger          // default slog.Default

	// Progress, if set, is called at most ten times a second while the node
	// replays, and once when it is live. The loop waits for it to return.
	Progress func(Status)

	// Stall is how long a reader may bring nothing although the log has more
	// before it is replaced; default 5 s. That the log has more is found out
	// no later than after another such time.
	Stall time.Duration
}

// Projection follows one log and holds what was folded from it. Its methods
// and those of its parts may be called from many goroutines.
type Projection struct {
	Index     *Index
	Directory *Directory
	Position  *Position
	Feed      *Feed

	log      eventstore.Log
	verdicts *verdicts
	pending  *pendings
	follower *follower
	cancel   context.CancelFunc
}

// Open starts to follow the log and returns at once; Ready waits until the
// node is live. Close ends it. The log stays the caller's.
func Open(log eventstore.Log, cfg Config) *Projection {
	if cfg.Now == nil {
		cfg.Now = func() domain.Instant { return domain.Instant(time.Now().UnixMilli()) }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Stall == 0 {
		cfg.Stall = 5 * time.Second
	}
	f := newFold(log, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Projection{
		Index: f.index, Directory: f.directory, Position: f.position, Feed: f.feed,
		log: log, verdicts: f.verdicts, pending: f.pending,
		follower: newFollower(log, cfg, f), cancel: cancel,
	}
	go p.follower.run(ctx)
	return p
}

// Status tells where the node is.
func (p *Projection) Status() Status { return p.follower.status() }

// Ready waits until the node was live once. Its errors are the failure that
// ended the node (see Status), ErrClosed, and ctx's.
func (p *Projection) Ready(ctx context.Context) error {
	f := p.follower
	select {
	case <-f.ready:
	case <-f.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s := f.status(); s.Phase == Failed || s.Phase == Closed {
		return s.Err
	}
	return nil
}

// Close stops following and waits for the loop to end. From then on checks
// answer stale, and whoever waits gets ErrClosed.
func (p *Projection) Close() {
	p.cancel()
	<-p.follower.done
}

// Phase is what a node is doing.
type Phase uint8

// The phases. A node that loses its link goes back to Connecting; Failed and
// Closed are final.
const (
	Connecting Phase = iota // opening a reader
	Replaying               // reading what the log held when the reader was opened
	Live                    // caught up: checks are answered in this phase alone
	Failed                  // stopped at a record; Status.Err names it
	Closed                  // by Close, or with the log
)

func (p Phase) String() string {
	return [...]string{"connecting", "replaying", "live", "failed", "closed"}[p]
}

// Status is where a node is.
type Status struct {
	Phase   Phase
	Applied Seq   // the newest record applied
	Target  Seq   // the record to reach before the node is live; never below Applied
	Err     error // why the node is not live, as far as known; a *RecordError when it failed
}

// statusBox holds a Status for readers.
type statusBox struct {
	mu sync.Mutex // guards is
	is Status     // without Applied, which is the position's
}

func (b *statusBox) change(f func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.is)
}

func (b *statusBox) read(at Seq) Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.is
	s.Applied, s.Target = at, max(s.Target, at)
	return s
}
