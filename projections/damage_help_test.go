package projections_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// replicas is a cluster of embedded servers with a node on each, as "hallpass
// serve" has them: with a head file, and an earlier life that has ended.
type replicas struct {
	*eventstoretest.Cluster
	t     *testing.T
	nodes []*replica
	filed int // tokens so far
}

type replica struct {
	*projections.Projection
	link *projectionstest.Link
	head *eventstore.Head
	life domain.Incarnation
	dir  string
}

// newReplicas starts three nodes, in a stream with blocks of 4 MiB and the
// account acme.
func newReplicas(t *testing.T) *replicas {
	x := &replicas{Cluster: eventstoretest.NewCluster(t, 3), t: t}
	for i := range x.Configs {
		x.Configs[i].MaxBytes = 30 << 20
		x.nodes = append(x.nodes, &replica{dir: x.Configs[i].Dir})
	}
	t.Cleanup(func() {
		for _, n := range x.nodes {
			if n.Projection != nil {
				n.Close()
				_ = n.head.Close()
			}
		}
	})
	x.Start(0, 1, 2)
	x.append(0, x.fact("", domain.AccountOpened{Name: "Acme"}))
	for i := range x.nodes {
		x.join(i, nil)
		x.ready(i)
	}
	return x
}

// join opens node i's projection; alter, if set, changes what it reads.
func (x *replicas) join(i int, alter func(*eventstore.Record)) {
	x.t.Helper()
	n := x.nodes[i]
	head, err := eventstore.OpenHead(filepath.Join(n.dir, "head"))
	if err != nil {
		x.t.Fatal(err)
	}
	cfg := projections.NodeConfig{Name: domain.NodeName(x.Configs[i].Cluster.Node), Ended: []domain.Incarnation{n.life}}
	_, _ = rand.Read(cfg.Incarnation[:])
	n.head, n.life = head, cfg.Incarnation
	n.link = projectionstest.NewLink(x.Log(i))
	if alter != nil {
		n.link.Alter(alter)
	}
	n.Projection = projections.Open(n.link, projections.Config{Logger: quiet, Node: cfg, Head: head})
}

// crash ends node i without a word to the others.
func (x *replicas) crash(i int) {
	n := x.nodes[i]
	n.Close()
	x.Stop(i)
	_ = n.head.Close()
}

func (x *replicas) ready(nodes ...int) {
	x.t.Helper()
	for _, i := range nodes {
		if err := x.nodes[i].Ready(eventstoretest.Context(x.t)); err != nil {
			x.t.Fatalf("node %d: %v; %+v", i+1, err, x.nodes[i].Status())
		}
	}
}

func (x *replicas) fact(token domain.TokenID, e domain.Event) *domain.Fact {
	now := domain.InstantOf(time.Now())
	var entropy [10]byte
	_, _ = rand.Read(entropy[:])
	return &domain.Fact{ID: domain.NewEventID(now, entropy), Time: now, Account: "acme", Token: token, Event: e}
}

// append files a fact on a subject of its own, through node i's server.
func (x *replicas) append(i int, f *domain.Fact) eventstore.Seq {
	x.t.Helper()
	seq, err := x.Log(i).Append(eventstoretest.Context(x.t), eventstore.Entry{
		Subject: eventstore.SubjectOf(f), ID: f.ID, Type: f.Event.Type(), Data: domain.Encode(f),
	})
	if err != nil {
		x.t.Errorf("appending to %s through node %d: %v", eventstore.SubjectOf(f), i+1, err)
	}
	return seq
}

// file issues n tokens through node i's server, in no order: token tK has the
// Kth secret. Each takes about size bytes, which don't compress. It returns the
// newest one's place.
func (x *replicas) file(i, n, size int) eventstore.Seq {
	x.t.Helper()
	var last atomic.Uint64
	var all sync.WaitGroup
	tokens := make(chan int, n)
	for range n {
		x.filed++
		tokens <- x.filed
	}
	close(tokens)
	for range 16 {
		all.Go(func() {
			for k := range tokens {
				is := projectionstest.Issued(1, k)
				for part := range size / 300 {
					is.Tags = append(is.Tags, domain.Tag{Key: fmt.Sprintf("part%02d", part), Value: noise(192)})
				}
				seq := uint64(x.append(i, x.fact(domain.TokenID(fmt.Sprint("t", k)), is)))
				for at := last.Load(); at < seq && !last.CompareAndSwap(at, seq); at = last.Load() {
				}
			}
		})
	}
	all.Wait()
	if x.t.Failed() {
		x.t.FailNow()
	}
	return eventstore.Seq(last.Load())
}

