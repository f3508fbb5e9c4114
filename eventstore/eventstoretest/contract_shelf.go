package eventstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/eventstore"
)

// values returns what a shelf gives for changes after that, as key=value.
func values(t *testing.T, s eventstore.Shelf, after uint64) (got []string, last uint64) {
	t.Helper()
	untilAnswered(t, func(ctx context.Context) (err error) {
		got = nil
		last, err = s.Since(ctx, after, func(key string, value []byte) { got = append(got, key+"="+string(value)) })
		return err
	})
	return got, last
}

// put puts a value.
func put(t *testing.T, s eventstore.Shelf, key string, value []byte) (n uint64) {
	t.Helper()
	untilAnswered(t, func(ctx context.Context) (err error) {
		n, err = s.Put(ctx, key, value)
		return err
	})
	return n
}

// untilAnswered asks as whoever uses a shelf does: again, for a cluster leaves
// requests without an answer while it has no leader.
func untilAnswered(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	ctx := Context(t)
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Error(err)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func shelf(t *testing.T, log eventstore.Log) {
	s := log.Shelf()
	if got, last := values(t, s, 0); len(got) > 0 || last != 0 {
		t.Errorf("an empty shelf gives %v and %d", got, last)
	}
	var changes []uint64
	for i, kv := range []string{"n1.00=a", "n2.00=b", "n1.01=", "n1.00=c"} {
		key, value, _ := strings.Cut(kv, "=")
		n := put(t, s, key, []byte(value))
		if i > 0 && n <= changes[i-1] {
			t.Errorf("change %d got number %d, after %d", i, n, changes[i-1])
		}
		changes = append(changes, n)
	}
	for after, want := range map[uint64][]string{
		0:          {"n2.00=b", "n1.01=", "n1.00=c"},
		changes[0]: {"n2.00=b", "n1.01=", "n1.00=c"},
		changes[1]: {"n1.01=", "n1.00=c"},
		changes[3]: nil,
	} {
		got, last := values(t, s, after)
		Eventually(t, "the shelf gives the newest values", func() bool { // it may lag
			if last != changes[3] {
				got, last = values(t, s, after)
			}
			return last == changes[3]
		})
		if !slices.Equal(got, want) {
			t.Errorf("after %d the shelf gives %v, want %v", after, got, want)
		}
	}
}

func largeShelf(t *testing.T, log eventstore.Log) {
	ctx, s := Context(t), log.Shelf()
	want := map[string][]byte{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 30 {
				key, value := fmt.Sprintf("n%d.%02d", w, i), bytes.Repeat([]byte{byte(w), byte(i)}, 1+100*i)
				if i == 29 {
					value = bytes.Repeat([]byte{7}, eventstore.MaxValue)
				}
				mu.Lock()
				want[key] = value
				mu.Unlock()
				put(t, s, key, value)
			}
		})
	}
	all.Wait()
	got := map[string][]byte{}
	var last uint64
	Eventually(t, "all values are there", func() bool {
		var err error
		last, err = s.Since(ctx, last, func(key string, value []byte) { got[key] = value })
		return err == nil && len(got) == len(want)
	})
	for key, value := range want {
		if !bytes.Equal(got[key], value) {
			t.Errorf("%s came with %d bytes, not as it was put", key, len(got[key]))
		}
	}
}

func badShelf(t *testing.T, log eventstore.Log) {
	ctx, s := Context(t), log.Shelf()
	for _, key := range []string{"", ".", "a.", "a b", "*", ">", "a/b"} {
		if _, err := s.Put(ctx, key, nil); err == nil {
			t.Errorf("the key %q was taken", key)
		}
	}
	if _, err := s.Put(ctx, "a", make([]byte, eventstore.MaxValue+1)); err == nil {
		t.Error("a value that is too large was taken")
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Put(over, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Put when its context has ended: %v", err)
	}
	if got, _ := values(t, s, 0); len(got) > 0 {
		t.Errorf("the shelf holds %v", got)
	}
	log.Close() //nolint:errcheck // it never fails
	if _, err := s.Put(ctx, "a", nil); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("Put when the log is closed: %v", err)
	}
	if _, err := s.Since(ctx, 0, nil); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("Since when the log is closed: %v", err)
	}
}
