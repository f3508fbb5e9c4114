package projections

import (
	"sync"
	"time"

	"hallpass/domain"
)

// leases is every lease that may still run somewhere, as the barriers tell.
// The fold writes it; fences read it.
type leases struct {
	boot    func() time.Duration
	longest func() time.Duration // that the stream permits
	own     time.Duration        // this node's own lease: of no part, but see lengthFromRecord

	mu    sync.Mutex // guards what follows
	by    map[domain.Incarnation]*holder
	since time.Duration // when this node began to see every barrier: its start, or the last gap
}

// holder is an incarnation's leases.
type holder struct {
	promises []promise // by place
	length   time.Duration
	reads    uint64
}

// promise is one lease: it was given by the barrier at seq, and has run out
// everywhere when this machine's CLOCK_BOOTTIME reaches ends.
type promise struct {
	seq  Seq
	ends time.Duration
}

// margin is how much longer a coordinator waits than a lease is long: clocks
// may run at rates that differ by so much (a bound of a twentieth).
func margin(length time.Duration) time.Duration { return length + length/20 }

func newLeases(boot func() time.Duration, own time.Duration, longest func() time.Duration) *leases {
	return &leases{boot: boot, longest: longest, own: own, by: map[domain.Incarnation]*holder{}, since: boot()}
}

// add notes the leases that the barrier at seq gives. They count from now, as
// every lease was asked for before.
func (l *leases) add(seq Seq, proofs []proof) {
	now := l.boot()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweepLocked(now)
	for i := range proofs {
		p := &proofs[i]
		length := p.Lease.duration() + p.Stale.duration()
		if p.Lease == 0 {
			continue
		}
		if without(lengthFromRecord) {
			length = l.own
		}
		h := l.by[p.Of.incarnation()]
		if h == nil {
			h = &holder{}
			l.by[p.Of.incarnation()] = h
		}
		if without(everyLease) {
			h.promises = nil
		}
		h.promises = append(h.promises, promise{seq, now + margin(length)})
		h.length, h.reads = length, p.Reads
	}
}

func (l *leases) sweepLocked(now time.Duration) {
	for of, h := range l.by {
		n := 0
		for _, p := range h.promises {
			if p.ends > now {
				h.promises[n] = p
				n++
			}
		}
		if h.promises = h.promises[:n]; n == 0 {
			delete(l.by, of)
		}
	}
}

// gap says that barriers may have been missed up to now.
func (l *leases) gap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = l.boot()
}

// complete is when every lease that this node can't know of has run out.
func (l *leases) complete() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since + margin(l.longest())
}

// below returns, for each incarnation that may answer without having applied
// seq, when its last such lease runs out. A lease given above seq says that
// seq was applied, but not that the ones before it are over.
func (l *leases) below(seq Seq) map[domain.Incarnation]time.Duration {
	now := l.boot()
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[domain.Incarnation]time.Duration{}
	for of, h := range l.by {
		for _, p := range h.promises {
			if p.seq < seq && p.ends > now {
				out[of] = max(out[of], p.ends)
			}
		}
	}
	return out
}

// of returns how long the incarnation's newest lease is, and how much of it,
// with the margin, is left; zeros if it has none.
func (l *leases) of(i domain.Incarnation) (length, left time.Duration) {
	now := l.boot()
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.by[i]
	if h == nil || len(h.promises) == 0 {
		return 0, 0
	}
	return h.length, max(h.promises[len(h.promises)-1].ends-now, 0)
}

// reads is the schema level that every node with a lease can read, at most
// that of this version.
func (l *leases) reads() uint64 {
	now := l.boot()
	l.mu.Lock()
	defer l.mu.Unlock()
	least := uint64(domain.SchemaLevel)
	for _, h := range l.by {
		if n := len(h.promises); n > 0 && h.promises[n-1].ends > now {
			least = min(least, h.reads)
		}
	}
	return least
}

// end forgets what the incarnation held: it has left.
func (l *leases) end(i domain.Incarnation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, i)
}
