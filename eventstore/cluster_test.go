package eventstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// Nodes may start in any order. Each says what it waits for; all find the one
// stream, and after a stop two of three suffice.
func TestClusterStartsInAnyOrder(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	var lines eventstoretest.Lines
	c.Configs[2].Logger = lines.Logger()
	opened := make(chan error, 3)
	open := func(i int) {
		go func() { opened <- c.Open(eventstoretest.Context(t), i) }()
	}
	at := func(i int) string { return c.Configs[i].Cluster.Listen }
	open(2)
	eventstoretest.Eventually(t, "n3 says that it is alone", func() bool {
		return lines.Has("still trying", "routes to 0 of 2 other nodes", at(0)+" can't be reached (connection refused)",
			at(1)+" can't be reached", "no leader for its metadata")
	})
	open(0)
	eventstoretest.Eventually(t, "n3 says that it lacks one", func() bool {
		return lines.Has("still trying", "routes to 1 of 2 other nodes are connected (n1)", at(1)+" can't be reached")
	})
	open(1)
	for range 3 {
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
	}
	id := c.Log(0).StreamID()
	for i := range 3 {
		if c.Log(i).StreamID() != id || c.Log(i).Settings().Replicas != 3 {
			t.Errorf("node %d opened another stream: %+v", i+1, c.Log(i).Settings())
		}
	}
	last := eventstoretest.Append(t, c.Log(1), subject, 0, "x")
	for i := range 3 {
		c.Stop(i)
	}
	c.Start(2, 1)
	if c.Log(1).StreamID() != id {
		t.Error("another stream after a restart")
	}
	eventstoretest.Append(t, c.Log(2), subject, last, "y")
	c.Start(0)
	eventstoretest.Read(t, c.Log(0), 1, last+1)
}

// A stream of more replicas than there are nodes waits for them, and says so.
func TestClusterOfTooFew(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 2)
	var lines eventstoretest.Lines
	ctx, cancel := context.WithCancel(eventstoretest.Context(t))
	defer cancel()
	opened := make(chan error)
	for i := range c.Configs {
		c.Configs[i].Cluster.Replicas = 3
		c.Configs[i].Logger = lines.Logger()
		go func() { opened <- c.Open(ctx, i) }()
	}
	eventstoretest.Eventually(t, "the nodes say what they lack", func() bool {
		return lines.Has("still trying to open the stream", "3 replicas", "no suitable peers")
	})
	cancel()
	for range c.Configs {
		if err := <-opened; err == nil {
			t.Error("a stream of 3 replicas was made by 2 nodes")
		}
	}
}

