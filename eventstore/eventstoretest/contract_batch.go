package eventstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"hallpass/eventstore"
)

// batchOf returns n entries that expect no record yet.
func batchOf(n int, name string) []eventstore.Entry {
	out := make([]eventstore.Entry, n)
	for i := range out {
		s := eventstore.Subject(fmt.Sprintf("hp.e.acme.token.%s%d", name, i))
		out[i] = NewEntry(s, 0, fmt.Append(nil, name, i))
	}
	return out
}

func appendBatch(t *testing.T, log eventstore.Log, entries []eventstore.Entry) eventstore.Seq {
	t.Helper()
	last, err := log.AppendBatch(Context(t), entries)
	if err != nil {
		t.Fatalf("a batch of %d: %v", len(entries), err)
	}
	return last
}

// wantWhole finds the entries at the places up to last.
func wantWhole(t *testing.T, log eventstore.Log, entries []eventstore.Entry, last eventstore.Seq) {
	t.Helper()
	from := last - eventstore.Seq(len(entries)-1)
	for i, r := range Read(t, log, from, last) {
		if e := &entries[i]; r.Subject != e.Subject || !bytes.Equal(r.Data, e.Data) || r.Foreign != "" {
			t.Fatalf("record %d is %s %q %s, want entry %d of the batch: %s %q", r.Seq, r.Subject, r.Data, r.Foreign, i, e.Subject, e.Data)
		}
	}
}

func wantLast(t *testing.T, log eventstore.Log, want eventstore.Seq) {
	t.Helper()
	if last, err := log.Last(Context(t)); last != want || err != nil {
		t.Errorf("Last is %d, %v; want %d", last, err, want)
	}
}

func batchOrder(t *testing.T, log eventstore.Log) {
	at := eventstore.Seq(1)
	for _, n := range []int{1, 2, 3, 150, eventstore.MaxBatch} {
		entries := batchOf(n, fmt.Sprint("s", n, "-"))
		last := appendBatch(t, log, entries)
		if at += eventstore.Seq(n); last != at {
			t.Fatalf("a batch of %d ends at %d, want %d", n, last, at)
		}
		wantWhole(t, log, entries, last)
		for i := range entries { // on top of those
			entries[i] = NewEntry(entries[i].Subject, last-eventstore.Seq(n-1-i), []byte("again"))
		}
		last = appendBatch(t, log, entries)
		at += eventstore.Seq(n)
		wantWhole(t, log, entries, last)
	}
	wantLast(t, log, at)
}

// batchCrowd has batches, single appends and barriers at once: no record comes
// between those of a batch.
func batchCrowd(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	var wg, others sync.WaitGroup
	stop := make(chan struct{})
	others.Go(func() {
		for last := eventstore.Seq(0); ; {
			select {
			case <-stop:
				return
			default:
			}
			var err error
			if last, err = log.Append(ctx, NewEntry(first, last, []byte("single"))); err != nil {
				t.Error(err)
				return
			}
			if _, err := log.Barrier(ctx, "n1", []byte("barrier")); err != nil {
				t.Error(err)
				return
			}
		}
	})
	const writers, each = 4, 5
	var batches [writers][each][]eventstore.Entry
	var places [writers][each]eventstore.Seq
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				batches[w][i] = batchOf(40, fmt.Sprintf("w%d-%d-", w, i))
				var err error
				if places[w][i], err = log.AppendBatch(ctx, batches[w][i]); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	others.Wait()
	if t.Failed() {
		return
	}
	for w := range writers {
		for i := range each {
			wantWhole(t, log, batches[w][i], places[w][i])
		}
	}
}

