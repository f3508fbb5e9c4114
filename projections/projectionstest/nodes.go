package projectionstest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// Node is a projection with a link of its own to the log.
type Node struct {
	*projections.Projection
	Link *Link
	t    testing.TB
}

// Link is a faulty log that can also alter what readers get.
type Link struct {
	*eventstoretest.Faulty
	mu    sync.Mutex // guards alter
	alter func(*eventstore.Record)
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

// Read implements eventstore.Log.
func (l *Link) Read(ctx context.Context, from eventstore.Seq) (eventstore.Reader, error) {
	r, err := l.Faulty.Read(ctx, from)
	if err != nil {
		return nil, err
	}
	return &linkReader{r, l}, nil
}

type linkReader struct {
	eventstore.Reader
	link *Link
}

// Next implements eventstore.Reader.
func (r *linkReader) Next(ctx context.Context, buf []eventstore.Record) (int, error) {
	n, err := r.Reader.Next(ctx, buf)
	r.link.mu.Lock()
	alter := r.link.alter
	r.link.mu.Unlock()
	for i := range buf[:n] {
		if alter != nil {
			buf[i].Data = bytes.Clone(buf[i].Data)
			alter(&buf[i])
		}
	}
	return n, err
}

// StartNode starts a node over the log, which ends with the test. Its clock
// stands at T0 unless cfg has one.
func StartNode(t testing.TB, log eventstore.Log, cfg projections.Config) *Node {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() domain.Instant { return T0 }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	link := NewLink(log)
	n := &Node{Projection: projections.Open(link, cfg), Link: link, t: t}
	t.Cleanup(n.Close)
	return n
}

// Patience is how long a test waits for what must come.
const Patience = 30 * time.Second

// WaitLive waits until the node is live and has applied the record.
func (n *Node) WaitLive(seq eventstore.Seq) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		n.t.Fatalf("waiting for a live node: %v; %+v", err, n.Status())
	}
	if err := n.Position.Wait(ctx, seq); err != nil {
		n.t.Fatalf("waiting for record %d: %v; %+v", seq, err, n.Status())
	}
}

// WaitPhase waits until the node is in that phase, and returns its status.
func (n *Node) WaitPhase(phase projections.Phase) projections.Status {
	n.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		s := n.Status()
		if s.Phase == phase {
			return s
		}
		if time.Since(began) > Patience {
			n.t.Fatalf("waiting for a node to be %v: %+v", phase, s)
		}
	}
}

// Verdict returns what a check by the nth secret answers: a verdict, or the
// code of why there is none.
func (n *Node) Verdict(secret int, need domain.Need) string {
	a, err := n.Index.Check(Secret(secret), need)
	if err != nil {
		return string(domain.CodeOf(err))
	}
	return string(a.Verdict)
}
