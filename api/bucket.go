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
func (b *bucket) take() (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.ahead.Before(now) {
		b.ahead = now
	}
	next := b.ahead.Add(b.every)
	if wait := next.Sub(now) - time.Duration(b.burst)*b.every; wait > 0 {
		return wait
	}
	b.ahead = next
	return 0
}
