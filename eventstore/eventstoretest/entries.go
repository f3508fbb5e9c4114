package eventstoretest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Patience is how long a test waits for what must happen.
const Patience = 60 * time.Second

// Context ends with the test, or when Patience is over.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// NewEntry returns an entry of its own id. The log doesn't look into data.
func NewEntry(s eventstore.Subject, expect eventstore.Seq, data []byte) eventstore.Entry {
	var entropy [10]byte
	_, _ = rand.Read(entropy[:])
	return eventstore.Entry{
		Subject: s, Expect: expect, Data: data, Type: "test.1",
		ID: domain.NewEventID(domain.InstantOf(time.Now()), entropy),
	}
}

// Append appends one new entry, or ends the test.
func Append(t testing.TB, log eventstore.Log, s eventstore.Subject, expect eventstore.Seq, data string) eventstore.Seq {
	t.Helper()
	seq, err := log.Append(Context(t), NewEntry(s, expect, []byte(data)))
	if err != nil {
		t.Fatalf("append to %s: %v", s, err)
	}
	return seq
}

// Read returns the records numbered from to to, or ends the test.
func Read(t testing.TB, log eventstore.Log, from, to eventstore.Seq) []eventstore.Record {
	t.Helper()
	records, err := ReadAll(Context(t), log, from, to, 64)
	if err != nil {
		t.Fatalf("read %d to %d: %v", from, to, err)
	}
	return records
}

// ReadAll reads the records numbered from to to, buf at a time, as Follow does.
func ReadAll(ctx context.Context, log eventstore.Log, from, to eventstore.Seq, buf int) ([]eventstore.Record, error) {
	return Follow(ctx, log, from, buf, func(r eventstore.Record) bool { return r.Seq == to })
}

// Follow reads records from the one numbered from on, buf at a time, up to and
// including the one that is the last. A reader that is lost is opened again
// after the last record received, as a projection does. It fails when a record
// is missing, doubled or out of order.
func Follow(ctx context.Context, log eventstore.Log, from eventstore.Seq, buf int,
	last func(eventstore.Record) bool) ([]eventstore.Record, error) {
	var out []eventstore.Record
	batch := make([]eventstore.Record, buf)
	for {
		r, err := log.Read(ctx, from+eventstore.Seq(len(out)))
		for err == nil {
			var n int
			n, err = r.Next(ctx, batch)
			for _, rec := range batch[:n] {
				if due := from + eventstore.Seq(len(out)); rec.Seq != due {
					r.Close()
					return out, fmt.Errorf("record %d came where %d was due", rec.Seq, due)
				}
				out = append(out, rec)
				if last(rec) {
					r.Close()
					return out, nil
				}
			}
		}
		if r != nil {
			r.Close()
		}
		if !errors.Is(err, eventstore.ErrLost) {
			return out, err
		}
	}
}
