package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Fault is what goes wrong with one append.
type Fault uint8

// The faults of appends. Each answers as a real log would in that case.
const (
	None     Fault = iota
	LoseAck        // stored, but the caller's time is over before the answer: ErrUnknown
	Conflict       // stored, the answer lost, asked again: a conflict with its own record
	Repeat         // stored, and asked again by mistake: the first answer
	LoseSend       // not stored, but nobody can tell: ErrUnknown
	Full           // not stored: ErrFull
)

// Faulty is a log whose appends, readers and messages fail as told. Without
// being told anything it is the log that it wraps. Give each node a Faulty of
// its own over one log, and the link of each can fail in each direction alone.
// All methods may be used at any time from any goroutine.
type Faulty struct {
	eventstore.Log

	mu        sync.Mutex // guards what follows
	before    func(eventstore.Entry) Fault
	after     func(eventstore.Entry, eventstore.Seq)
	barrier   func(domain.NodeName, []byte) Fault
	send      func(topic string, data []byte) int
	deliver   func(eventstore.Record) int
	appends   chan struct{} // closed when appends reach the log again; nil: they do
	bus       Direction     // that is cut
	refused   error         // what Read answers; nil: a reader
	stalled   chan struct{} // closed when readers go on; nil: they do
	cut       chan struct{} // closed when the readers of now are cut
	opened    int
	delivered eventstore.Seq
}

// NewFaulty wraps log.
func NewFaulty(log eventstore.Log) *Faulty {
	return &Faulty{Log: log, cut: make(chan struct{})}
}

// OnAppend has f decide about each append before it is made. It may wait, to
// delay the append, and may itself use the log. nil: no faults.
func (l *Faulty) OnAppend(f func(eventstore.Entry) Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = f
}

// OnStored has f called after a record was stored and before its writer is
// told. It may wait, to delay the answer; what others append meanwhile comes
// after it. nil: nothing is called.
func (l *Faulty) OnStored(f func(eventstore.Entry, eventstore.Seq)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = f
}

// OnDeliver has f say how often each reader gets each record: 1 is right, 0
// leaves a gap, 2 repeats it. nil: once.
func (l *Faulty) OnDeliver(f func(eventstore.Record) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliver = f
}

// Stall makes every reader, of now and later, silent until Resume.
func (l *Faulty) Stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled == nil {
		l.stalled = make(chan struct{})
	}
}

// Resume ends Stall.
func (l *Faulty) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled != nil {
		close(l.stalled)
		l.stalled = nil
	}
}

// Cut ends every reader of now with ErrLost.
func (l *Faulty) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.cut)
	l.cut = make(chan struct{})
}

// RefuseReaders has Read answer err; nil: it opens readers again.
func (l *Faulty) RefuseReaders(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = err
}

// Opened returns how many readers were opened so far.
func (l *Faulty) Opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

// Delivered returns the highest record that any reader has handed out.
func (l *Faulty) Delivered() eventstore.Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.delivered
}

// Append implements eventstore.Log.
func (l *Faulty) Append(ctx context.Context, e eventstore.Entry) (eventstore.Seq, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	l.mu.Lock()
	before, after := l.before, l.after
	l.mu.Unlock()
	fault := None
	if before != nil {
		fault = before(e)
	}
	switch fault {
	case LoseSend:
		return 0, errLost
	case Full:
		return 0, eventstore.ErrFull
	}
	seq, err := l.Log.Append(ctx, e)
	if err != nil {
		return seq, err
	}
	if after != nil {
		after(e, seq)
	}
	switch fault {
	case LoseAck:
		return 0, errLost
	case Conflict:
		return 0, &eventstore.ConflictError{Subject: e.Subject, Last: seq}
	case Repeat:
		again, err := l.Log.Append(ctx, e)
		var conflict *eventstore.ConflictError
		if err == nil && again != seq || err != nil && !errors.As(err, &conflict) {
			return again, err
		}
	}
	return seq, nil
}

var errLost = fmt.Errorf("%w: %w (eventstoretest)", eventstore.ErrUnknown, context.DeadlineExceeded)

// Read implements eventstore.Log.
func (l *Faulty) Read(ctx context.Context, from eventstore.Seq) (eventstore.Reader, error) {
	l.mu.Lock()
	refused, cut := l.refused, l.cut
	if refused == nil {
		l.opened++
	}
	l.mu.Unlock()
	if refused != nil {
		return nil, refused
	}
	r, err := l.Log.Read(ctx, from)
	if err != nil {
		return nil, err
	}
	return &faultyReader{log: l, inner: r, cut: cut}, nil
}

type faultyReader struct {
	log   *Faulty
	inner eventstore.Reader
	cut   chan struct{}
	due   []eventstore.Record // read, and still to be handed out
}

// Next implements eventstore.Reader.
func (r *faultyReader) Next(ctx context.Context, buf []eventstore.Record) (int, error) {
	for {
		if err := r.wait(ctx); err != nil {
			return 0, err
		}
		if len(r.due) > 0 {
			n := copy(buf, r.due)
			r.due = r.due[n:]
			r.log.note(buf[:n])
			return n, nil
		}
		if err := r.fill(ctx, len(buf)); err != nil {
			return 0, err
		}
	}
}

// wait returns when the reader isn't stalled, or with the error of its end.
func (r *faultyReader) wait(ctx context.Context) error {
	for {
		r.log.mu.Lock()
		stalled := r.log.stalled
		r.log.mu.Unlock()
		select {
		case <-r.cut:
			r.inner.Close()
			return eventstore.ErrLost
		default:
		}
		if stalled == nil {
			return nil
		}
		select {
		case <-stalled:
		case <-r.cut:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fill reads once into due. What comes while the log is stalled stays there.
func (r *faultyReader) fill(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with this call
		select {
		case <-r.cut:
			cancel(eventstore.ErrLost)
		case <-ctx.Done():
		}
	}()
	batch := make([]eventstore.Record, n)
	n, err := r.inner.Next(ctx, batch)
	if err != nil {
		return err
	}
	r.log.mu.Lock()
	deliver := r.log.deliver
	r.log.mu.Unlock()
	for _, rec := range batch[:n] {
		times := 1
		if deliver != nil {
			times = deliver(rec)
		}
		for range times {
			r.due = append(r.due, rec)
		}
	}
	return nil
}

func (l *Faulty) note(records []eventstore.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rec := range records {
		l.delivered = max(l.delivered, rec.Seq)
	}
}

// Replica implements eventstore.Reader.
func (r *faultyReader) Replica() string { return r.inner.Replica() }

// Close implements eventstore.Reader.
func (r *faultyReader) Close() { r.inner.Close() }
