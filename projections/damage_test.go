package projections_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// moreDamage has the tests of damage that take minutes run too.
var moreDamage = os.Getenv("HALLPASS_DAMAGE") != ""

// A node's copy of the stream is damaged while it is down. It comes back, and
// its server leads the stream. It answers nothing from what it lacks, and says
// what that is; or its server has noticed itself, and filled the copy from the
// others. The others answer all the time.
func TestDamagedCopy(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("it takes a cluster of real servers and half a minute")
	}
	last := func(dir string) int { return len(eventstoretest.Blocks(t, dir)) - 1 }
	cases := []struct {
		name   string
		damage func(dir string)
		unseen bool // the server doesn't look there
		more   bool
	}{
		{"a bit flipped in an old block", func(dir string) { rot(t, dir, 0) }, true, false},
		{"an old block removed", func(dir string) { eventstoretest.RemoveBlock(t, dir, 0) }, true, false},
		{"the tail cut", func(dir string) { eventstoretest.CutTail(t, dir, 100_000) }, false, false},
		{"a bit flipped in the newest block", func(dir string) { rot(t, dir, last(dir)) }, false, true},
		{"a block between removed", func(dir string) { eventstoretest.RemoveBlock(t, dir, 1) }, true, true},
		{"the newest block removed", func(dir string) { eventstoretest.RemoveBlock(t, dir, last(dir)) }, false, true},
		{"a bit flipped, and the index lost", func(dir string) { eventstoretest.FlipBit(t, dir, 0) }, false, true},
		{"a bit flipped in the newest block, and the index lost", func(dir string) { eventstoretest.FlipBit(t, dir, last(dir)) }, false, true},
	}
	x := newReplicas(t)
	at := x.file(0, 2300, 4000) // 12 MB
	x.agree(at, 0, 1, 2)
	if n := len(eventstoretest.Blocks(t, x.Configs[0].Dir)); n < 3 {
		t.Fatalf("there are %d blocks", n)
	}
	for i, c := range cases {
		if c.more && !moreDamage {
			continue
		}
		x.damaged(i%3, c.name, c.damage, c.unseen)
		if t.Failed() {
			return
		}
	}
}

// damaged tells the story of one damage, in node d's copy.
func (x *replicas) damaged(d int, name string, damage func(dir string), unseen bool) {
	t := x.t
	t.Helper()
	a, b := (d+1)%3, (d+2)%3
	n := x.nodes[d]
	x.crash(d)
	damage(n.dir)
	// What the stream gets meanwhile the server has to fetch from the others.
	at := x.file(a, 10, 300)
	answered := x.checking(a, b)
	x.Start(d)
	x.join(d, nil)
	mended := false
	eventstoretest.Eventually(t, "the node has failed, or its server has filled the copy", func() bool {
		if n.Status().Phase == projections.Live {
			x.readOwn(d)
			mended = maps.Equal(x.readCopy(d, at), x.readCopy(a, at))
		}
		return mended || n.Status().Phase == projections.Failed
	})
	switch {
	case !mended:
		x.fails(d, name)
	case unseen:
		t.Errorf("%s: the node follows: %+v", name, n.Status())
	default:
		t.Logf("%s: the server has filled its copy from the others", name)
	}
	x.Lead(d)
	at = x.file(a, 10, 300)
	x.agree(at, a, b)
	if !mended {
		for _, m := range n.Members() {
			if m.Incarnation == n.life {
				t.Errorf("%s: the damaged node has joined", name)
			}
		}
		moved := x.resync(d)
		t.Logf("%s: the damaged copy is in %s", name, moved)
	}
	x.ready(d)
	x.agree(x.file(d, 10, 300), 0, 1, 2)
	eventstoretest.Eventually(t, "the servers have whole copies", func() bool {
		at := x.nodes[a].Position.At()
		return maps.Equal(x.readCopy(d, at), x.readCopy(a, at))
	})
	answered()
}

// fails waits until node d has failed because of what its copy lacks, and
// checks that it answered nothing and named it.
func (x *replicas) fails(d int, name string) {
	t := x.t
	t.Helper()
	err := x.nodes[d].Ready(eventstoretest.Context(t))
	var history *projections.HistoryError
	if !errors.As(err, &history) || history.At == 0 {
		t.Fatalf("%s: the node ended with %v; %+v", name, err, x.nodes[d].Status())
	}
	t.Logf("%s: %v", name, err)
	if !strings.Contains(err.Error(), fmt.Sprintf("from revision %d on", history.At)) || !strings.Contains(err.Error(), "hallpass node resync") {
		t.Errorf("%s: it says %v", name, err)
	}
	if code := domain.CodeOf(x.allowed(d, 1)); code != domain.CodeStale {
		t.Errorf("%s: a check answers %s", name, code)
	}
}

