package projections

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hallpass/eventstore"
)

const (
	bufferSize    = 4096                   // records taken from a reader at once
	minWait       = 10 * time.Millisecond  // before a reader is replaced; doubles each time
	maxWait       = 500 * time.Millisecond // up to this: a lease is running
	progressEvery = 100 * time.Millisecond // see Config.Progress
)

// follower is the one loop that reads the log:
//
//	connect → replay up to what the log held then → live → link lost or silent → connect …
//
// A new reader starts at the newest fact applied, which must come back as it
// was, and so must the barriers behind it that are still there: they go after a
// while, facts don't. The loop ends at a record that can't be applied, and by
// Close.
type follower struct {
	log     eventstore.Log
	logger  *slog.Logger
	fold    *fold
	stall   time.Duration
	report  func(Status) // Config.Progress, or nothing
	box     statusBox
	caught  chan struct{} // closed when first live
	done    chan struct{} // closed when the loop has ended
	source  atomic.Value  // a string: whose copy the reader reads
	abandon atomic.Bool   // the copy of the stream that is read is to be avoided
	refused error         // why the node must not begin; nil: it may
	since   atomic.Int64  // CLOCK_BOOTTIME when the reader of now was opened; 0: there is none

	mu  sync.Mutex              // guards what follows
	cut context.CancelCauseFunc // ends the session of now

	// Of the loop alone.
	buf      []eventstore.Record
	fact     Seq                       // the newest fact applied; 0: none
	factSum  [sha256.Size]byte         // of it
	barriers map[Seq][sha256.Size]byte // sums of the newest barriers applied since
	reported time.Time                 // when report was last called, or a reader opened
	live     bool
	wasLive  bool // whether it was live once
	roomy    bool // makeRoom was tried
}

func newFollower(log eventstore.Log, cfg Config, f *fold) *follower {
	report := cfg.Progress
	if report == nil {
		report = func(Status) {}
	}
	return &follower{
		log: log, logger: cfg.Logger, fold: f, stall: cfg.Stall, report: report,
		caught: make(chan struct{}), done: make(chan struct{}),
		buf: make([]eventstore.Record, bufferSize), barriers: map[Seq][sha256.Size]byte{},
	}
}

func (f *follower) status() Status { return f.box.read(f.fold.position.At()) }

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	if f.refused != nil {
		f.ended(ctx, f.refused)
		return
	}
	wait := minWait
	for {
		before := f.fold.applied
		err := f.session(ctx)
		if f.ended(ctx, err) {
			return
		}
		if f.fold.applied > before {
			wait = minWait
		}
		f.lost(err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, maxWait)
	}
}

// reopen has the reader replaced, because of err; by one that another server
// serves, where that is asked for and possible.
func (f *follower) reopen(err error, elsewhere bool) {
	f.abandon.Store(elsewhere)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut != nil {
		f.cut(err)
	}
}

// replicaRead is the name of the server whose copy of the stream is read, as
// far as known.
func (f *follower) replicaRead() string {
	s, _ := f.source.Load().(string)
	return s
}

// session opens a reader and applies what it brings until that fails.
func (f *follower) session(ctx context.Context) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	f.mu.Lock()
	f.cut = cut
	f.mu.Unlock()
	f.box.change(func(s *Status) { s.Phase = Connecting })
	r, err := f.log.Read(ctx, max(f.fact, 1))
	if err != nil {
		return fmt.Errorf("opening a reader: %w", err)
	}
	defer func() {
		if a, can := r.(interface{ Abandon() }); can && f.abandon.Swap(false) {
			a.Abandon()
		}
		r.Close()
	}()
	f.source.Store(r.Replica())
	f.since.Store(int64(f.fold.boot()))
	defer f.since.Store(0)
	if f.fold.asker != nil {
		// The log's newest record may be a barrier that has gone: then the
		// replay ends where this node's own one is.
		f.fold.asker.forgetEchoes()
		f.fold.asker.askEcho()
	}
	target, err := f.lastOf(ctx)
	if err != nil {
		return err
	}
	f.replaying(target)
	w := &watch{follower: f, reader: r}
	defer w.stop()
	known := f.fact == 0 // whether the reader has shown that it is of the same history
	for {
		if known && !f.live && f.reached(target) {
			if err := f.fold.caughtUp(); err != nil {
				return err
			}
			f.becomeLive()
		}
		n, err := w.next(ctx, known)
		if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		records := f.buf[:n]
		if !known {
			if err := f.same(&records[0]); err != nil {
				return err
			}
			known, records = true, records[1:]
		}
		if records, err = f.unknown(records); err != nil {
			return err
		}
		if err := f.apply(records); err != nil {
			return err
		}
		if !f.roomy && !f.reached(target) { // it is a stream of ours, and there is more of it
			f.makeRoom(ctx)
		}
		if !f.live && time.Since(f.reported) >= progressEvery {
			f.reported = time.Now()
			f.report(f.status())
		}
	}
}

// reached tells whether the replay is at its end: at what the log held when it
// began, or at a barrier that this node has asked for since. What the log held
// is as its server knew, which may lag: it won't do for saying that a history
// is shorter than it was.
func (f *follower) reached(target Seq) bool {
	echoed := f.fold.asker != nil && f.fold.asker.echoed()
	if f.fold.asker != nil && f.fold.heads.owed() {
		return echoed
	}
	return f.fold.applied >= target || echoed
}

func (f *follower) apply(records []eventstore.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := f.fold.apply(records); err != nil {
		return err
	}
	f.remember(records)
	return nil
}

