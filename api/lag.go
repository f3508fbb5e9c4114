package api

import (
	"context"
	"sync"
	"time"
)

// lastWait is how long asking the log for its newest record may take.
const lastWait = 500 * time.Millisecond

// behind is since when this node was seen to lack records of the log.
type behind struct {
	mu    sync.Mutex // guards what follows
	since time.Time  // zero: it lacked none when it was last looked at
	first Seq        // what it had then
}

// lag returns how many records of the log this node has not applied, and how
// long it has been seen to lack the oldest of them. Zeros also where the log
// can't be asked: readiness then tells of the lease.
func (s *Service) lag(ctx context.Context) (records uint64, of time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	last, err := s.log.Last(ctx)
	at := s.Revision()
	if err != nil || last <= at {
		last = at
	}
	return uint64(last - at), s.behind.look(at, last)
}

func (b *behind) look(at, last Seq) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case at >= last:
		b.since = time.Time{}
		return 0
	case b.since.IsZero() || at > b.first:
		b.since, b.first = time.Now(), at
	}
	return time.Since(b.since)
}
