package projections

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections/internal/hook"
)

// Seq is a revision of the stream.
type Seq = domain.Seq

// ErrClosed is what waiting for a projection returns once it was closed.
var ErrClosed = errors.New("projections: closed")

// Config is how to follow a log. The zero value is fine.
type Config struct {
	Now    func() domain.Instant // the wall clock; default time.Now. Called once or twice a check.
	Boot   func() time.Duration  // a clock that nobody sets and that counts sleep; default CLOCK_BOOTTIME
	Logger *slog.Logger          // default slog.Default

	// Progress, if set, is called at most ten times a second while the node
	// replays, and once when it is live. The loop waits for it to return.
	Progress func(Status)

	// Stall is how long a reader may bring nothing although the log has more
	// before it is replaced; default 5 s. That the log has more is found out
	// no later than after another such time.
	Stall time.Duration

	Node NodeConfig // who this node is among the others

	// FirstUsed, if set, is called for every use of a secret that stands and
	// whose first use ends the older ones of its token, until that is a record.
	// The digest is as the token knows it. Checks wait for it to return.
	FirstUsed func(domain.AccountID, domain.TokenID, domain.Digest)

	// UsageEvery is how often the node keeps when tokens were used, and learns
	// what other nodes have kept; see Usage. 0: uses are not gathered. It needs
	// a name in Node that stays the same.
	UsageEvery time.Duration

	// Accept are records that can't be read, with the SHA-256 of their data,
	// which the operator has decided to pass over. Receipts tell of them.
	Accept map[Seq][sha256.Size]byte

	// Head, if set, is where this node notes how far it has come. At the next
	// start it must come to the same again: a history that is shorter, or
	// another, ends the node with a *HistoryError; unless GiveUp is what that
	// says in its field of this name.
	Head   HeadFile
	GiveUp string

	Hook *hook.Hook // for the tests of this package
}

// Projection follows one log and holds what was folded from it. Its methods
// and those of its parts may be called from many goroutines.
type Projection struct {
	Index     *Index
	Directory *Directory
	Position  *Position
	Feed      *Feed
	Usage     *Usage

	log      eventstore.Log
	fold     *fold
	verdicts *verdicts
	pending  *pendings
	follower *follower
	life     *life // nil: of a node that takes no part; see hook.Hook
	cancel   context.CancelFunc
	usage    sync.WaitGroup // of Usage's loop
}

// wallTime is the wall clock as the time package has it: a test may run in time
// of its own (testing/synctest).
func wallTime() domain.Instant { return domain.Instant(time.Now().UnixMilli()) }

