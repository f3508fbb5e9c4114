package projections

import (
	"encoding/binary"
	"math"
	"net/netip"
	"sync/atomic"

	"hallpass/domain"
)

// uses is what a token's cell gathers from one flush to the next. Checks write
// it without a lock or an allocation. It fills the cell up to a cache line.
type uses struct {
	word atomic.Uint64 // see below
	last atomic.Int64  // the latest use, in seconds since 1970
	from atomic.Uint64 // where that came from, packed

	next *tokenCell // on gathered's list; written by whoever sets or keeps listedBit
}

// The word of uses holds the token's generation (its lower half), whether the
// cell is on the list, and how often that generation was used since.
const (
	usesMask   = 1<<31 - 1
	listedBit  = 1 << 31
	generation = 32 // how far it is shifted
)

// renew says that the cell's token has a new generation, whose uses start at
// none. The fold calls it before the new generation can be seen.
func (u *uses) renew(gen uint64) {
	for {
		w := u.word.Load()
		if u.word.CompareAndSwap(w, gen<<generation|w&listedBit) {
			return
		}
	}
}

// gathered is the cells that were used since they were last taken.
type gathered struct {
	head atomic.Pointer[tokenCell]
}

// sight is the uses of a cell as they stood when its token was found, or before.
// Reading them that early has the processor fetch them while it decides.
type sight struct {
	cell *tokenCell // nil: of nothing that counts
	word uint64
}

func (c *tokenCell) sight() sight { return sight{c, c.used.word.Load()} }

// note counts one use of the token that was found with s, at now, in seconds
// since 1970. A token that was issued again since s was taken is not the one
// that was used: then, nothing is counted.
func (g *gathered) note(s sight, used *domain.Token, now int64, from uint64) {
	u, w := &s.cell.used, s.word
	// The fold sets the generation in the word before it lets anyone see a token
	// of that generation, and by then the one before has been revoked, by another
	// snapshot; none ever comes back. So what still stands now was of the
	// generation that the word had, or the word has changed since.
	if s.cell.token() != used && uint32(used.Generation) != uint32(w>>generation) {
		return
	}
	if u.last.Load() != now {
		u.last.Store(now)
	}
	if u.from.Load() != from {
		u.from.Store(from)
	}
	for ; ; w = u.word.Load() {
		switch {
		case (w^s.word)>>generation != 0, w&usesMask == usesMask:
			return
		case !u.word.CompareAndSwap(w, (w|listedBit)+1):
			continue
		case w&listedBit == 0:
			g.list(s.cell)
		}
		return
	}
}

// list puts on the list a cell whose listedBit the caller has set or kept.
func (g *gathered) list(c *tokenCell) {
	for {
		head := g.head.Load()
		c.used.next = head
		if g.head.CompareAndSwap(head, c) {
			return
		}
	}
}

// taken is the uses that a cell had when it was taken from the list. They stay
// in the cell, and the cell counts as listed, until settle.
type taken struct {
	cell *tokenCell
	useRecord
}

// take empties the list. One goroutine at a time takes and settles.
func (g *gathered) take() (all []taken) {
	for c := g.head.Swap(nil); c != nil; c = c.used.next {
		w, t := c.used.word.Load(), c.token()
		all = append(all, taken{c, useRecord{
			key: keyOf(t.Account, t.ID), gen: uint32(w >> generation), count: w & usesMask,
			last: c.used.last.Load(), from: c.used.from.Load(),
		}})
	}
	return all
}

// settle takes out of the cell what was taken from it. Who reads both the cell
// and what the uses are added to holds the lock under which this is called.
func (g *gathered) settle(t *taken) {
	for u := &t.cell.used; ; {
		w := u.word.Load()
		left := w
		if uint32(w>>generation) == t.gen {
			left -= t.count
		}
		more := left&usesMask != 0
		if !more {
			left &^= listedBit
		}
		if u.word.CompareAndSwap(w, left) {
			if more {
				g.list(t.cell)
			}
			return
		}
	}
}

// addTo adds to r what its cell has gathered, if that is of the same generation.
func (u *uses) addTo(r *useRecord) {
	if w := u.word.Load(); w&usesMask != 0 && uint32(w>>generation) == r.gen {
		r.add(&useRecord{gen: r.gen, count: w & usesMask, last: u.last.Load(), from: u.from.Load()})
	}
}

// Addresses are kept as coarse as they are shown: of IPv4 the first 24 bits, of
// IPv6 the first 48. Packed, they have the family in the top byte.
const (
	bits4, bits6     = 24, 48
	family4, family6 = 4 << 56, 6 << 56
)

// pack returns the network of an address; 0 if there is none.
func pack(a netip.Addr) uint64 {
	switch {
	case a.Is4() || a.Is4In6():
		b := a.As4()
		return family4 | uint64(binary.BigEndian.Uint32(b[:])>>(32-bits4))
	case a.Is6():
		b := a.As16()
		return family6 | binary.BigEndian.Uint64(b[:8])>>(64-bits6)
	}
	return 0
}

// unpack returns the network that pack has packed; the zero Prefix for none.
func unpack(p uint64) netip.Prefix {
	net := p & (1<<bits6 - 1)
	switch p &^ (1<<56 - 1) {
	case family4:
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(net<<(32-bits4)&math.MaxUint32))
		return netip.PrefixFrom(netip.AddrFrom4(b), bits4)
	case family6:
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], net<<(64-bits6))
		return netip.PrefixFrom(netip.AddrFrom16(b), bits6)
	}
	return netip.Prefix{}
}