// resync heals node d's copy as "hallpass node resync" does, and starts it.
func (x *replicas) resync(d int) (moved string) {
	x.t.Helper()
	x.crash(d)
	moved, err := eventstore.Resync(x.nodes[d].dir)
	if err != nil {
		x.t.Fatal(err)
	}
	x.Start(d)
	x.join(d, nil)
	return moved
}

// rot flips a bit in a block of a server that ended in good order: it looks at
// the block no sooner than it is read.
func rot(t *testing.T, dir string, block int) {
	t.Helper()
	path := eventstoretest.Blocks(t, dir)[block]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A copy that the server takes for whole holds another fact than the others'
// have, as if somebody had changed it. Whoever reads it finds that out, from
// what it knew itself, from the others' roots or from a checkpoint, and can say
// where the histories part.
func TestChangedCopy(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("it takes a cluster of real servers")
	}
	x := newReplicas(t)
	old := x.file(0, 1, 300)
	at := x.file(0, 1050, 300)
	x.agree(at, 0, 1, 2)
	x.covered(0, at)
	newest := x.file(0, 1, 300) // no checkpoint covers it yet
	x.agree(newest, 0, 1, 2)
	type change struct {
		name  string
		at    eventstore.Seq
		fresh bool // without a head
	}
	changes := []change{
		{"behind the last checkpoint", newest, false},
		{"behind the last checkpoint, on a node that knows nothing", newest, true},
		{"long ago", old, false},
		{"long ago, on a node that knows nothing", old, true},
	}
	if moreDamage {
		x.file(0, 3000, 300)
		deep := x.file(0, 1, 300)
		at := x.file(0, 8192, 300) // more than a node remembers
		x.agree(at, 0, 1, 2)
		x.covered(0, at)
		changes = append(changes, change{"beyond what nodes remember", deep, false}, change{"the same, on a node that knows nothing", deep, true})
	}
	for _, c := range changes {
		answered := x.checking(0, 1)
		x.crash(2)
		if c.fresh {
			if err := os.Remove(x.nodes[2].dir + "/head"); err != nil {
				t.Fatal(err)
			}
		}
		x.Start(2)
		x.join(2, changed(c.at))
		x.Lead(2)
		x.refuses(2, c.name, c.at, c.fresh)
		x.agree(x.file(0, 1, 300), 0, 1)
		x.crash(2)
		x.Start(2)
		x.join(2, nil) // as it is when it is healed
		x.ready(2)
		x.agree(x.file(2, 1, 300), 0, 1, 2)
		answered()
	}
}

// changed has a reader bring another time of birth of a fact than there is.
func changed(at eventstore.Seq) func(*eventstore.Record) {
	return func(r *eventstore.Record) {
		if r.Seq == at {
			r.Data = bytes.Replace(r.Data, []byte("ReadBucket"), []byte("FeedBucket"), 1)
		}
	}
}

// refuses waits until node d has failed, without ever having answered, and
// checks that it says where its history parts.
func (x *replicas) refuses(d int, name string, at eventstore.Seq, fresh bool) {
	t := x.t
	t.Helper()
	var err error
	for err == nil {
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		got := x.nodes[d].Ready(short)
		cancel()
		if !errors.Is(got, context.DeadlineExceeded) {
			err = got
		}
		if got == nil {
			t.Fatalf("%s: the node answers", name)
		}
		if x.nodes[d].Status().Phase == projections.Live && fresh {
			x.file(0, 1, 300) // something for a checkpoint to cover
		}
	}
	var history *projections.HistoryError
	// Beyond what a node remembers, it may be left at where no checkpoint lies between.
	if !errors.As(err, &history) || history.At != at && (history.At != 0 || history.After >= at || history.By < at || history.By-history.After < 8192) {
		t.Fatalf("%s: the node ended with %v, want revision %d; %+v", name, err, at, x.nodes[d].Status())
	}
	t.Logf("%s: %v", name, err)
}

// covered waits until a checkpoint covers the revision.
func (x *replicas) covered(i int, at eventstore.Seq) (checkpoint eventstore.Seq) {
	t := x.t
	t.Helper()
	ctx := eventstoretest.Context(t)
	sub, err := x.nodes[i].Feed.Subscribe(at)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	size, _ := x.nodes[i].Tree()
	for {
		e, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := e.Fact.Event.(domain.Checkpoint); ok && c.Size+2 >= size {
			return e.Seq
		}
	}
}
