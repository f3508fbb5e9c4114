package api

import (
	"sync"
	"time"
)

// bucket lets something happen so often: at most burst times at once, and each
// time again after every.
type bucket struct {
	every time.Duration
	burst int
	now   func() time.Time

	mu    sync.Mutex // guards ahead
	ahead time.Time  // when all that was taken is made up for
}

func newBucket(every time.Duration, burst int) *bucket {
	return &bucket{every: every, burst: burst, now: time.Now}
}

// take returns 0 if it may happen, or how long it will be until then.
func (b *bucket) take() (wait time.Duration) { return b.takeMany(1) }

// takeMany is take for what happens n times at once. That may be more than burst:
// there need only be room for one, and what comes next waits the longer.
func (b *bucket) takeMany(n int) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.ahead.Before(now) {
		b.ahead = now
	}
	if wait := b.ahead.Add(b.every).Sub(now) - time.Duration(b.burst)*b.every; wait > 0 {
		return wait
	}
	b.ahead = b.ahead.Add(time.Duration(n) * b.every)
	return 0
}

// giveBack is for what was taken n times and did not happen.
func (b *bucket) giveBack(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead = b.ahead.Add(-time.Duration(n) * b.every)
}
