package projections

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Use is how a token was used, in its present generation.
type Use struct {
	At    domain.Instant // the latest, to the second
	From  netip.Prefix   // where that came from: a /24 of IPv4, a /48 of IPv6; invalid: not known
	Count uint64         // 0: never
}

// UsageStatus is how the keeping of uses stands.
type UsageStatus struct {
	Flushes uint64         // that succeeded
	Errors  uint64         // that did not, and reads that did not
	Last    domain.Instant // when the node last flushed, or began; 0: uses are not gathered
}

// Usage is when, from where and how often tokens were used, on all nodes
// together. A use is a check, or a call that its caller's token was accepted
// for, whatever was decided about what it asked. Uses are noted in the tokens'
// cells (usagecell.go), and now and then added to what the log's shelf keeps of
// this node (usagekeep.go). Those at other nodes are seen once those have put
// them there, and this one has read them.
//
// All of it is best effort: a node that dies loses what it noted since its last
// flush, and checks and commands never wait for it.
type Usage struct {
	gathered  gathered
	directory *Directory
	index     *Index
	log       eventstore.Log
	shelf     eventstore.Shelf // the log's
	every     time.Duration    // 0: uses are not gathered
	self      string
	outage    outage
	flushing  sync.Mutex // held through a flush

	mu     sync.RWMutex // guards what follows, and the settling of cells
	nodes  map[string]*[usageShards]useTable
	dirty  [usageShards]bool // this node's that the shelf has older
	read   uint64            // the newest change of the shelf that is in nodes
	known  bool              // the shelf was read to its end once
	status UsageStatus
}

// checkUsage refuses to keep uses under a name that the next process won't have.
func (c *Config) checkUsage() error {
	if c.UsageEvery > 0 && c.Node.Name == "" {
		return &ConfigError{errors.New("uses of tokens are kept under the name of the node: state one, or no UsageEvery")}
	}
	return nil
}

func newUsage(cfg *Config, log eventstore.Log, d *Directory, x *Index) *Usage {
	u := &Usage{
		directory: d, index: x, log: log, shelf: log.Shelf(), every: cfg.UsageEvery, self: string(cfg.Node.Name),
		outage: outage{logger: cfg.Logger},
		nodes:  map[string]*[usageShards]useTable{string(cfg.Node.Name): {}},
	}
	if u.every > 0 {
		x.gathered = &u.gathered
		u.status.Last = x.wall()
	}
	return u
}

// On tells whether uses are gathered here. Where they aren't, none are known.
func (u *Usage) On() bool { return u.every > 0 }

// Known tells whether what the shelf keeps has been read. As long as it isn't,
// a token may have been used although nothing here says so.
func (u *Usage) Known() bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.known
}

// Status tells how the keeping of uses stands.
func (u *Usage) Status() UsageStatus {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.status
}

// Of returns how the token was used.
func (u *Usage) Of(t *domain.Token) Use {
	if !u.On() {
		return Use{}
	}
	r := u.total(t, u.directory.cell(t.Account, t.ID))
	return Use{At: domain.Instant(r.last * 1000), From: unpack(r.from), Count: r.count}
}

// total is the uses at all nodes together of t, whose cell is c, which may be nil.
func (u *Usage) total(t *domain.Token, c *tokenCell) useRecord {
	r := useRecord{key: keyOf(t.Account, t.ID), gen: uint32(t.Generation)}
	u.mu.RLock()
	defer u.mu.RUnlock()
	for _, tables := range u.nodes {
		if at, ok := tables[r.key.shard()].find(&r.key); ok && at.gen == r.gen {
			r.add(&at)
		}
	}
	if c != nil {
		c.used.addTo(&r)
	}
	return r
}

// usedSince tells whether t, whose cell is c, was used at that time or later,
// or within the second before.
func (u *Usage) usedSince(c *tokenCell, t *domain.Token, at domain.Instant) bool {
	r := u.total(t, c)
	return r.count > 0 && r.last >= int64(at)/1000
}

// works tells whether the verdict is about a token that works.
func works(v domain.Verdict) bool {
	switch v {
	case domain.Granted, domain.NoGrant, domain.Denied, domain.OnlySessions:
		return true
	case domain.UnknownSecret, domain.WasRevoked, domain.IsDisabled, domain.HasExpired, domain.NotYetValid, domain.OnSuspended,
		domain.WrongAddress, domain.OutsideHours:
	}
	return false
}

// Used notes a use of the bearer's token, from that address.
func (x *Index) Used(b *Bearer, from netip.Addr) { x.note(b.sight, b.Token, from) }

// note counts a use of the token that was found with s, if it is one that
// counts.
func (x *Index) note(s sight, t *domain.Token, from netip.Addr) {
	if s.cell != nil {
		x.gathered.note(s, t, x.latest.Load()/1000, pack(from))
	}
}

// sight is what a use of the cell is noted with; nothing where none are gathered.
func (x *Index) sight(c *tokenCell) sight {
	if x.gathered == nil {
		return sight{}
	}
	return c.sight()
}
