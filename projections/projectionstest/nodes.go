package projectionstest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/internal/hook"
)

// Node is a projection with a link of its own to the log.
type Node struct {
	*projections.Projection
	Link *Link
	t    testing.TB
}

// StartNode starts a node over the log, which ends with the test. Its clock
// stands at T0 unless cfg has one. It takes no part in the stream, and answers
// as long as its link lasts: StartMember starts one that does.
func StartNode(t testing.TB, log eventstore.Log, cfg projections.Config) *Node {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() domain.Instant { return T0 }
	}
	cfg.Hook = &hook.Hook{Unleased: true}
	return start(t, log, cfg)
}

// StartMember starts a node that joins the stream, and has cfg's clocks. It
// ends with the test.
func StartMember(t testing.TB, log eventstore.Log, cfg projections.Config) *Node {
	t.Helper()
	return start(t, log, cfg)
}

func start(t testing.TB, log eventstore.Log, cfg projections.Config) *Node {
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

// Barrier returns the data of a barrier in that log which answers nobody.
func Barrier(log eventstore.Log) []byte {
	return fmt.Appendf(nil, `{"stream":"%x","epoch":0,"by":"%032x","size":0,"root":"%064x","proofs":[]}`, log.Settings().Stream, 1, 0)
}