func batchConflicts(t *testing.T, log eventstore.Log) {
	a := Append(t, log, first, 0, "a")
	last := Append(t, log, first, a, "b")
	for _, at := range []int{0, 7, 19} {
		for _, expect := range []eventstore.Seq{0, a, last + 1} {
			entries := batchOf(20, fmt.Sprint("c", at, "-", expect, "-"))
			entries[at] = NewEntry(first, expect, []byte("no"))
			seq, err := log.AppendBatch(Context(t), entries)
			if seq != 0 {
				t.Errorf("a batch with a wrong expectation was let in at %d", seq)
			}
			wantConflict(t, err, first, last)
		}
	}
	entries := batchOf(3, "none")
	entries[1].Expect = last // of a subject that has no record
	_, err := log.AppendBatch(Context(t), entries)
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) || conflict.Last != 0 || conflict.Subject != "" && conflict.Subject != entries[1].Subject {
		t.Errorf("got %v, want a conflict with 0", err)
	}
	wantLast(t, log, last)
}

func batchRepeated(t *testing.T, log eventstore.Log) {
	entries := batchOf(30, "r")
	place := appendBatch(t, log, entries)
	for range 3 {
		if seq, err := log.AppendBatch(Context(t), entries); seq != place || err != nil {
			t.Errorf("again: %d, %v; want %d", seq, err, place)
		}
	}
	wantLast(t, log, place)
	moved := Append(t, log, entries[29].Subject, place, "moved on")
	seq, err := log.AppendBatch(Context(t), entries)
	var conflict *eventstore.ConflictError
	if !errors.As(err, &conflict) || conflict.Last == 0 || conflict.Last > moved {
		t.Errorf("after its last subject has moved on: %d, %v", seq, err)
	}
	mixed := append(batchOf(5, "new"), entries[3])
	if seq, err := log.AppendBatch(Context(t), mixed); err == nil || errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("a batch with one entry of another: %d, %v", seq, err)
	}
	wantLast(t, log, moved)
}

func batchRace(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	const writers, rounds, n = 6, 6, 8
	expect := make([]eventstore.Seq, n)
	for round := range rounds {
		var won atomic.Int64
		var place atomic.Uint64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				entries := batchOf(n, "x")
				for i := range entries {
					entries[i].Expect = expect[i]
				}
				if w%2 == 1 {
					slices.Reverse(entries)
				}
				last, err := log.AppendBatch(ctx, entries)
				var conflict *eventstore.ConflictError
				switch {
				case err == nil:
					won.Add(1)
					place.Store(uint64(last))
				case !errors.As(err, &conflict):
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d: %d of %d batches won", round, won.Load(), writers)
		}
		last := eventstore.Seq(place.Load())
		for _, r := range Read(t, log, last-n+1, last) {
			var i int
			if _, err := fmt.Sscanf(string(r.Subject), "hp.e.acme.token.x%d", &i); err != nil {
				t.Fatalf("record %d is of %s", r.Seq, r.Subject)
			}
			expect[i] = r.Seq
		}
	}
	wantLast(t, log, 1+rounds*n)
}

func noBatch(t *testing.T, log eventstore.Log) {
	subject, id := batchOf(3, "s"), batchOf(3, "i")
	subject[2].Subject = subject[0].Subject
	id[2].ID = id[0].ID
	for what, entries := range map[string][]eventstore.Entry{
		"of nothing": nil, "too large": batchOf(eventstore.MaxBatch+1, "l"), "with a subject twice": subject, "with an id twice": id,
	} {
		if seq, err := log.AppendBatch(Context(t), entries); err == nil || errors.Is(err, eventstore.ErrUnknown) {
			t.Errorf("a batch %s: %d, %v", what, seq, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.AppendBatch(ctx, batchOf(3, "e")); !errors.Is(err, context.Canceled) || errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("with a context that has ended: %v", err)
	}
	wantLast(t, log, 1)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := log.AppendBatch(Context(t), batchOf(3, "c")); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("to a closed log: %v", err)
	}
}

func fullBatch(t *testing.T, log eventstore.Log) {
	large := batchOf(20, "f")
	for i := range large {
		large[i].Data = bytes.Repeat([]byte("0123456789abcdef"), 256) // 4 KiB
	}
	if _, err := log.AppendBatch(Context(t), large); !errors.Is(err, eventstore.ErrFull) {
		t.Errorf("80 KiB into 64: %v", err)
	}
	wantLast(t, log, 1)
	small := batchOf(20, "g")
	wantWhole(t, log, small, appendBatch(t, log, small))
}