// Each node can tell whether its own server leads, and has another one lead.
func TestWhoLeadsIsKnownAtItsOwnServer(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	c.Start(0, 1, 2)
	c.Lead(1)
	eventstoretest.Eventually(t, "n2 knows that it leads, and n1 and n3 that they don't", func() bool {
		var leads [3]bool
		for i := range leads {
			leads[i], _ = c.Log(i).Leads()
		}
		return leads == [3]bool{1: true}
	})
	eventstoretest.Eventually(t, "one of them leads the metadata", func() bool {
		leaders := 0
		for i := range c.Configs {
			if _, metadata := c.Log(i).Leads(); metadata {
				leaders++
			}
		}
		return leaders == 1
	})
	if err := c.Log(1).HandOver(eventstoretest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if stream, metadata := c.Log(1).Leads(); stream || metadata {
		t.Errorf("after handing over n2 leads the stream (%v) or the metadata (%v)", stream, metadata)
	}
}

// A leader that ends without a word costs time, but no acknowledged record.
func TestClusterLeaderStops(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	c.Start(0, 1, 2)
	story(t, c.Log(0), 2, 40, func() {
		for c.Leader(0) == 0 {
			if err := c.Log(0).HandOver(eventstoretest.Context(t)); err != nil {
				t.Fatal(err)
			}
		}
		leader := c.Leader(0)
		c.Stop(leader)
		c.Start(leader)
	})
}

// TestRollingRestart restarts every node in turn, each after a handover, while
// the next one appends: no acknowledged record is lost. It prints how long
// appends waited at most.
func TestRollingRestart(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	c.Start(0, 1, 2)
	acked := map[eventstore.Seq]string{}
	var last eventstore.Seq
	for k := range 3 {
		c.Lead(k) // the hardest case
		stop := make(chan struct{})
		var writer sync.WaitGroup
		var slowest time.Duration
		writer.Go(func() {
			log := c.Log((k + 1) % 3)
			for {
				select {
				case <-stop:
					return
				default:
				}
				data := fmt.Sprint("record ", len(acked))
				begin := time.Now()
				seq, err := appendSurely(eventstoretest.Context(t), log, eventstoretest.NewEntry(subject, last, []byte(data)))
				if err != nil {
					t.Error(err)
					return
				}
				slowest = max(slowest, time.Since(begin))
				last = seq
				acked[seq] = data
			}
		})
		begin := time.Now()
		if err := c.Log(k).HandOver(eventstoretest.Context(t)); err != nil {
			t.Error(err)
		}
		handover := time.Since(begin)
		c.Stop(k)
		stopped := time.Since(begin)
		c.Start(k)
		back := time.Since(begin)
		close(stop)
		writer.Wait()
		t.Logf("node %d: handed over in %v, stopped after %v, back after %v; the slowest append took %v",
			k+1, handover, stopped, back, slowest)
		if t.Failed() {
			return
		}
	}
	for _, r := range eventstoretest.Read(t, c.Log(0), 2, last) {
		if want, ok := acked[r.Seq]; ok && want != string(r.Data) {
			t.Errorf("record %d holds %q, its writer put %q there", r.Seq, r.Data, want)
		}
		delete(acked, r.Seq)
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged records are missing", len(acked))
	}
}

// A reader lands at its own server's copy nearly always, and anywhere soon
// after one there was given up.
func TestReadersPreferTheirOwnServer(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	c.Start(0, 1, 2)
	read := func(i int, content bool) (home bool) {
		r, err := c.Log(i).Read(eventstoretest.Context(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		buf := make([]eventstore.Record, 1)
		if n, err := r.Next(eventstoretest.Context(t), buf); n != 1 || err != nil || buf[0].Seq != 1 {
			t.Errorf("a reader began with %d, %v", buf[0].Seq, err)
		}
		if !content {
			r.(interface{ Abandon() }).Abandon()
		}
		return r.Replica() == c.Configs[i].Cluster.Node
	}
	const each = 30
	for _, first := range []bool{true, false} {
		home, begin := 0, time.Now()
		for i := range 3 {
			for !first {
				if read(i, false) { // one of its own server's is given up
					break
				}
			}
			for range each {
				if first {
					c.Log(i).PreferOwn()
				}
				if read(i, first) {
					home++
				}
			}
		}
		t.Logf("preferring home %v: %d of %d readers are there, %v each", first, home, 3*each, time.Since(begin)/(3*each))
		if first && home < 75 || !first && (home < 10 || home > 60) { // by lot, some 89 and 30 are
			t.Errorf("preferring home %v: %d of %d readers are there", first, home, 3*each)
		}
	}
}

// Barriers and messages of all nodes reach all nodes.
func TestClusterBusAndBarriers(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	c.Start(0, 1, 2)
	var mu sync.Mutex
	heard := map[string]bool{}
	one := 0
	for i := range 3 {
		_, err := c.Log(i).Listen("fresh", "", func(data []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard[fmt.Sprint(string(data), " at ", i)] = true
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Log(i).Listen("ask", "servers", func([]byte) {
			mu.Lock()
			defer mu.Unlock()
			one++
		}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (all, grouped int) {
		mu.Lock()
		defer mu.Unlock()
		return len(heard), one
	}
	eventstoretest.Eventually(t, "everybody hears everybody", func() bool {
		for i := range 3 {
			if err := c.Log(i).Send("fresh", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		all, _ := count()
		return all == 9
	})
	for i := range 30 {
		if err := c.Log(i%3).Send("ask", nil); err != nil {
			t.Fatal(err)
		}
	}
	eventstoretest.Eventually(t, "one of the group hears each", func() bool { _, n := count(); return n == 30 })
	for i := range 3 {
		seq, err := c.Log(i).Barrier(eventstoretest.Context(t), domain.NodeName(c.Configs[i].Cluster.Node), nil)
		if err != nil || seq != eventstore.Seq(i+2) {
			t.Errorf("a barrier got place %d, %v", seq, err)
		}
	}
	for i := range 3 {
		eventstoretest.Read(t, c.Log(i), 1, 4)
	}
}
