package projections_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore/eventstoretest"
)

// On a cluster of real servers a checkpoint comes for every thousand facts, and
// soon after the last change; then none until there is another change. It names
// a majority of the servers.
func TestCheckpointsOfACluster(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("it takes a cluster of real servers")
	}
	x := newReplicas(t)
	sub, err := x.nodes[1].Feed.Subscribe(0)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	const facts = 3500
	last := x.file(0, facts, 300)
	filed := time.Now()
	uncovered, most, checkpoints := 0, 0, 0
	var size, covered uint64
	for covered < facts+2 { // the genesis and the account are facts too
		e, err := sub.Next(eventstoretest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		size++
		c, ok := e.Fact.Event.(domain.Checkpoint)
		if !ok {
			uncovered++
			most = max(most, uncovered)
			continue
		}
		checkpoints++
		uncovered = int(size - 1 - c.Size)
		covered = c.Size
		seen := map[string]bool{}
		for _, s := range c.Seen {
			seen[s.Replica] = true
		}
		if len(seen) < 2 {
			t.Errorf("the checkpoint at %d was seen at %v", e.Seq, c.Seen)
		}
	}
	took := time.Since(filed)
	t.Logf("%d checkpoints for %d facts; at most %d uncovered; the last %v after revision %d", checkpoints, facts, most, took, last)
	if checkpoints > 10 || took > 30*time.Second {
		t.Errorf("%d checkpoints, the last after %v", checkpoints, took)
	}
	none, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	for {
		e, err := sub.Next(none)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := e.Fact.Event.(domain.Checkpoint); ok && e.Seq > last {
			if covered++; covered > facts+40 {
				t.Fatalf("checkpoints go on without a change: one at %d", e.Seq)
			}
		}
	}
}

// An orderly stop waits until the servers that go on are proven to have all
// that this node has. One that lags is waited for.
func TestAStopWaitsForALaggingReplica(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("it takes a cluster of real servers")
	}
	x := newReplicas(t)
	x.Lead(0)
	x.agree(x.file(0, 10, 300), 0, 1, 2)
	x.crash(2)
	last := x.file(0, 200, 300)
	if err := x.nodes[0].Position.Wait(eventstoretest.Context(t), last); err != nil {
		t.Fatal(err)
	}
	others := []string{x.Configs[1].Cluster.Node, x.Configs[2].Cluster.Node}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := x.nodes[0].WaitReplicas(short, others); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a server that is down was not waited for: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- x.nodes[0].WaitReplicas(eventstoretest.Context(t), others) }()
	x.Start(2)
	x.join(2, nil)
	x.readyOwn(2)
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	answered := x.checking(1, 2)
	if err := x.nodes[0].Leave(eventstoretest.Context(t)); err != nil {
		t.Error(err)
	}
	if err := x.Log(0).HandOver(eventstoretest.Context(t)); err != nil {
		t.Error(err)
	}
	if n := x.Leader(1); n == 0 {
		t.Error("the server that stops still leads")
	}
	x.crash(0)
	x.agree(x.file(1, 10, 300), 1, 2)
	answered()
}
