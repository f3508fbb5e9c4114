package projections

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync/atomic"

	"hallpass/domain"
)

// table finds the token that a digest belongs to. One goroutine writes; any
// number read, without locks and without ever waiting. Digests are never
// removed: those that no longer open anything still tell whose they were, so
// that they answer revoked and no other token can bring them again.
//
// It is cut into shards that grow one at a time, each by being copied and then
// replaced as a whole. A reader that still holds the old copy sees what was
// published before the new one, which is all that its answer claims.
type table struct {
	seed   [2]uint64 // random: digests can be chosen by whoever imports secrets
	shards [32]shard
}

type shard struct {
	slots atomic.Pointer[slots]
	used  int // by the writer alone
}

// slots is an open-addressed array of a power of two, with linear probing.
type slots []slot

// slot is one cache line. What is not atomic is written before owner and never
// changed; like changes only while live is nil.
type slot struct {
	owner   atomic.Pointer[tokenCell] // whose the digest is; nil: the slot is free
	live    atomic.Pointer[snapshot]  // the token, while the digest opens it; else nil
	like    atomic.Pointer[snapshot]  // a token that may do the same as live; see sameRights
	account *accountCell              // the owner's
	digest  domain.Digest
}

const firstSlots = 8

func newTable() *table {
	seed := maphash.MakeSeed()
	t := &table{seed: [2]uint64{maphash.String(seed, "one"), maphash.String(seed, "two")}}
	for i := range t.shards {
		s := make(slots, firstSlots)
		t.shards[i].slots.Store(&s)
	}
	return t
}

// hash mixes 128 bits of the digest with the seed. Its top bits pick the
// shard, its lowest ones the slot.
func (t *table) hash(d *domain.Digest) uint64 {
	hi, lo := bits.Mul64(
		binary.LittleEndian.Uint64(d[0:])^t.seed[0],
		binary.LittleEndian.Uint64(d[8:])^t.seed[1],
	)
	return hi ^ lo
}

// found is what the table knows of a digest.
type found struct {
	token   *snapshot    // the token that it belongs or belonged to, as it stands now; nil if there is none
	like    *snapshot    // one that may do the same, and holds one secret of the same end; or token itself
	account *accountCell // the token's
}

// find looks the digest up.
func (t *table) find(d *domain.Digest) found {
	h := t.hash(d)
	s := *t.shards[h>>59].slots.Load()
	mask := uint64(len(s) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		at := &s[i]
		owner := at.owner.Load()
		if owner == nil {
			return found{}
		}
		if at.digest != *d {
			continue
		}
		live := at.live.Load()
		if like := at.like.Load(); live != nil && at.live.Load() == live {
			return found{live, like, at.account}
		}
		now := owner.now.Load()
		return found{now, now, at.account}
	}
}

// owner returns the token that the digest belongs to; nil if there is none.
// Only the writer calls it, and so are all below.
func (t *table) owner(d *domain.Digest) *tokenCell {
	h := t.hash(d)
	return t.shards[h>>59].slots.Load().place(h, d).owner.Load()
}

// touch has the processor fetch what owner and open will look at, while it does
// something else.
func (t *table) touch(d *domain.Digest) {
	h := t.hash(d)
	s := *t.shards[h>>59].slots.Load()
	_ = s[h&uint64(len(s)-1)].owner.Load()
}

// open lets the digest lead to snap and to one like it, and makes c its owner
// if it has none. c must hold snap already.
func (t *table) open(d *domain.Digest, c *tokenCell, snap, like *snapshot) {
	h := t.hash(d)
	sh := &t.shards[h>>59]
	s := *sh.slots.Load()
	at := s.place(h, d)
	if at.owner.Load() == nil {
		if sh.used >= len(s)*5/8 {
			s = t.grown(s)
			sh.slots.Store(&s)
			at = s.place(h, d)
		}
		sh.used++
		at.digest, at.account = *d, c.account
		at.owner.Store(c)
	}
	at.set(snap, like)
}

// shut makes the digest one that opens nothing. It must have an owner, which
// no longer holds it.
func (t *table) shut(d *domain.Digest) {
	h := t.hash(d)
	t.shards[h>>59].slots.Load().place(h, d).set(nil, nil)
}

func (at *slot) set(live, like *snapshot) {
	at.live.Store(nil) // readers ask the owner meanwhile
	at.like.Store(like)
	at.live.Store(live)
}

// place returns the digest's slot, or the free one where it belongs.
func (s slots) place(h uint64, d *domain.Digest) *slot {
	mask := uint64(len(s) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if at := &s[i]; at.owner.Load() == nil || at.digest == *d {
			return at
		}
	}
}

// grown returns a copy of s of twice the size.
func (t *table) grown(s slots) slots {
	n := make(slots, 2*len(s))
	onHugePages(n)
	for i := range s {
		from := &s[i]
		if c := from.owner.Load(); c != nil {
			to := n.place(t.hash(&from.digest), &from.digest)
			to.digest, to.account = from.digest, from.account
			to.owner.Store(c)
			to.set(from.live.Load(), from.like.Load())
		}
	}
	return n
}
