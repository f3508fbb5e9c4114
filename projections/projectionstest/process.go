package projectionstest

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/internal/hook"
)

// Process is one life of a node in a play: with a link, clocks and stalls of
// its own.
type Process struct {
	*projections.Projection
	Link  *Link
	Clock *Clock

	label string
	cfg   projections.NodeConfig
	head  *HeadInMemory

	mu   sync.Mutex // guards hold
	hold *hold
}

// hold stops one check between deciding and looking whether it may be answered.
type hold struct {
	there, release chan struct{}
}

// open starts a process over the log, once its link is prepared. Its name,
// incarnation and key are cfg's.
func open(label string, log eventstore.Log, clock *Clock, cfg projections.NodeConfig, head *HeadInMemory, prepare func(*Link)) *Process {
	n := &Process{Link: NewLink(log), Clock: clock, label: label, cfg: cfg, head: head}
	prepare(n.Link)
	c := projections.Config{
		Now: clock.Wall, Boot: clock.Boot, Node: cfg, Head: head,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Hook: &hook.Hook{Decided: n.decided},
	}
	n.Projection = projections.Open(n.Link, c)
	return n
}

// decided is called in each check, after it was decided.
func (n *Process) decided() {
	n.mu.Lock()
	h := n.hold
	n.hold = nil
	n.mu.Unlock()
	if h != nil {
		close(h.there)
		<-h.release
	}
	_ = n.Link.Pass()
}

// holdNext has the next check stop once it is decided.
func (n *Process) holdNext() *hold {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hold = &hold{make(chan struct{}), make(chan struct{})}
	return n.hold
}

// kill ends the process as SIGKILL does: it says nothing more to anyone.
func (n *Process) kill() {
	n.Link.Die()
	n.Close()
}

// change appends a fact about the token through this process's link, as a
// service does, and returns where it stands and what became of it. It returns
// the revision that made the token what it is where wanted says so.
func (n *Process) change(ctx context.Context, f *domain.Fact, wanted func(*domain.Token) bool) (out projections.Outcome, _ error) {
	for ; ; time.Sleep(10 * time.Millisecond) {
		state, last := n.Directory.State(domain.Target{Account: f.Account, Token: f.Token})
		if wanted(&state.Token) {
			return projections.Outcome{Seq: state.Token.Revision}, nil
		}
		if f.Actor.IsOperator() {
			f.Authorised = n.Position.At()
		}
		out, err := n.append(ctx, f, last)
		if err == nil || domain.CodeOf(err) != domain.CodeConflict {
			return out, err
		}
		if ctx.Err() != nil {
			return out, context.Cause(ctx)
		}
	}
}

func (n *Process) append(ctx context.Context, f *domain.Fact, last eventstore.Seq) (projections.Outcome, error) {
	pending := n.Expect(f.ID)
	defer pending.Cancel()
	_, err := n.Link.Append(ctx, eventstore.Entry{
		Subject: eventstore.SubjectOf(f), Expect: last, ID: f.ID, Type: f.Event.Type(), Data: domain.Encode(f),
	})
	if isConflict(err) {
		return projections.Outcome{}, domain.Errorf(domain.CodeConflict, "another came first")
	}
	if err != nil && !isUnknown(err) {
		return projections.Outcome{}, err
	}
	return pending.Wait(ctx)
}

// Clock is a machine's two clocks, over the fake time of a synctest bubble.
type Clock struct {
	mu   sync.Mutex // guards what follows
	rate float64    // of the machine's clocks, against the time of the bubble
	from time.Time  // when the rate was set
	boot time.Duration
	wall time.Duration // ahead of the bubble's, the rate aside
}

// NewClock returns a right clock of a machine that has been up for an hour.
func NewClock() *Clock { return &Clock{rate: 1, from: time.Now(), boot: time.Hour} }

// Boot counts the time since the machine started.
func (c *Clock) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bootLocked()
}

func (c *Clock) bootLocked() time.Duration {
	return c.boot + time.Duration(float64(time.Since(c.from))*c.rate)
}

// Wall is the time of day.
func (c *Clock) Wall() domain.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return domain.InstantOf(time.Now().Add(c.wall))
}

// JumpBoot has the machine sleep for that long, as far as the one clock tells
// that counts it.
func (c *Clock) JumpBoot(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot += d
}

// JumpWall sets the time of day by so much.
func (c *Clock) JumpWall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += d
}

// Drift makes the machine's clock run at that rate.
func (c *Clock) Drift(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.boot, c.from, c.rate = c.bootLocked(), time.Now(), rate
}

// HeadInMemory is a head file that outlives its process.
type HeadInMemory struct {
	mu   sync.Mutex // guards mark
	mark *eventstore.Mark
}

// Mark implements projections.HeadFile.
func (h *HeadInMemory) Mark() (eventstore.Mark, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mark == nil {
		return eventstore.Mark{}, false
	}
	return *h.mark, true
}

// Write implements projections.HeadFile.
func (h *HeadInMemory) Write(m eventstore.Mark) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mark = &m
	return nil
}

// Forget implements projections.HeadFile; any mark is written.
func (h *HeadInMemory) Forget() {}

// Sync implements projections.HeadFile.
func (h *HeadInMemory) Sync() error { return nil }

// keyOf is the nth of some keys.
func keyOf(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0], seed[1] = byte(n), byte(n>>8)
	return ed25519.NewKeyFromSeed(seed)
}
