package projectionstest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// Link is a faulty log that can also alter what readers get, bring it late, act
// as one whose server is cut off from its quorum, and stand still or die with
// the process whose link it is.
type Link struct {
	*eventstoretest.Faulty
	lead *lead // of the play; nil: there is none

	mu       sync.Mutex // guards what follows
	alter    func(*eventstore.Record)
	replica  string
	lag      time.Duration
	stranded chan struct{} // closed when the server is back with its quorum; nil: it is
	stopped  chan struct{} // closed when the process goes on; nil: it runs
	stops    int           // how often it was stopped
	dead     bool
}

// NewLink returns a link to the log.
func NewLink(log eventstore.Log) *Link {
	return &Link{Faulty: eventstoretest.NewFaulty(log)}
}

// Alter has f change each record that a reader gets; its data is a copy.
func (l *Link) Alter(f func(*eventstore.Record)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alter = f
}

// ReadFrom has readers say whose copy they read; "": what the log says.
func (l *Link) ReadFrom(replica string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.replica = replica
}

// Lag has every record come that long after it was stored.
func (l *Link) Lag(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag = d
}

// Strand makes the link one to a server that is cut off from its quorum, which
// looks like peace: readers are silent, appends and barriers get no answer, and
// messages are taken and go nowhere. Unstrand ends it.
func (l *Link) Strand() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stranded == nil {
		l.stranded = make(chan struct{})
		l.Stall()
	}
}

// Unstrand ends Strand.
func (l *Link) Unstrand() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stranded != nil {
		close(l.stranded)
		l.stranded = nil
		l.Resume()
	}
}

// Stop makes the link stand still, as all that a process does when it is
// stopped: calls return, and messages arrive, when it goes on.
func (l *Link) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == nil {
		l.stopped = make(chan struct{})
		l.stops++
	}
}

// Stops is how often the link was stopped so far.
func (l *Link) Stops() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stops
}

// Continue ends Stop.
func (l *Link) Continue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.continueLocked()
}

func (l *Link) continueLocked() {
	if l.stopped != nil {
		close(l.stopped)
		l.stopped = nil
	}
}

// Die makes every call fail from here on, without reaching the log.
func (l *Link) Die() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	l.continueLocked()
	if l.stranded != nil {
		close(l.stranded)
		l.stranded = nil
	}
}

// Pass waits as long as the process is stopped. It tells whether it lives.
func (l *Link) Pass() error {
	for {
		l.mu.Lock()
		stopped, dead := l.stopped, l.dead
		l.mu.Unlock()
		switch {
		case dead:
			return fmt.Errorf("%w: the process is dead (projectionstest)", eventstore.ErrClosed)
		case stopped == nil:
			return nil
		}
		<-stopped
	}
}

// reach waits as Pass does, and until the server is back with its quorum.
func (l *Link) reach(ctx context.Context) error {
	for {
		if err := l.Pass(); err != nil {
			return err
		}
		l.mu.Lock()
		stranded := l.stranded
		l.mu.Unlock()
		if stranded == nil {
			return nil
		}
		select {
		case <-stranded:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", eventstore.ErrUnknown, context.Cause(ctx))
		}
	}
}

func (l *Link) isStranded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stranded != nil
}

// Append implements eventstore.Log.
func (l *Link) Append(ctx context.Context, e eventstore.Entry) (eventstore.Seq, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	seq, err := l.Faulty.Append(ctx, e)
	if died := l.Pass(); died != nil {
		return 0, died
	}
	return seq, err
}

// AppendBatch implements eventstore.Log.
func (l *Link) AppendBatch(ctx context.Context, entries []eventstore.Entry) (eventstore.Seq, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	seq, err := l.Faulty.AppendBatch(ctx, entries)
	if died := l.Pass(); died != nil {
		return 0, died
	}
	return seq, err
}

// Barrier implements eventstore.Log.
func (l *Link) Barrier(ctx context.Context, node domain.NodeName, data []byte) (eventstore.Seq, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	return l.Faulty.Barrier(ctx, node, data)
}

// Last implements eventstore.Log.
func (l *Link) Last(ctx context.Context) (eventstore.Seq, error) {
	if err := l.Pass(); err != nil {
		return 0, err
	}
	if l.isStranded() {
		return l.Delivered(), nil
	}
	return l.Faulty.Last(ctx)
}

// Send implements eventstore.Bus.
func (l *Link) Send(topic string, data []byte) error {
	if err := l.Pass(); err != nil {
		return err
	}
	if l.isStranded() {
		return nil
	}
	return l.Faulty.Send(topic, data)
}

// Listen implements eventstore.Bus.
func (l *Link) Listen(topic, group string, f func(data []byte)) (stop func(), err error) {
	if err := l.Pass(); err != nil {
		return nil, err
	}
	return l.Faulty.Listen(topic, group, func(data []byte) {
		if l.Pass() == nil && !l.isStranded() {
			f(data)
		}
	})
}

// Acknowledgements has each acknowledgement that this node sends delivered so
// many times: 1 is right.
func (l *Link) Acknowledgements(times int) {
	l.OnSend(func(topic string, _ []byte) int {
		if strings.HasPrefix(topic, "ack.") {
			return times
		}
		return 1
	})
}

// Read implements eventstore.Log.
func (l *Link) Read(ctx context.Context, from eventstore.Seq) (eventstore.Reader, error) {
	if err := l.Pass(); err != nil {
		return nil, err
	}
	r, err := l.Faulty.Read(ctx, from)
	if err != nil {
		return nil, err
	}
	return &linkReader{Reader: r, link: l}, nil
}

type linkReader struct {
	eventstore.Reader
	link *Link
	due  []eventstore.Record // come, and still to be handed out
}

// Next implements eventstore.Reader.
func (r *linkReader) Next(ctx context.Context, buf []eventstore.Record) (int, error) {
	if err := r.link.Pass(); err != nil {
		return 0, err
	}
	for len(r.due) == 0 {
		n, err := r.Reader.Next(ctx, buf)
		if died := r.link.Pass(); died != nil {
			return 0, died
		}
		if err != nil {
			return 0, err
		}
		r.due = append(r.due, buf[:n]...)
	}
	n, err := r.wait(ctx)
	if err != nil {
		return 0, err
	}
	n = copy(buf, r.due[:n])
	r.due = r.due[n:]
	r.change(buf[:n])
	return n, nil
}

// wait returns how many of those due may be handed out: at least one.
func (r *linkReader) wait(ctx context.Context) (n int, _ error) {
	r.link.mu.Lock()
	lag := r.link.lag
	r.link.mu.Unlock()
	if d := r.link.lead; d != nil {
		lag = max(lag, d.lag())
	}
	if lag == 0 {
		return len(r.due), nil
	}
	t := time.NewTimer(time.Until(r.due[0].Stored.Time().Add(lag)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	for n < len(r.due) && time.Until(r.due[n].Stored.Time().Add(lag)) <= 0 {
		n++
	}
	return n, nil
}

func (r *linkReader) change(records []eventstore.Record) {
	r.link.mu.Lock()
	alter := r.link.alter
	r.link.mu.Unlock()
	if alter == nil {
		return
	}
	for i := range records {
		records[i].Data = bytes.Clone(records[i].Data)
		alter(&records[i])
	}
}

// Replica implements eventstore.Reader.
func (r *linkReader) Replica() string {
	r.link.mu.Lock()
	defer r.link.mu.Unlock()
	if r.link.replica != "" {
		return r.link.replica
	}
	return r.Reader.Replica()
}
