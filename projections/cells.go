package projections

import (
	"hash/maphash"

	"hallpass/domain"
)

// cells finds the cells of tokens by account and id. A third of folding was waiting
// for the memory of Go's maps; here it is known where an entry is before it is
// needed, so that many are fetched at once, and room for a whole stream can be
// made in advance.
//
// It is cut into shards, which grow one at a time, so that nobody waits long for
// that. Cells are never removed.
type cells struct {
	accounts, tokens maphash.Seed // random: ids can be chosen by whoever issues tokens
	shards           [64]cellShard
}

type cellShard struct {
	entries []named // of a power of two, with linear probing
	used    int
}

type named struct {
	hash uint64 // 0: the entry is free
	id   domain.TokenID
	cell *tokenCell
}

const firstCells = 8

func newCells() *cells {
	n := &cells{accounts: maphash.MakeSeed(), tokens: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i].entries = make([]named, firstCells)
	}
	return n
}

// hash is never 0. Its top bits pick the shard, its lowest ones the entry.
func (n *cells) hash(account domain.AccountID, id domain.TokenID) uint64 {
	return max(maphash.String(n.accounts, string(account))+maphash.String(n.tokens, string(id)), 1)
}

// find returns the token's cell; nil if there is none. hash is of both ids.
func (n *cells) find(hash uint64, a *accountCell, id domain.TokenID) *tokenCell {
	return n.shards[hash>>58].place(hash, a, id).cell
}

// add makes c the cell of that id, which must not have one.
func (n *cells) add(hash uint64, id domain.TokenID, c *tokenCell) {
	s := &n.shards[hash>>58]
	if s.used >= mostUsed(len(s.entries)) {
		s.grow(2 * len(s.entries))
	}
	s.used++
	*s.place(hash, c.account, id) = named{hash, id, c}
}

// reserve makes room in a shard for its part of so many tokens, and some more, as
// shards don't get exactly as many each.
func (n *cells) reserve(shard int, tokens uint64) {
	each := int(min(tokens, mostReserved/2)*9/8) / len(n.shards)
	size := firstCells
	for mostUsed(size) < each {
		size *= 2
	}
	if s := &n.shards[shard]; len(s.entries) < size {
		s.grow(size)
	}
}

// touch has the processor fetch the entry where the search for hash begins, and
// returns the cell that is there; nil if none is. It may be another token's.
func (n *cells) touch(hash uint64) *tokenCell {
	entries := n.shards[hash>>58].entries
	return entries[hash&uint64(len(entries)-1)].cell
}

// place returns the entry of that id, or the free one where it belongs.
func (s *cellShard) place(hash uint64, a *accountCell, id domain.TokenID) *named {
	mask := uint64(len(s.entries) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := &s.entries[i]
		if e.hash == 0 || e.hash == hash && e.id == id && e.cell.account == a {
			return e
		}
	}
}

func (s *cellShard) grow(size int) {
	was := s.entries
	s.entries = make([]named, size)
	onHugePages(s.entries)
	mask := uint64(size - 1)
	for _, e := range was {
		if e.hash == 0 {
			continue
		}
		i := e.hash & mask
		for s.entries[i].hash != 0 {
			i = (i + 1) & mask
		}
		s.entries[i] = e
	}
}
