package projections

import (
	"encoding/binary"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"hallpass/domain"
	"hallpass/eventstore"
)

// hashes are what x/mod's tlog stores of a tree.
type hashes []tlog.Hash

func (h hashes) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, n := range at {
		out[i] = h[n]
	}
	return out, nil
}

// grower grows a tree beside tlog's, with a gap of a barrier after every third
// leaf.
type grower struct {
	tree   *tree
	stored hashes
	roots  []Hash // by size
	leaves []leaf
	seq    Seq
}

func newGrower() *grower { return &grower{tree: &tree{}, roots: make([]Hash, 1)} }

func (g *grower) add(t *testing.T) {
	t.Helper()
	n := len(g.leaves)
	g.seq++
	if n%3 == 2 {
		g.seq++
	}
	data := binary.BigEndian.AppendUint64(nil, uint64(n))
	more, err := tlog.StoredHashes(int64(n), data, g.stored)
	if err != nil {
		t.Fatal(err)
	}
	g.stored = append(g.stored, more...)
	root, err := tlog.TreeHash(int64(n)+1, g.stored)
	if err != nil {
		t.Fatal(err)
	}
	l := leaf{g.seq, domain.EventID{byte(n >> 16), byte(n >> 8), byte(n)}, Hash(tlog.RecordHash(data))}
	g.tree.add(l)
	g.roots = append(g.roots, Hash(root))
	g.leaves = append(g.leaves, l)
}

func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	g := newGrower()
	for range treeWindow + treeWindow/2 + 7 {
		g.add(t)
		if size, root := g.tree.head(); size != uint64(len(g.leaves)) || root != g.roots[size] {
			t.Fatalf("at size %d the root is %x, want %x", size, root, g.roots[size])
		}
	}
	first := 0
	for size := range uint64(len(g.roots)) {
		root, ok := g.tree.rootAt(size)
		if ok && root != g.roots[size] {
			t.Fatalf("the root of the first %d is %x, want %x", size, root, g.roots[size])
		}
		if ok && first == 0 {
			first = int(size)
		}
		if first != 0 && !ok {
			t.Fatalf("the root of the first %d is known, that of the first %d isn't", first, size)
		}
	}
	if back := len(g.leaves) - first; back < treeWindow-2*markEvery || back > treeWindow {
		t.Errorf("roots are known from %d before the end on, want about %d", back, treeWindow)
	}
	for _, size := range []uint64{0, uint64(len(g.roots)), 1 << 40} {
		if _, ok := g.tree.rootAt(size); ok {
			t.Errorf("there is a root of %d of %d", size, len(g.leaves))
		}
	}
}

// Every root within the window is right while the tree grows past its marks,
// and past the end of what it keeps.
func TestRootsOfTheWindowStayRightAsItMoves(t *testing.T) {
	g := newGrower()
	for range treeWindow + 5*markEvery {
		g.add(t)
		size := uint64(len(g.leaves))
		for _, back := range []uint64{0, 1, markEvery - 1, markEvery, markEvery + 1, treeWindow - 2*markEvery} {
			if back >= size {
				continue
			}
			if root, ok := g.tree.rootAt(size - back); !ok || root != g.roots[size-back] {
				t.Fatalf("of %d, the root of the first %d is %x, %v", size, size-back, root, ok)
			}
		}
		for _, back := range []uint64{treeWindow - markEvery, treeWindow - 1, treeWindow, treeWindow + 1} {
			if root, ok := g.tree.rootAt(size - min(back, size)); ok && root != g.roots[size-back] {
				t.Fatalf("of %d, the root of the first %d is %x", size, size-back, root)
			}
		}
	}
}

func TestTheTreeTellsWhatStandsWhere(t *testing.T) {
	for _, size := range []int{1, 2, markEvery, markEvery + 1, treeWindow, treeWindow + markEvery + 3} {
		g := newGrower()
		for range size {
			g.add(t)
		}
		known := 0
		for n, l := range g.leaves {
			id, count, root, ok := g.tree.at(l.seq)
			if ok && (id != l.id || count != uint64(n)+1 || root != g.roots[n+1]) {
				t.Fatalf("size %d: at %d stands %s, number %d", size, l.seq, id, count)
			}
			if ok {
				known++
			}
			seq, there := g.tree.seqOf(uint64(n))
			if there && seq != l.seq || there != (n+treeWindow >= size) {
				t.Fatalf("size %d: number %d stands at %d, %v", size, n, seq, there)
			}
		}
		if known < min(size, treeWindow-2*markEvery) {
			t.Errorf("size %d: %d facts can be told of", size, known)
		}
		for _, none := range []Seq{0, 3, g.seq + 1} { // a barrier's place is one of them
			if _, _, _, ok := g.tree.at(none); ok {
				t.Errorf("size %d: there is a fact at %d", size, none)
			}
		}
		if _, ok := g.tree.seqOf(uint64(size)); ok {
			t.Errorf("size %d: there is a fact number %d", size, size)
		}
	}
	empty := &tree{}
	if _, _, _, ok := empty.at(1); ok || empty.size() != 0 || len(empty.after(0)) != 0 {
		t.Error("something stands in an empty tree")
	}
}

func TestWhatFollowsARevision(t *testing.T) {
	g := newGrower()
	for range treeWindow + 10 {
		g.add(t)
	}
	for _, from := range []int{treeWindow / 2, treeWindow, treeWindow + 9} {
		facts := g.tree.after(g.leaves[from].seq)
		if want := len(g.leaves) - from - 1; len(facts) != want {
			t.Fatalf("%d facts follow number %d, want %d", len(facts), from, want)
		}
		for i, f := range facts {
			if l := g.leaves[from+1+i]; f.Seq != l.seq || f.Hash != l.hash {
				t.Fatalf("behind number %d comes %d, want %d", from, f.Seq, l.seq)
			}
		}
	}
	if facts := g.tree.after(1); facts != nil {
		t.Errorf("%d facts follow a revision that is long past", len(facts))
	}
}

// Whatever differs in a record makes another leaf.
func TestALeafIsAllOfTheRecord(t *testing.T) {
	rec := eventstore.Record{Seq: 7, Stored: 5, Subject: "hp.e.a.token.b", Data: []byte("data")}
	var scratch []byte
	is := leafOf(&rec, &scratch)
	for name, change := range map[string]func(*eventstore.Record){
		"its place":              func(r *eventstore.Record) { r.Seq++ },
		"its time":               func(r *eventstore.Record) { r.Stored++ },
		"its subject":            func(r *eventstore.Record) { r.Subject = "hp.e.a.token.c" },
		"its data":               func(r *eventstore.Record) { r.Data = []byte("datb") },
		"where its subject ends": func(r *eventstore.Record) { r.Subject += "d"; r.Data = r.Data[1:] },
		"nothing":                func(*eventstore.Record) {},
	} {
		other := rec
		change(&other)
		if same := leafOf(&other, &scratch) == is; same != (name == "nothing") {
			t.Errorf("%s: the same leaf: %v", name, same)
		}
	}
}

// A record is a leaf as tlog would hash its entry.
func TestALeafIsHashedAsARecordOfTlog(t *testing.T) {
	rec := eventstore.Record{Seq: 7, Stored: 5, Subject: "hp.e.a.token.b", Data: []byte("data")}
	var scratch []byte
	if got, want := leafOf(&rec, &scratch), Hash(tlog.RecordHash(appendEntry(nil, &rec))); got != want {
		t.Errorf("got %x, want %x", got, want)
	}
}
