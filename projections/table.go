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
// replaced as a whole. A reader that still holds the old copy finds whose a
// digest is there, and asks the owner for the rest.
//
// It knows digests by their first half alone: finding another secret with a
// given half takes 2^128 tries. Digests that share it are one digest, here and
// in sameSecret, so that all nodes agree on whose it is.
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

// slot is two cache lines side by side, which processors fetch as one: most
// checks read nothing else that is the token's own. What is not atomic is
// written before owner and never changed; what is below live changes only while
// live is nil.
type slot struct {
	owner   atomic.Pointer[tokenCell] // whose the digest is; nil: the slot is free
	account *accountCell              // the owner's
	half    half

	live        atomic.Pointer[snapshot] // the token, while the digest opens it; else nil
	from, until atomic.Int64             // these and the rest: see terms
	rights      atomic.Pointer[domain.Permissions]

	actions atomic.Pointer[actionList]
	size    atomic.Int64
	text    [briefWords]atomic.Int64
	_       [8]byte
}

// half is the first half of a digest.
type half [16]byte

func halfOf(d *domain.Digest) *half { return (*half)(d[:]) }

// sameSecret tells whether the table takes two digests for the same.
func sameSecret(a, b *domain.Digest) bool { return *halfOf(a) == *halfOf(b) }

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

// mostReserved is how many slots are made in advance: 2 GiB of them.
const mostReserved = 1 << 24

// reserve makes room for so many digests, and an eighth more: some tokens have
// had several, and shards don't get exactly as many each.
func (t *table) reserve(digests uint64) {
	each := int(min(digests, mostReserved/2)*9/8) / len(t.shards)
	size := firstSlots
	for mostUsed(size) < each {
		size *= 2
	}
	for i := range t.shards {
		if s := *t.shards[i].slots.Load(); len(s) < size {
			larger := t.grown(s, size)
			t.shards[i].slots.Store(&larger)
		}
	}
}

// mostUsed is how many of so many slots may be taken.
func mostUsed(slots int) int { return slots * 5 / 8 }

// hash mixes the half with the seed. Its top bits pick the shard, its lowest
// ones the slot.
func (t *table) hash(d *half) uint64 {
	hi, lo := bits.Mul64(
		binary.LittleEndian.Uint64(d[0:])^t.seed[0],
		binary.LittleEndian.Uint64(d[8:])^t.seed[1],
	)
	return hi ^ lo
}

// find returns the slot of the digest; nil if it is nobody's. No snapshot is put
// into a slot twice: what is read between two sights of one in live was put
// there with it, and what is read elsewhere stood together with it.
func (t *table) find(d *domain.Digest) *slot {
	half := halfOf(d)
	h := t.hash(half)
	s := *t.shards[h>>59].slots.Load()
	mask := uint64(len(s) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		at := &s[i]
		if at.owner.Load() == nil {
			return nil
		}
		if at.half == *half {
			return at
		}
	}
}

// owner returns the token that the digest belongs to; nil if there is none.
// Only the writer calls it, and so are all below.
func (t *table) owner(d *domain.Digest) *tokenCell {
	h := t.hash(halfOf(d))
	return t.shards[h>>59].slots.Load().place(h, halfOf(d)).owner.Load()
}

// touch has the processor fetch what owner and open will look at, while it does
// something else.
func (t *table) touch(d *domain.Digest) {
	h := t.hash(halfOf(d))
	s := *t.shards[h>>59].slots.Load()
	at := &s[h&uint64(len(s)-1)]
	_, _ = at.owner.Load(), at.size.Load()
}

// open lets the digest lead to snap on these terms, and makes c its owner if it
// has none. c must hold snap already, and the digest must not have led to it
// before.
func (t *table) open(d *domain.Digest, c *tokenCell, snap *snapshot, on terms) {
	half := halfOf(d)
	h := t.hash(half)
	sh := &t.shards[h>>59]
	s := *sh.slots.Load()
	at := s.place(h, half)
	if at.owner.Load() == nil {
		if sh.used >= mostUsed(len(s)) {
			larger := t.grown(s, 2*len(s))
			sh.slots.Store(&larger)
			at = larger.place(h, half)
		}
		sh.used++
		at.half, at.account = *half, c.account
		at.owner.Store(c)
	}
	at.set(snap, on)
}

// shut makes the digest one that opens nothing. It must have an owner, which
// no longer holds it.
func (t *table) shut(d *domain.Digest) {
	h := t.hash(halfOf(d))
	t.shards[h>>59].slots.Load().place(h, halfOf(d)).set(nil, terms{})
}

func (at *slot) terms() (on terms) {
	on.from, on.until = domain.Instant(at.from.Load()), domain.Instant(at.until.Load())
	if on.rights = at.rights.Load(); on.rights == nil {
		at.grant(&on.grant)
	}
	return on
}

// grant fills in b, which is empty.
func (at *slot) grant(b *brief) {
	if b.actions = at.actions.Load(); b.actions != nil {
		b.size = int(at.size.Load())
		for i := range at.text {
			b.text[i] = at.text[i].Load()
		}
	}
}

func (at *slot) set(live *snapshot, on terms) {
	if at.live.Load() != nil {
		at.live.Store(nil) // readers ask the owner meanwhile
	}
	keep(&at.from, int64(on.from))
	keep(&at.until, int64(on.until))
	if at.rights.Load() != on.rights {
		at.rights.Store(on.rights)
	}
	if at.actions.Load() != on.grant.actions {
		at.actions.Store(on.grant.actions)
	}
	keep(&at.size, int64(on.grant.size))
	for i := range at.text {
		keep(&at.text[i], on.grant.text[i])
	}
	at.live.Store(live)
}

// keep stores v where it is not there already: storing costs more than looking.
func keep(at *atomic.Int64, v int64) {
	if at.Load() != v {
		at.Store(v)
	}
}

// place returns the digest's slot, or the free one where it belongs.
func (s slots) place(h uint64, d *half) *slot {
	mask := uint64(len(s) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if at := &s[i]; at.owner.Load() == nil || at.half == *d {
			return at
		}
	}
}

// grown returns a copy of s of that size, to replace it. What is open in s is not
// any more: nobody would shut it there, and who still looks into s asks the owner.
func (t *table) grown(s slots, size int) slots {
	n := make(slots, size)
	onHugePages(n)
	for i := range s {
		from := &s[i]
		if c := from.owner.Load(); c != nil {
			to := n.place(t.hash(&from.half), &from.half)
			to.half, to.account = from.half, from.account
			to.owner.Store(c)
			to.set(from.live.Load(), from.terms())
			from.live.Store(nil)
		}
	}
	return n
}
