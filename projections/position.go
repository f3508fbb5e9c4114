package projections

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Position is how far a node has applied the stream. It never goes back.
type Position struct {
	at     atomic.Uint64
	lowest atomic.Uint64 // what the least demanding waiter waits for; MaxUint64: there is none

	mu      sync.Mutex // guards what follows
	waiters []*waiter
	err     error // set once nothing will be applied any more
}

type waiter struct {
	seq  Seq
	done chan struct{}
}

func newPosition() *Position {
	p := &Position{}
	p.lowest.Store(math.MaxUint64)
	return p
}

// At returns the newest record applied; 0: none. What is read from the other
// projections after this call includes it.
func (p *Position) At() Seq { return Seq(p.at.Load()) }

// Wait returns once every record up to and including seq is applied on this
// node. Its errors are ctx's and, when the node stopped before seq, the
// failure that stopped it or ErrClosed. For a seq that the log does not hold
// yet it waits until there is one.
func (p *Position) Wait(ctx context.Context, seq Seq) error {
	if p.At() >= seq {
		return nil
	}
	w := &waiter{seq: seq, done: make(chan struct{})}
	if now, err := p.enter(w); now {
		return err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		p.leave(w)
		if p.At() >= seq {
			return nil
		}
		return context.Cause(ctx)
	}
	if p.At() >= seq {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// enter registers w, unless there is nothing to wait for.
func (p *Position) enter(w *waiter) (now bool, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = append(p.waiters, w)
	p.lowest.Store(min(p.lowest.Load(), uint64(w.seq)))
	// publish stores the position before it looks at lowest, and this looks
	// at the position after storing lowest: one of the two sees the other.
	if p.At() >= w.seq {
		p.removeLocked(w)
		return true, nil
	}
	if p.err != nil {
		p.removeLocked(w)
		return true, p.err
	}
	return false, nil
}

func (p *Position) leave(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeLocked(w)
}

func (p *Position) removeLocked(w *waiter) {
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.lowestLocked()
}

// publish says that everything up to seq is applied. Only the fold calls it.
func (p *Position) publish(seq Seq) {
	p.at.Store(uint64(seq))
	if p.lowest.Load() > uint64(seq) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		if w.seq > seq {
			return false
		}
		close(w.done)
		return true
	})
	p.lowestLocked()
}

// end releases all waiters: nothing will be applied any more, because of err.
func (p *Position) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	for _, w := range p.waiters {
		close(w.done)
	}
	p.waiters = nil
	p.lowestLocked()
}

func (p *Position) lowestLocked() {
	lowest := uint64(math.MaxUint64)
	for _, w := range p.waiters {
		lowest = min(lowest, uint64(w.seq))
	}
	p.lowest.Store(lowest)
}
