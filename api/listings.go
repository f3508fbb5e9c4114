package api

import (
	"strconv"
	"sync"
	"time"

	"hallpass/domain"
)

// A list that shows secrets writes a record of each, for ever: one request can
// cost as much as thousands. Of an account a node shows so many in lists that a
// loop adds 864,000 short records a day at most, which an operator is told of long
// before the stream is full, while a list now and then is never held up: one of
// any length may begin when those before it are made up for. Callers of an account
// share that: who may make tokens could be as many as he likes.
const (
	listEvery = 100 * time.Millisecond
	listBurst = 20_000
	listKept  = 1024 // accounts, before those are forgotten that have nothing to make up for
)

// listings is how many secrets were shown in lists, by account.
type listings struct {
	now func() time.Time

	mu      sync.Mutex // guards buckets
	buckets map[domain.AccountID]*bucket
}

func newListings() *listings {
	return &listings{now: time.Now, buckets: map[domain.AccountID]*bucket{}}
}

// of returns the account's bucket. There are no more of those that are not full
// than there are accounts, which the operator opens.
func (s *listings) of(account domain.AccountID) *bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[account]; b != nil {
		return b
	}
	if len(s.buckets) >= listKept {
		for k, b := range s.buckets {
			if b.full() {
				delete(s.buckets, k)
			}
		}
	}
	b := newBucket(listEvery, listBurst)
	b.now = s.now
	s.buckets[account] = b
	return b
}

// tooSoon is a refusal that says when to try again.
type tooSoon struct {
	refusal *domain.Error
	wait    time.Duration
}

func (e *tooSoon) Error() string { return e.refusal.Error() }

func (e *tooSoon) Unwrap() error { return e.refusal }

// seconds is a time to wait as Retry-After says it: rounded up.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}
