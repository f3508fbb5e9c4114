package eventstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

const subject eventstore.Subject = "hp.e.acme.token.one"

func TestFaultyIsTheLogWhenToldNothing(t *testing.T) {
	eventstoretest.Run(t, func(_ testing.TB, maxBytes int64) eventstore.Log {
		return eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{MaxBytes: uint64(maxBytes)}))
	})
}

func TestFaultyAppends(t *testing.T) {
	for _, c := range []struct {
		fault  eventstoretest.Fault
		stored bool
		is     error // nil: success, or a conflict
	}{
		{eventstoretest.None, true, nil},
		{eventstoretest.LoseAck, true, eventstore.ErrUnknown},
		{eventstoretest.Conflict, true, nil},
		{eventstoretest.Repeat, true, nil},
		{eventstoretest.LoseSend, false, eventstore.ErrUnknown},
		{eventstoretest.Full, false, eventstore.ErrFull},
	} {
		log := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
		log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return c.fault })
		var told eventstore.Seq
		log.OnStored(func(_ eventstore.Entry, seq eventstore.Seq) { told = seq })
		seq, err := log.Append(t.Context(), eventstoretest.NewEntry(subject, 0, nil))
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) && c.fault == eventstoretest.Conflict {
			seq, err = conflict.Last, nil
		}
		if !errors.Is(err, c.is) || err == nil && seq != 2 {
			t.Errorf("fault %d: %d, %v", c.fault, seq, err)
		}
		if last, _ := log.Last(t.Context()); (last == 2) != c.stored || (told == 2) != c.stored || last > 2 {
			t.Errorf("fault %d: the log ends at %d, OnStored said %d", c.fault, last, told)
		}
	}
}

// A fault that is told for one entry of a batch is the whole batch's.
func TestFaultyBatches(t *testing.T) {
	for _, c := range []struct {
		fault  eventstoretest.Fault
		stored bool
		is     error // nil: success, or a conflict
	}{
		{eventstoretest.None, true, nil},
		{eventstoretest.LoseAck, true, eventstore.ErrUnknown},
		{eventstoretest.Conflict, true, nil},
		{eventstoretest.Repeat, true, nil},
		{eventstoretest.LoseSend, false, eventstore.ErrUnknown},
		{eventstoretest.Full, false, eventstore.ErrFull},
	} {
		log := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
		entries := []eventstore.Entry{eventstoretest.NewEntry(subject, 0, nil), eventstoretest.NewEntry(subject+"2", 0, nil)}
		log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
			if e.Subject == entries[1].Subject {
				return c.fault
			}
			return eventstoretest.None
		})
		told := map[eventstore.Subject]eventstore.Seq{}
		log.OnStored(func(e eventstore.Entry, seq eventstore.Seq) { told[e.Subject] = seq })
		seq, err := log.AppendBatch(t.Context(), entries)
		var conflict *eventstore.ConflictError
		if errors.As(err, &conflict) && c.fault == eventstoretest.Conflict {
			seq, err = conflict.Last, nil
		}
		if !errors.Is(err, c.is) || err == nil && seq != 3 {
			t.Errorf("fault %d: %d, %v", c.fault, seq, err)
		}
		last, _ := log.Last(t.Context())
		if (last == 3) != c.stored || (told[entries[0].Subject] == 2 && told[entries[1].Subject] == 3) != c.stored || last != 1 && last != 3 {
			t.Errorf("fault %d: the log ends at %d, OnStored said %v", c.fault, last, told)
		}
	}
}

func TestFaultyReaders(t *testing.T) {
	ctx := eventstoretest.Context(t)
	log := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
	r, err := log.Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]eventstore.Record, 8)
	if n, err := r.Next(ctx, buf); n != 1 || err != nil {
		t.Fatal(n, err)
	}

	log.Stall()
	eventstoretest.Append(t, log, subject, 0, "stalled")
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if n, err := r.Next(short, buf); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stalled reader gave %d, %v", n, err)
	}
	log.Resume()
	if n, err := r.Next(ctx, buf); n != 1 || err != nil || buf[0].Seq != 2 {
		t.Errorf("a resumed reader gave %d, %v", n, err)
	}

	log.OnDeliver(func(rec eventstore.Record) int { return int(rec.Seq) - 3 }) // 3 never, 5 twice
	eventstoretest.Append(t, log, subject, 2, "left out")
	eventstoretest.Append(t, log, subject, 3, "once")
	eventstoretest.Append(t, log, subject, 4, "twice")
	if n, err := r.Next(ctx, buf); n != 3 || err != nil || buf[0].Seq != 4 || buf[2].Seq != 5 {
		t.Errorf("with a gap and a repetition: %d records, %v", n, err)
	}
	if got := log.Delivered(); got != 5 {
		t.Errorf("Delivered is %d", got)
	}

	ended := make(chan error)
	go func() {
		_, err := r.Next(ctx, buf)
		ended <- err
	}()
	log.Cut()
	if err := <-ended; !errors.Is(err, eventstore.ErrLost) {
		t.Errorf("a cut reader got %v", err)
	}
	log.RefuseReaders(eventstore.ErrLost)
	if _, err := log.Read(ctx, 1); !errors.Is(err, eventstore.ErrLost) {
		t.Errorf("a refused Read got %v", err)
	}
	log.RefuseReaders(nil)
	log.OnDeliver(nil)
	eventstoretest.Read(t, log, 1, 5)
	if got := log.Opened(); got != 2 {
		t.Errorf("%d readers were opened", got)
	}
}
