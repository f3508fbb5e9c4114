package api

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hallpass/domain"
)

// looks is what a node remembers of its looks into the log, and counts of them.
type looks struct {
	skipped prometheus.Counter

	mu      sync.Mutex          // guards what follows, each at most reuseKept
	buckets map[target]*bucket  // of tokens, and, without one, of accounts
	not     map[looked]struct{} // never opened this generation of their token
}

// looked is a secret that was looked up.
type looked struct {
	target
	generation uint64
	digest     domain.Digest
}

func newLooks() *looks {
	return &looks{
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hallpass_secret_reuse_looks_skipped_total", Help: "Secrets that were to rotate their token and did not work, of which it was not learned whether they had been replaced: too many came, or the log could not be read."}),
		buckets: map[target]*bucket{},
		not:     map[looked]struct{}{},
	}
}

// take tells whether the token and its account may be looked at once more.
func (l *looks) take(at target) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bucketLocked(at, reuseTokenEvery, reuseTokenBurst).take() == 0 &&
		l.bucketLocked(target{Account: at.Account}, reuseAccountEvery, reuseAccountBurst).take() == 0
}

// bucketLocked returns the bucket of a token or account. When there are too
// many it drops those that are as new, and any other one if there is none.
func (l *looks) bucketLocked(at target, every time.Duration, burst int) *bucket {
	if b := l.buckets[at]; b != nil {
		return b
	}
	if len(l.buckets) >= reuseKept {
		for k, b := range l.buckets {
			if b.full() {
				delete(l.buckets, k)
			}
		}
	}
	makeRoom(l.buckets)
	b := newBucket(every, burst)
	l.buckets[at] = b
	return b
}

// full tells whether the bucket is as a new one.
func (b *bucket) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.ahead.After(b.now())
}

// foreign tells whether note has told of the secret, as far as is remembered.
func (l *looks) foreign(s looked) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.not[s]
	return ok
}

// note remembers that the secret never opened this generation of its token.
func (l *looks) note(s looked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	makeRoom(l.not)
	l.not[s] = struct{}{}
}

// makeRoom drops any entry of m if there are reuseKept.
func makeRoom[K comparable, V any](m map[K]V) {
	for k := range m {
		if len(m) < reuseKept {
			return
		}
		delete(m, k)
	}
}
