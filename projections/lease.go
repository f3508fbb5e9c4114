package projections

import (
	"sync/atomic"
	"time"

	"hallpass/domain"
)

// lease is how long this node may answer without fresh proof that it has seen
// everything. Checks read it without a lock, after deciding.
type lease struct {
	boot  func() time.Duration
	wall  func() domain.Instant
	newer atomic.Pointer[proven] // nil: never proven
}

// proven is one proof: a nonce that was sent after these readings of the
// clocks, and came back in a committed record.
type proven struct {
	boot   time.Duration // CLOCK_BOOTTIME before the nonce was sent
	wall   domain.Instant
	length time.Duration // as the barrier says
	stale  time.Duration // how long after that answers may still be given as stale ones
}

// renew takes over a proof, unless a later one is known.
func (l *lease) renew(p proven) {
	for {
		is := l.newer.Load()
		if is != nil && is.boot+is.length >= p.boot+p.length {
			return
		}
		if l.newer.CompareAndSwap(is, &p) {
			return
		}
	}
}

// age is how long ago the proof was asked for, by the clock that says more:
// the one that counts sleep, or the wall clock, in case that one stood still.
func (p *proven) age(boot time.Duration, wall domain.Instant) time.Duration {
	return max(boot-p.boot, time.Duration(wall-p.wall)*time.Millisecond)
}

// standing tells how the lease stands at this moment.
func (l *lease) standing() (age time.Duration, p *proven) {
	if p = l.newer.Load(); p == nil {
		return 0, nil
	}
	return p.age(l.boot(), l.wall()), p
}

// Lease is how a node's lease stands.
type Lease struct {
	Length    time.Duration // 0: it never had one
	Age       time.Duration // since the newest proof was asked for
	Left      time.Duration // until checks are refused as stale; 0: they are
	RoundTrip time.Duration // from asking for proof to its coming back, the latest
}

func (l *lease) status() Lease {
	age, p := l.standing()
	if p == nil {
		return Lease{}
	}
	return Lease{Length: p.length, Age: age, Left: max(p.length-age, 0)}
}