// barriersKept is how many barriers are remembered behind a fact: some twice as
// many as there are before they go.
const barriersKept = 4096

// remember keeps what a new reader is compared with.
func (f *follower) remember(records []eventstore.Record) {
	behind := 0
	for i := len(records) - 1; i >= 0; i-- {
		if rec := &records[i]; !isBarrier(rec.Subject) {
			f.fact, f.factSum = rec.Seq, sumOf(rec)
			clear(f.barriers)
			behind = i + 1
			break
		}
	}
	for i := range records[behind:] {
		rec := &records[behind+i]
		f.barriers[rec.Seq] = sumOf(rec)
	}
	if len(f.barriers) > 2*barriersKept {
		for seq := range f.barriers {
			if seq+barriersKept <= f.fold.applied {
				delete(f.barriers, seq)
			}
		}
	}
}

// same tells whether rec is the newest fact applied.
func (f *follower) same(rec *eventstore.Record) error {
	switch {
	case rec.Seq != f.fact:
		return &RecordError{rec.Seq, rec.Subject, fmt.Errorf("record %d was asked for, which this node had applied", f.fact)}
	case sumOf(rec) != f.factSum:
		return &RecordError{rec.Seq, rec.Subject, errChanged}
	}
	return nil
}

var errChanged = errors.New("it is not the record that this node had applied in this place: the log's history has changed")

// unknown returns those of the records that were not applied before. The
// others must be what was: barriers, the same as far as they are remembered. One
// that was missing before is of no harm now: leases that it gave are waited for.
func (f *follower) unknown(records []eventstore.Record) ([]eventstore.Record, error) {
	for len(records) > 0 && records[0].Seq > f.fact && records[0].Seq <= f.fold.applied {
		rec := &records[0]
		sum, kept := f.barriers[rec.Seq]
		if kept && sum != sumOf(rec) || !isBarrier(rec.Subject) {
			return nil, &RecordError{rec.Seq, rec.Subject, errChanged}
		}
		records = records[1:]
	}
	return records, nil
}

func sumOf(rec *eventstore.Record) [sha256.Size]byte {
	return sha256.Sum256(appendEntry(make([]byte, 0, 1024), rec))
}

func (f *follower) lastOf(ctx context.Context) (Seq, error) {
	ctx, cancel := context.WithTimeout(ctx, f.stall)
	defer cancel()
	last, err := f.log.Last(ctx)
	if err != nil {
		return 0, fmt.Errorf("asking for the log's newest record: %w", err)
	}
	return last, nil
}

// makeRoom saves the index from growing step by step while it is filled, which
// takes a quarter of the time of folding. Without an answer, it grows.
func (f *follower) makeRoom(ctx context.Context) {
	f.roomy = true
	ctx, cancel := context.WithTimeout(ctx, min(f.stall, time.Second))
	defer cancel()
	if u, err := f.log.Usage(ctx); err == nil {
		f.fold.index.digests.reserve(u.Subjects)
		f.fold.directory.reserve(u.Subjects)
	}
}

func (f *follower) replaying(target Seq) {
	f.box.change(func(s *Status) { s.Phase, s.Target = Replaying, target })
	f.logger.Debug("reading the log", "applied", f.fold.applied, "target", target)
	f.reported = time.Now()
}

func (f *follower) becomeLive() {
	f.live = true
	if f.fold.asker == nil {
		f.fold.index.setGate(gateOpen) // before the status: who sees it finds answers
	}
	f.box.change(func(s *Status) { s.Phase, s.Err = Live, nil })
	f.logger.Info("caught up with the log", "revision", f.fold.applied)
	f.report(f.status())
	if !f.wasLive {
		f.wasLive = true
		close(f.caught)
	}
}

// lost says that checks are refused once the lease is over, unless the node
// has caught up by then.
func (f *follower) lost(err error, wait time.Duration) {
	f.box.change(func(s *Status) { s.Phase, s.Err = Connecting, err })
	f.logger.Warn("not following the log for now; checks are answered as long as the lease lasts",
		"error", err, "applied", f.fold.applied, "next_try", wait)
}

// close shuts the gate of a node without a lease, first of all that has to be done.
func (f *follower) close() {
	f.live = false
	if f.wasLive && f.fold.asker == nil {
		f.fold.index.setGate(gateShut)
	}
}

// ended tells whether err, or the end of ctx, is the end of the loop, and if
// so tells everyone who waits.
func (f *follower) ended(ctx context.Context, err error) bool {
	phase := Closed
	f.close()
	switch {
	case errors.As(err, new(*RecordError)), errors.As(err, new(*HistoryError)), errors.As(err, new(*ConfigError)), errors.Is(err, ErrSuperseded):
		phase = Failed
		f.logger.Error("stopped; checks are refused from here on", "error", err, "applied", f.fold.applied)
	case errors.Is(err, ErrClosed):
		f.logger.Info("left the stream", "applied", f.fold.applied)
	case ctx.Err() != nil:
		err = ErrClosed
	case errors.Is(err, eventstore.ErrClosed):
		f.logger.Info("the log was closed", "applied", f.fold.applied)
		err = fmt.Errorf("%w with its log: %w", ErrClosed, err)
	default:
		return false
	}
	f.fold.index.setGate(gateOver) // also if it was never live: it never will be
	if h := (*HistoryError)(nil); errors.As(err, &h) && h.At == 0 && f.fold.asker != nil {
		err = f.fold.asker.locate(ctx, h)
		f.logger.Error("stopped", "error", err)
	}
	f.box.change(func(s *Status) { s.Phase, s.Err = phase, err })
	f.fold.end(err)
	return true
}
