package projections

import (
	"crypto/sha256"
	"encoding/binary"
	"sort"
	"sync"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Hash is a hash of the Merkle tree over the facts.
type Hash = [sha256.Size]byte

// treeWindow is how many of the newest facts a node can still tell the tree's
// root at: 0.6 MB. Whoever is further behind than that can't be compared with.
const (
	treeWindow = 8192
	markEvery  = 64
)

// tree is the Merkle tree (RFC 6962 section 2.1) over the facts that a node has
// applied, in order; barriers are no leaves, as they go. It keeps what is
// needed to grow and to tell the newest roots. The fold adds; anyone asks.
type tree struct {
	mu     sync.Mutex // guards what follows
	front  frontier
	leaves [treeWindow]leaf
	marks  [treeWindow / markEvery]frontier // of the sizes that markEvery divides
}

// leaf is one fact in the tree.
type leaf struct {
	seq  Seq
	id   domain.EventID
	hash Hash
}

// frontier is a tree of some size, as the roots of its complete subtrees, the
// largest first: as many as the size has bits that are 1.
type frontier struct {
	size  uint64
	count int
	roots [64]Hash
}

// leafOf returns the hash of a record as a leaf. scratch is kept by the caller
// to be used again.
func leafOf(rec *eventstore.Record, scratch *[]byte) Hash {
	*scratch = appendEntry(append((*scratch)[:0], 0), rec)
	return sha256.Sum256(*scratch)
}

// appendEntry appends what of a record is hashed: all that there is.
func appendEntry(b []byte, rec *eventstore.Record) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Stored))
	b = binary.BigEndian.AppendUint64(b, uint64(len(rec.Subject)))
	b = append(b, rec.Subject...)
	return append(b, rec.Data...)
}

func nodeHash(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

func (f *frontier) add(h Hash) {
	for n := f.size; n&1 == 1; n >>= 1 {
		f.count--
		h = nodeHash(&f.roots[f.count], &h)
	}
	f.roots[f.count] = h
	f.count++
	f.size++
}

// root is the root of a tree that isn't empty.
func (f *frontier) root() Hash {
	h := f.roots[f.count-1]
	for i := f.count - 2; i >= 0; i-- {
		h = nodeHash(&f.roots[i], &h)
	}
	return h
}

func (t *tree) add(l leaf) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.front.size%markEvery == 0 {
		m := &t.marks[t.front.size/markEvery%uint64(len(t.marks))]
		m.size, m.count = t.front.size, t.front.count
		copy(m.roots[:], t.front.roots[:t.front.count])
	}
	t.leaves[t.front.size%treeWindow] = l
	t.front.add(l.hash)
}

// size is how many facts there are.
func (t *tree) size() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.front.size
}

// head returns the tree as it is. There must be a fact.
func (t *tree) head() (size uint64, root Hash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.front.size, t.front.root()
}

// rootAt returns the root of the first size facts; false if it is too long ago,
// or there aren't as many.
func (t *tree) rootAt(size uint64) (Hash, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rootAtLocked(size)
}

func (t *tree) rootAtLocked(size uint64) (Hash, bool) {
	switch {
	case size == 0 || size > t.front.size:
		return Hash{}, false
	case size == t.front.size:
		return t.front.root(), true
	}
	from := size / markEvery * markEvery
	mark := t.marks[from/markEvery%uint64(len(t.marks))]
	if mark.size != from || from+treeWindow < t.front.size { // overwritten
		return Hash{}, false
	}
	for i := from; i < size; i++ {
		mark.add(t.leaves[i%treeWindow].hash)
	}
	return mark.root(), true
}

// at returns the fact at that place, and the tree's size and root just behind
// it; false if it is too long ago, or no fact.
func (t *tree) at(seq Seq) (id domain.EventID, size uint64, root Hash, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, n := t.findLocked(seq)
	if l == nil || l.seq != seq {
		return id, 0, root, false
	}
	root, ok = t.rootAtLocked(n + 1)
	return l.id, n + 1, root, ok
}

// findLocked returns the first fact at or above seq, and how many there are
// before it; nil if it is too long ago, or there is none.
func (t *tree) findLocked(seq Seq) (*leaf, uint64) {
	first := t.front.size - min(t.front.size, treeWindow)
	n := uint64(sort.Search(int(t.front.size-first), func(i int) bool {
		return t.leaves[(first+uint64(i))%treeWindow].seq >= seq
	}))
	if first+n == t.front.size || n == 0 && first > 0 && t.leaves[first%treeWindow].seq > seq {
		return nil, 0
	}
	return &t.leaves[(first+n)%treeWindow], first + n
}

// seqOf returns where the fact number n (from 0) stands; false if that is too
// long ago, or there is none.
func (t *tree) seqOf(n uint64) (Seq, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n >= t.front.size || n+treeWindow < t.front.size {
		return 0, false
	}
	return t.leaves[n%treeWindow].seq, true
}
