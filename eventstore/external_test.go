package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

func openExternal(t testing.TB, cfg eventstore.ExternalConfig) *eventstore.JetStream {
	t.Helper()
	log, err := eventstore.OpenExternal(eventstoretest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() }) //nolint:errcheck // it never fails
	return log
}

func TestManyNodesOpenOneStream(t *testing.T) {
	cfg := eventstoretest.StartServers(t, 1).Account()
	const nodes = 8
	var wg sync.WaitGroup
	ids := make([][16]byte, nodes)
	for i := range nodes {
		wg.Go(func() {
			log, err := eventstore.OpenExternal(eventstoretest.Context(t), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = log.StreamID()
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids[1:] {
		if id != ids[0] {
			t.Error("two nodes that opened one stream see different ids")
		}
	}
	if last, err := openExternal(t, cfg).Last(t.Context()); last != 1 || err != nil {
		t.Errorf("the stream ends at %d, %v; want its genesis only", last, err)
	}
}

// A restarted server, or a killed leader, loses no acknowledged record and
// doubles none, and readers that are opened again go on.
func TestServerRestarts(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	story(t, openExternal(t, servers.Account()), 4, 60, func() {
		servers.Stop(0)
		servers.Start(0)
	})
}

func TestLeaderDies(t *testing.T) {
	t.Parallel() // it mostly waits
	servers := eventstoretest.StartServers(t, 3)
	cfg := servers.Account()
	story(t, openExternal(t, cfg), 1, 40, func() {
		i := -1
		eventstoretest.Eventually(t, "the stream has a leader", func() bool {
			i = servers.Leader(cfg)
			return i >= 0
		})
		servers.Stop(i)
		servers.Start(i)
	})
}

func TestLinkBreaks(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	proxy := eventstoretest.NewProxy(t, servers.Addr(0))
	cfg := servers.Account()
	cfg.URL = "nats://" + proxy.Addr()
	story(t, openExternal(t, cfg), 10, 100, func() {
		proxy.HoldAnswers() // some records are stored whose answers are lost
		time.Sleep(5 * time.Millisecond)
		proxy.Cut()
	})
}

// story appends with four writers while trouble strikes so many times, each
// time after some more appends, and compares what was acknowledged with what
// two readers saw.
func story(t *testing.T, log eventstore.Log, troubles, between int, trouble func()) {
	t.Helper()
	ctx := eventstoretest.Context(t)
	const writers = 4
	var mu sync.Mutex
	acked := map[eventstore.Seq]string{}
	progress := make(chan struct{}, 1<<20)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s := eventstore.Subject(fmt.Sprint("hp.e.acme.token.s", w))
			var last eventstore.Seq
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				data := fmt.Sprintf("%d/%d", w, i)
				seq, err := appendSurely(ctx, log, eventstoretest.NewEntry(s, last, []byte(data)))
				if err != nil {
					t.Errorf("append %s: %v", data, err)
					return
				}
				last = seq
				mu.Lock()
				acked[seq] = data
				mu.Unlock()
				progress <- struct{}{}
			}
		})
	}
	await := func() {
		for range between {
			select {
			case <-progress:
			case <-ctx.Done():
				t.Error("the writers are stuck")
				return
			}
		}
	}
	var seen []eventstore.Record
	var readErr error
	var reader sync.WaitGroup
	reader.Go(func() {
		seen, readErr = eventstoretest.Follow(ctx, log, 1, 64,
			func(r eventstore.Record) bool { return string(r.Data) == "end" })
	})
	await()
	for range troubles {
		trouble()
		await()
	}
	close(stop)
	wg.Wait()
	if _, err := appendSurely(ctx, log, eventstoretest.NewEntry(subject, 0, []byte("end"))); err != nil {
		t.Fatal(err)
	}
	reader.Wait()
	if readErr != nil {
		t.Fatal(readErr)
	}
	compare(t, eventstoretest.Read(t, log, 1, eventstore.Seq(len(seen))), seen, acked)
}