// Open starts to follow the log and returns at once; Ready waits until the
// node is live. Close ends it. The log stays the caller's.
func Open(log eventstore.Log, cfg Config) *Projection {
	if cfg.Now == nil {
		cfg.Now = wallTime
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Stall == 0 {
		cfg.Stall = 5 * time.Second
	}
	if cfg.Boot == nil {
		cfg.Boot = bootTime
	}
	refused := cfg.checkUsage()
	cfg.Node.defaults()
	refused = cmp.Or(refused, cfg.Node.check())
	f := newFold(log, &cfg)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Projection{
		Index: f.index, Directory: f.directory, Position: f.position, Feed: f.feed,
		log: log, fold: f, verdicts: f.verdicts, pending: f.pending,
		follower: newFollower(log, cfg, f), cancel: cancel,
	}
	p.follower.refused = refused
	p.Usage = newUsage(&cfg, log, f.directory, f.index)
	f.directory.usage = p.Usage
	if p.Usage.On() {
		p.usage.Go(func() { p.Usage.run(ctx) })
	}
	if cfg.Hook == nil || !cfg.Hook.Unleased {
		p.life = newLife(log, &cfg, f, p.follower)
		go p.life.run(ctx) // Close waits for it
	}
	go p.follower.run(ctx) // and for this
	return p
}

// Status tells where the node is.
func (p *Projection) Status() Status {
	s := p.follower.status()
	if p.life != nil {
		s.Lease = p.life.asker.lease.status()
		s.Lease.RoundTrip = p.life.asker.roundTrip()
	}
	return s
}

// Ready waits until the node may answer checks: it is caught up, has joined,
// and had its first proof of being current. Its errors are the failure that
// ended the node (see Status), ErrClosed, and ctx's.
func (p *Projection) Ready(ctx context.Context) error {
	ready := p.follower.caught
	if p.life != nil {
		ready = p.life.ready
	}
	select {
	case <-ready:
	case <-p.follower.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s := p.follower.status(); s.Phase == Failed || s.Phase == Closed {
		return s.Err
	}
	return nil
}

// Members are the incarnations that have joined and not left, this one
// included, by name.
func (p *Projection) Members() []MemberStatus {
	var out []MemberStatus
	seen := p.fold.members.sightings(0)
	for _, m := range p.fold.members.all() {
		s := MemberStatus{Member: m.Member, Reads: m.reads, Replica: seen[m.Incarnation].replica, Size: seen[m.Incarnation].size}
		s.Differs = seen[m.Incarnation].differs
		s.Lease, s.LeaseLeft = p.fold.leases.of(m.Incarnation)
		out = append(out, s)
	}
	return out
}

// Reads is the schema level that every node with a lease can read, this one
// included: nothing above it may be written.
func (p *Projection) Reads() uint64 { return p.fold.leases.reads() }

// Tree returns how many facts this node has applied, and the root of the
// Merkle tree (RFC 6962) over them; zeros before the first.
func (p *Projection) Tree() (size uint64, root Hash) {
	if p.fold.tree.size() == 0 {
		return 0, Hash{}
	}
	return p.fold.tree.head()
}

// Accepted are the records that can't be read and were passed over, as
// Config.Accept says.
func (p *Projection) Accepted() []Seq { return p.fold.acceptedSoFar() }

// Current waits until this node has applied everything that was stored before
// the call. Its errors are ctx's, and ErrClosed when the node has ended.
func (p *Projection) Current(ctx context.Context) error {
	if p.life == nil { // takes no part, and can't know
		return ErrClosed
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		came, forget := p.life.asker.current()
		select {
		case <-came:
			return nil
		case <-again.C: // lost on the way: once more
			forget()
		case <-p.follower.done:
			forget()
			return ErrClosed
		case <-ctx.Done():
			forget()
			return context.Cause(ctx)
		}
	}
}

// WaitReplicas waits until each of the named servers is proven to hold what this
// node has applied: a node that reads that server's copy has said so in a
// barrier. Whoever stops a server in good order waits for the others first, so
// that one that lags does not come to lead. Its only error is ctx's.
func (p *Projection) WaitReplicas(ctx context.Context, names []string) error {
	size := p.fold.tree.size()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		proven := map[string]bool{}
		for _, s := range p.fold.members.sightings(0) {
			proven[s.replica] = proven[s.replica] || s.agrees && s.size >= size
		}
		if !slices.ContainsFunc(names, func(name string) bool { return !proven[name] }) {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Leave ends the node in good order: it answers no more checks, then says so
// in the stream, so that no fence waits for its lease. Close it afterwards.
// Errors are ctx's, and those of a node that has ended already; then fences
// wait for as long as the lease lasts.
func (p *Projection) Leave(ctx context.Context) error {
	p.Index.setGate(gateOver)
	if p.life == nil {
		return p.Usage.Flush(ctx)
	}
	if err := p.life.leave(ctx); err != nil {
		return err
	}
	_ = p.Usage.Flush(ctx) // it tells of what fails itself; nothing waits for it
	return nil
}

// Close stops following and waits for the loop to end. From then on checks
// answer stale, and whoever waits gets ErrClosed.
func (p *Projection) Close() {
	p.cancel()
	<-p.follower.done
	p.usage.Wait()
	if p.life != nil {
		<-p.life.done
	}
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
	Err     error // why the node is not live, as far as known; a *RecordError or *HistoryError when it failed
	Lease   Lease
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
