package eventstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"hallpass/eventstore"
)

func conflicts(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	a := Append(t, log, first, 0, "a")
	b := Append(t, log, first, a, "b")
	for _, expect := range []eventstore.Seq{0, 1, a, b + 1, b + 100} {
		seq, err := log.Append(ctx, NewEntry(first, expect, []byte("no")))
		if seq != 0 {
			t.Errorf("expectation %d was let in at %d", expect, seq)
		}
		wantConflict(t, err, first, b)
	}
	_, err := log.Append(ctx, NewEntry(second, b, []byte("no")))
	wantConflict(t, err, second, 0)
	if last, err := log.Last(ctx); last != b || err != nil {
		t.Errorf("after refusals Last is %d, %v; want %d", last, err, b)
	}
}

func wantConflict(t *testing.T, err error, s eventstore.Subject, last eventstore.Seq) {
	t.Helper()
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) || conflict.Subject != s || conflict.Last != last {
		t.Errorf("got %v, want a conflict of %s with %d", err, s, last)
	}
}

func repeated(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	e := NewEntry(first, 0, []byte("once"))
	place, err := log.Append(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		seq, err := log.Append(ctx, e)
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) {
			seq, err = conflict.Last, nil
		}
		if err != nil || seq != place {
			t.Errorf("again: %d, %v; want %d", seq, err, place)
		}
	}
	if last, err := log.Last(ctx); last != place || err != nil {
		t.Errorf("Last is %d, %v; want %d", last, err, place)
	}
}

func race(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	const writers, rounds = 8, 15
	var expect eventstore.Seq
	for round := range rounds {
		var won atomic.Int64
		var place atomic.Uint64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				seq, err := log.Append(ctx, NewEntry(first, expect, fmt.Append(nil, round, w)))
				var conflict *eventstore.ConflictError
				switch {
				case err == nil:
					won.Add(1)
					place.Store(uint64(seq))
				case !errors.As(err, &conflict):
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d of %d appends won", round, won.Load(), writers)
		}
		expect = eventstore.Seq(place.Load())
	}
	got, err := log.History(ctx, first, 0, 1000)
	if err != nil || len(got) != rounds {
		t.Errorf("%d records of %d rounds, %v", len(got), rounds, err)
	}
}

func crowd(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	const writers, each = 16, 20
	var mu sync.Mutex
	placed := map[eventstore.Seq]string{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s := eventstore.Subject(fmt.Sprintf("hp.e.acme.token.w%d", w))
			var last eventstore.Seq
			for i := range each {
				data := fmt.Sprintf("%d/%d", w, i)
				seq, err := log.Append(ctx, NewEntry(s, last, []byte(data)))
				if err != nil {
					t.Error(err)
					return
				}
				last = seq
				mu.Lock()
				placed[seq] = data
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, r := range Read(t, log, 2, writers*each+1) {
		if placed[r.Seq] != string(r.Data) {
			t.Errorf("record %d holds %q, its writer put %q there", r.Seq, r.Data, placed[r.Seq])
		}
	}
}

func ended(t *testing.T, log eventstore.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := log.Append(ctx, NewEntry(first, 0, []byte("late")))
	if !errors.Is(err, context.Canceled) || errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("append: %v", err)
	}
	if _, err := log.Read(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if _, err := log.History(ctx, first, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("history: %v", err)
	}
	if last, err := log.Last(Context(t)); last != 1 || err != nil {
		t.Errorf("Last is %d, %v", last, err)
	}
}
