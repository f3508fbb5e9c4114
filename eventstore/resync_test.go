package eventstore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// A node whose copy was damaged gets a whole one from the others, whatever was
// damaged and whoever led.
func TestResync(t *testing.T) {
	t.Parallel() // it mostly waits
	c := eventstoretest.NewCluster(t, 3)
	for i := range c.Configs {
		c.Configs[i].MaxBytes = 24 << 20 // blocks of 4 MiB
	}
	c.Start(0, 1, 2)
	data := bytes.Repeat([]byte("0123456789abcdef"), 4096) // 64 KiB
	last := eventstore.Seq(1)
	grow := func(node int) {
		for range 20 { // in all 13 MB
			at := eventstore.Seq(0)
			if last > 1 {
				at = last
			}
			last = eventstoretest.Append(t, c.Log(node), subject, at, string(data))
		}
	}
	for range 4 {
		grow(0)
	}
	if n := len(eventstoretest.Blocks(t, c.Configs[0].Dir)); n < 2 {
		t.Fatalf("%d blocks", n)
	}
	for name, damage := range map[string]func(dir string){
		"a flipped bit":   func(dir string) { eventstoretest.FlipBit(t, dir, 0) },
		"a cut tail":      func(dir string) { eventstoretest.CutTail(t, dir, 100_000) },
		"a removed block": func(dir string) { eventstoretest.RemoveBlock(t, dir, 0) },
	} {
		node := c.Leader(0)
		other := (node + 1) % 3
		dir := c.Configs[node].Dir
		c.Stop(node)
		damage(dir)
		moved, err := eventstore.Resync(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(moved, "$G")); err != nil || filepath.Dir(moved) != dir {
			t.Errorf("%s: moved to %s, %v", name, moved, err)
		}
		grow(other) // goes on without the node, and after its start
		c.Start(node)
		grow(other)
		want := readAt(t, c.Log(other), "", last)
		got := readAt(t, c.Log(node), c.Configs[node].Cluster.Node, last)
		if !slices.EqualFunc(got, want, func(a, b eventstore.Record) bool {
			return a.Seq == b.Seq && a.Stored == b.Stored && a.Subject == b.Subject && bytes.Equal(a.Data, b.Data)
		}) {
			t.Errorf("%s: the new copy differs", name)
		}
	}
}

// readAt reads all records up to last from the copy of the named server; "":
// of any.
func readAt(t *testing.T, log eventstore.Log, replica string, last eventstore.Seq) []eventstore.Record {
	t.Helper()
	ctx := eventstoretest.Context(t)
	for {
		r, err := log.Read(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if replica != "" && r.Replica() != replica {
			r.Close()
			continue
		}
		var out []eventstore.Record
		buf := make([]eventstore.Record, 64)
		for err == nil && (len(out) == 0 || out[len(out)-1].Seq < last) {
			var n int
			n, err = r.Next(ctx, buf)
			out = append(out, buf[:n]...)
		}
		r.Close()
		if err == nil {
			return out
		}
		t.Log(err)
	}
}

func TestResyncRefuses(t *testing.T) {
	alone := t.TempDir()
	log := openEmbedded(t, eventstore.EmbedConfig{Dir: alone})
	c := eventstoretest.NewCluster(t, 2)
	c.Start(0, 1)
	unused := c.Configs[0]
	wantNo := func(dir, says string) {
		t.Helper()
		if moved, err := eventstore.Resync(dir); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("moved to %q, %v; want %q", moved, err, says)
		}
	}
	wantNo(alone, "stands alone")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	wantNo(alone, "stands alone")
	wantNo(t.TempDir(), "no data directory")
	wantNo(unused.Dir, "in use")
	c.Stop(0)
	if _, err := eventstore.Resync(unused.Dir); err != nil {
		t.Error(err)
	}
	wantNo(unused.Dir, "holds no copy")
}