func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// agree waits until the nodes have applied the revision, and checks that they
// have the same history, in which the newest token counts.
func (x *replicas) agree(at eventstore.Seq, nodes ...int) {
	x.t.Helper()
	type tree struct {
		size uint64
		root projections.Hash
	}
	for _, i := range nodes {
		if err := x.nodes[i].Position.Wait(eventstoretest.Context(x.t), at); err != nil {
			x.t.Fatalf("node %d: %v; %+v", i+1, err, x.nodes[i].Status())
		}
		if err := x.allowed(i, x.filed); err != nil {
			x.t.Errorf("node %d: %v", i+1, err)
		}
	}
	eventstoretest.Eventually(x.t, "the nodes have the same history", func() bool {
		trees := map[tree]bool{}
		for _, i := range nodes {
			size, root := x.nodes[i].Tree()
			trees[tree{size, root}] = true
		}
		return len(trees) == 1
	})
	if len(nodes) < len(x.nodes) {
		return // one that is damaged may have been seen
	}
	for _, i := range nodes {
		for _, m := range x.nodes[i].Members() {
			if m.Differs {
				x.t.Errorf("node %d says that node %s differs", i+1, m.Name)
			}
		}
	}
}

func (x *replicas) allowed(i, secret int) error {
	a, err := x.nodes[i].Index.Check(projectionstest.Secret(secret), projectionstest.ReadBucket)
	if err == nil && !a.Allowed() {
		err = fmt.Errorf("the verdict is %s", a.Verdict)
	}
	return err
}

// checking checks on the nodes all the time until the function that it returns
// is called, which fails the test if a check was not allowed.
func (x *replicas) checking(nodes ...int) (done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, i := range nodes {
		all.Go(func() {
			n, failed := 0, 0
			var first error
			for ctx.Err() == nil {
				if err := x.allowed(i, 1); err != nil {
					failed++
					if first == nil {
						first = fmt.Errorf("%w; %+v", err, x.nodes[i].Status())
					}
				}
				n++
				time.Sleep(time.Millisecond)
			}
			if failed > 0 || n == 0 {
				x.t.Errorf("of %d checks on node %d %d were not allowed: %v", n, i+1, failed, first)
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// readOwn starts node i again where it reads another server's copy than its
// own's: that server was not yet current when it was asked.
func (x *replicas) readOwn(i int) {
	x.t.Helper()
	n := x.nodes[i]
	for _, m := range n.Members() {
		if m.Incarnation == n.life && m.Replica != "" && m.Replica != x.Configs[i].Cluster.Node {
			n.Close()
			_ = n.head.Close()
			x.join(i, nil)
		}
	}
}

// readyOwn waits until node i answers, from its own server's copy.
func (x *replicas) readyOwn(i int) {
	x.t.Helper()
	eventstoretest.Eventually(x.t, "the node reads its own server's copy", func() bool {
		x.ready(i)
		x.readOwn(i)
		for _, m := range x.nodes[i].Members() {
			if m.Incarnation == x.nodes[i].life {
				return m.Replica == x.Configs[i].Cluster.Node
			}
		}
		return false
	})
}

// readCopy reads all facts up to last from the copy of node i's server; nil
// where that can't be read now.
func (x *replicas) readCopy(i int, last eventstore.Seq) map[eventstore.Seq]string {
	x.t.Helper()
	facts := map[eventstore.Seq]string{}
	read := func() bool {
		r, err := x.Log(i).Read(eventstoretest.Context(x.t), 1)
		if err != nil {
			return false
		}
		defer r.Close()
		if r.Replica() != x.Configs[i].Cluster.Node {
			return false
		}
		clear(facts)
		buf := make([]eventstore.Record, 256)
		ctx, cancel := context.WithTimeout(x.t.Context(), 2*time.Second)
		defer cancel()
		for at := eventstore.Seq(0); at < last; {
			n, err := r.Next(ctx, buf)
			if err != nil {
				return false
			}
			for _, rec := range buf[:n] {
				if at = rec.Seq; at <= last && rec.Subject[:5] != "hp.l." {
					facts[at] = fmt.Sprint(rec.Stored, rec.Subject, string(rec.Data))
				}
			}
		}
		return true
	}
	for range 20 { // it lands on a server by lot
		if read() {
			return facts
		}
	}
	return nil
}