// appendSurely appends e and, when the outcome is in doubt, finds out in the
// subject's history, as a folding caller would in its fold.
func appendSurely(ctx context.Context, log eventstore.Log, e eventstore.Entry) (eventstore.Seq, error) {
	for {
		seq, err := log.Append(ctx, e)
		var conflict *eventstore.ConflictError
		if err == nil || !errors.As(err, &conflict) {
			return seq, err
		}
		for {
			records, err := log.History(ctx, e.Subject, e.Expect, 1)
			if err != nil && ctx.Err() == nil {
				continue // the link is down
			}
			if err != nil {
				return 0, err
			}
			if len(records) == 0 {
				break // the history lags, or the conflict was a passing one
			}
			if string(records[0].Data) != string(e.Data) {
				return 0, fmt.Errorf("a foreign record %d in a subject of one writer", records[0].Seq)
			}
			return records[0].Seq, nil
		}
	}
}

func compare(t *testing.T, stored, seen []eventstore.Record, acked map[eventstore.Seq]string) {
	t.Helper()
	places := map[string]eventstore.Seq{}
	for i, r := range stored[1:] {
		if string(seen[i+1].Data) != string(r.Data) || seen[i+1].Subject != r.Subject {
			t.Errorf("record %d is %q, the reader that followed saw %q", r.Seq, r.Data, seen[i+1].Data)
		}
		if other, ok := places[string(r.Data)]; ok {
			t.Errorf("%q is stored twice, as %d and %d", r.Data, other, r.Seq)
		}
		places[string(r.Data)] = r.Seq
	}
	for seq, data := range acked {
		if places[data] != seq {
			t.Errorf("%q was acknowledged as %d and is at %d", data, seq, places[data])
		}
	}
	t.Logf("%d records, %d acknowledged", len(stored), len(acked))
}

func TestLostAnswer(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	proxy := eventstoretest.NewProxy(t, servers.Addr(0))
	cfg := servers.Account()
	witness := openExternal(t, cfg)
	cfg.URL = "nats://" + proxy.Addr()
	log := openExternal(t, cfg)

	proxy.HoldAnswers()
	got := make(chan error)
	go func() {
		_, err := log.Append(eventstoretest.Context(t), eventstoretest.NewEntry(subject, 0, []byte("x")))
		got <- err
	}()
	eventstoretest.Read(t, witness, 2, 2) // it is stored
	proxy.Cut()
	var conflict *eventstore.ConflictError
	if err := <-got; !errors.As(err, &conflict) || conflict.Last != 2 {
		t.Errorf("an append whose answer was lost: %v; want a conflict with its own record 2", err)
	}

	proxy.HoldAnswers()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := log.Append(ctx, eventstoretest.NewEntry(subject, 2, []byte("y")))
		got <- err
	}()
	eventstoretest.Read(t, witness, 3, 3)
	cancel()
	if err := <-got; !errors.Is(err, eventstore.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("an append whose caller gave up: %v", err)
	}
	if last, err := witness.Last(t.Context()); last != 3 || err != nil {
		t.Errorf("the stream ends at %d, %v", last, err)
	}
}

func TestUnreachable(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	log := openExternal(t, servers.Account())
	servers.Stop(0)
	// Once the client knows that the link is down nothing leaves it, so that
	// nothing is in doubt.
	eventstoretest.Eventually(t, "an append is known not to be stored", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := log.Append(ctx, eventstoretest.NewEntry(subject, 0, nil))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("append: %v", err)
		}
		return !errors.Is(err, eventstore.ErrUnknown)
	})
	servers.Start(0)
	eventstoretest.Append(t, log, subject, 0, "works again")
}

func TestSilentServer(t *testing.T) {
	t.Parallel() // it mostly waits
	servers := eventstoretest.StartServers(t, 1)
	proxy := eventstoretest.NewProxy(t, servers.Addr(0))
	cfg := servers.Account()
	cfg.URL = "nats://" + proxy.Addr()
	log := openExternal(t, cfg)
	ctx := eventstoretest.Context(t)
	r, err := log.Read(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	proxy.Hold()
	begin := time.Now()
	_, err = r.Next(ctx, make([]eventstore.Record, 1))
	if took := time.Since(begin); !errors.Is(err, eventstore.ErrLost) || took > 20*time.Second {
		t.Errorf("a reader of a silent server ended with %v after %v", err, took)
	}
	proxy.Release()
	eventstoretest.Append(t, log, subject, 0, "works again")
}
