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
	maxWait       = 2 * time.Second        // up to this
	progressEvery = 100 * time.Millisecond // see Config.Progress
)

// follower is the one loop that reads the log:
//
//	connect → replay up to what the log held then → live → link lost or silent → connect …
//
// A new reader starts at the last record applied, which must come back as it
// was. The loop ends at a record that can't be applied, and by Close.
type follower struct {
	log    eventstore.Log
	logger *slog.Logger
	fold   *fold
	stall  time.Duration
	report func(Status) // Config.Progress, or nothing
	box    statusBox
	caught chan struct{} // closed when first live
	done   chan struct{} // closed when the loop has ended
	source atomic.Value  // a string: whose copy the reader reads

	mu  sync.Mutex              // guards what follows
	cut context.CancelCauseFunc // ends the session of now

	// Of the loop alone.
	buf      []eventstore.Record
	last     [sha256.Size]byte // sum of the newest record applied
	reported time.Time         // when report was last called, or a reader opened
	live     bool
	wasLive  bool // whether it was live once
}

func newFollower(log eventstore.Log, cfg Config, f *fold) *follower {
	report := cfg.Progress
	if report == nil {
		report = func(Status) {}
	}
	return &follower{
		log: log, logger: cfg.Logger, fold: f, stall: cfg.Stall, report: report,
		caught: make(chan struct{}), done: make(chan struct{}),
		buf: make([]eventstore.Record, bufferSize),
	}
}

func (f *follower) status() Status { return f.box.read(f.fold.position.At()) }

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
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

// reopen has the reader replaced, because of err. The new one may be served
// by another server.
func (f *follower) reopen(err error) {
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
	r, err := f.log.Read(ctx, max(f.fold.applied, 1))
	if err != nil {
		return fmt.Errorf("opening a reader: %w", err)
	}
	defer r.Close()
	f.source.Store(r.Replica())
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
	known := f.fold.applied == 0 // whether the reader has shown that it is of the same history
	for {
		if known && !f.live && (f.fold.applied >= target || f.fold.asker != nil && f.fold.asker.echoed()) {
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
		if err := f.apply(records); err != nil {
			return err
		}
		if !f.live && time.Since(f.reported) >= progressEvery {
			f.reported = time.Now()
			f.report(f.status())
		}
	}
}

func (f *follower) apply(records []eventstore.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := f.fold.apply(records); err != nil {
		return err
	}
	f.last = sumOf(&records[len(records)-1])
	return nil
}

// same tells whether rec is the newest record applied.
func (f *follower) same(rec *eventstore.Record) error {
	switch applied := f.fold.applied; {
	case rec.Seq != applied:
		return &RecordError{rec.Seq, rec.Subject, fmt.Errorf("record %d was asked for, which this node had applied", applied)}
	case sumOf(rec) != f.last:
		return &RecordError{rec.Seq, rec.Subject, errors.New("it is not the record that this node had applied in this place: the log's history has changed")}
	}
	return nil
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

func (f *follower) replaying(target Seq) {
	f.box.change(func(s *Status) { s.Phase, s.Target = Replaying, target })
	f.logger.Debug("reading the log", "applied", f.fold.applied, "target", target)
	f.reported = time.Now()
}

func (f *follower) becomeLive() {
	f.live = true
	f.box.change(func(s *Status) { s.Phase, s.Err = Live, nil })
	if f.fold.asker == nil {
		f.fold.index.setGate(gateOpen)
	}
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
	case errors.As(err, new(*RecordError)), errors.As(err, new(*HistoryError)), errors.Is(err, ErrSuperseded):
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
	if h := (*HistoryError)(nil); errors.As(err, &h) && f.fold.asker != nil {
		err = f.fold.asker.locate(ctx, h)
		f.logger.Error("stopped", "error", err)
	}
	f.box.change(func(s *Status) { s.Phase, s.Err = phase, err })
	f.fold.end(err)
	return true
}
