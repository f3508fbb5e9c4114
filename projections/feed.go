package projections

import (
	"context"
	"errors"
	"sort"
	"sync"
	"time"

	"hallpass/eventstore"
)

// ErrRevisionUnknown refuses to resume after a revision that this node has not
// reached.
var ErrRevisionUnknown = errors.New("projections: this revision is not known here yet")

// feedSize is how many of the newest entries subscribers get from memory. One
// who is further behind reads the log until he isn't. The widest edits there
// can be make them some 100 MB, usual facts 1 MB.
const feedSize = 1024

// Feed hands the facts that this node has applied to local subscribers, each
// from where it wants. It never waits for one.
type Feed struct {
	log      eventstore.Log
	stall    time.Duration
	position *Position
	verdicts *verdicts

	mu    sync.Mutex    // guards what follows
	ring  []Entry       // the newest entries, the oldest of them at first
	first int           // 0 until the ring is full
	floor Seq           // the ring holds every entry above this
	grown chan struct{} // made by who waits for entries, closed when there are some; else nil
	err   error         // set once there will be no more
}

func newFeed(log eventstore.Log, stall time.Duration, p *Position, v *verdicts) *Feed {
	return &Feed{log: log, stall: stall, position: p, verdicts: v}
}

// Subscribe returns a subscription to all facts after that revision, void ones
// included; 0 is from the first. It fails with ErrRevisionUnknown when this
// node has not reached it.
func (f *Feed) Subscribe(after Seq) (*Subscription, error) {
	if after > f.position.At() {
		return nil, ErrRevisionUnknown
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Subscription{feed: f, after: after, life: ctx, end: cancel}, nil
}

// add appends entries and wakes who waits for them.
func (f *Feed) add(entries []Entry) {
	if len(entries) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range entries {
		if len(f.ring) < feedSize {
			f.ring = append(f.ring, entries[i])
			continue
		}
		f.floor = f.ring[f.first].Seq
		f.ring[f.first] = entries[i]
		f.first = (f.first + 1) % feedSize
	}
	f.wakeLocked()
}

// close tells subscribers, once they have had everything, that there will be
// no more because of err.
func (f *Feed) close(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.wakeLocked()
}

func (f *Feed) wakeLocked() {
	if f.grown != nil {
		close(f.grown)
		f.grown = nil
	}
}

// take copies entries above after from the ring into buf[:0]. When after lies
// below what the ring holds, behind is true. When there is nothing yet, grown
// is closed as soon as there is, or err is set.
func (f *Feed) take(after Seq, buf []Entry) (got []Entry, behind bool, grown <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after < f.floor {
		return nil, true, nil, nil
	}
	n := len(f.ring)
	from := sort.Search(n, func(i int) bool { return f.ring[(f.first+i)%n].Seq > after })
	for i := from; i < n && len(buf) < cap(buf); i++ {
		buf = append(buf, f.ring[(f.first+i)%n])
	}
	if len(buf) > 0 || f.err != nil {
		return buf, false, nil, f.err
	}
	if f.grown == nil {
		f.grown = make(chan struct{})
	}
	return nil, false, f.grown, nil
}
