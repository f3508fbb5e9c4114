package eventstoretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Maker returns a new log that holds its genesis only. maxBytes bounds it; 0:
// so large that no test fills it. The maker sees to closing it.
type Maker func(t testing.TB, maxBytes int64) eventstore.Log

// Run holds the logs that make returns to the comments of eventstore.Log.
func Run(t *testing.T, make Maker) {
	for _, c := range []struct {
		claim string
		test  func(t *testing.T, log eventstore.Log)
	}{
		{"the first record is a genesis", genesis},
		{"records have one place, the same for all readers", order},
		{"a reader starts at any record, past, next or future", start},
		{"a reader outlives a Next whose context ended", resumed},
		{"an append with another expectation is refused", conflicts},
		{"the same entry twice is one record", repeated},
		{"of appends with one expectation exactly one wins", race},
		{"appends to many subjects are all stored once", crowd},
		{"a batch is stored in order, in one piece", batchOrder},
		{"nothing comes between the records of a batch", batchCrowd},
		{"a batch with one wrong expectation is refused whole", batchConflicts},
		{"the same batch twice is stored once", batchRepeated},
		{"of batches with one expectation exactly one wins", batchRace},
		{"what is no batch is refused", noBatch},
		{"data comes back byte for byte", fidelity},
		{"history is one subject's, bounded and in order", history},
		{"an append whose context has ended stores nothing", ended},
		{"usage counts", usage},
		{"barriers share the order, and expect nothing", barriers},
		{"barriers of many are all stored once", crowdedBarriers},
		{"settings and readers say what the log is", settings},
		{"a message goes to everyone, and to one of a group", bus},
		{"what is no topic is refused", badTopics},
		{"a closed log has no bus and no barriers", closedBus},
		{"any sequence of appends does as a map would", model},
		{"a shelf gives the newest value of each key, once", shelf},
		{"a shelf holds large values of many writers", largeShelf},
		{"a shelf refuses what is no key, and what is too large", badShelf},
		{"a closed log says so, to everyone", closed},
	} {
		t.Run(c.claim, func(t *testing.T) { c.test(t, make(t, 0)) })
	}
	t.Run("a full log refuses, and can be read", func(t *testing.T) { full(t, make(t, 64<<10)) })
	t.Run("a batch that does not fit is refused whole", func(t *testing.T) { fullBatch(t, make(t, 64<<10)) })
}

const (
	first  eventstore.Subject = "hp.e.acme.token.first"
	second eventstore.Subject = "hp.e.acme.token.second"
)

func genesis(t *testing.T, log eventstore.Log) {
	r := Read(t, log, 1, 1)[0]
	fact, err := domain.Decode(r.Data)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := fact.Event.(domain.Genesis)
	if !ok || r.Subject != eventstore.GenesisSubject || !fact.Actor.IsOperator() || g.Stream == [16]byte{} {
		t.Errorf("record 1 is %+v at %s", fact, r.Subject)
	}
	if l, ok := log.(interface{ StreamID() [16]byte }); ok && l.StreamID() != g.Stream {
		t.Errorf("StreamID is %x, the genesis says %x", l.StreamID(), g.Stream)
	}
	if last, err := log.Last(Context(t)); err != nil || last != 1 {
		t.Errorf("Last is %d, %v", last, err)
	}
	_, err = log.Append(Context(t), NewEntry(eventstore.GenesisSubject, 0, r.Data))
	wantConflict(t, err, eventstore.GenesisSubject, 1)
}

func order(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	const n = 150
	var readers sync.WaitGroup
	var seen [3][]eventstore.Record
	var errs [3]error
	for i, buf := range []int{1, 7, 256} { // open before the records are there
		readers.Go(func() { seen[i], errs[i] = ReadAll(ctx, log, 1, n+1, buf) })
	}
	last := map[eventstore.Subject]eventstore.Seq{}
	for i := range n {
		s := eventstore.Subject(fmt.Sprintf("hp.e.acme.token.t%d", i%7))
		if i%10 == 9 {
			s = "hp.l.n1" // barriers share the stream
		}
		seq := Append(t, log, s, last[s], fmt.Sprint("record ", i))
		if want := eventstore.Seq(i + 2); seq != want {
			t.Fatalf("append %d got place %d, want %d", i, seq, want)
		}
		last[s] = seq
	}
	readers.Wait()
	after := Read(t, log, 1, n+1) // open after they are
	for i := range seen {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if !slices.EqualFunc(seen[i], after, same) {
			t.Errorf("reader %d saw other records than a later one", i)
		}
	}
	for i, r := range after[1:] {
		if want := fmt.Sprint("record ", i); string(r.Data) != want {
			t.Errorf("record %d holds %q, want %q", r.Seq, r.Data, want)
		}
		if r.Stored < after[i].Stored {
			t.Errorf("record %d is older than the one before", r.Seq)
		}
	}
	if age := time.Since(after[n].Stored.Time()); age < -time.Minute || age > 5*time.Minute {
		t.Errorf("the newest record is %v old", age)
	}
}

func same(a, b eventstore.Record) bool {
	return a.Seq == b.Seq && a.Stored == b.Stored && a.Subject == b.Subject && bytes.Equal(a.Data, b.Data)
}

func start(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	for i := range 5 {
		Append(t, log, first, eventstore.Seq(min(i, 1)*(i+1)), fmt.Sprint(i))
	}
	future, err := log.Read(ctx, 9)
	if err != nil {
		t.Fatal(err)
	}
	defer future.Close()
	for from := eventstore.Seq(0); from <= 6; from++ {
		if got := Read(t, log, max(from, 1), 6); got[0].Seq != max(from, 1) {
			t.Errorf("a reader from %d began at %d", from, got[0].Seq)
		}
	}
	for i := range eventstore.Seq(4) { // records 7 to 10
		Append(t, log, first, 6+i, "later")
	}
	buf := make([]eventstore.Record, 1)
	if n, err := future.Next(ctx, buf); n != 1 || err != nil || buf[0].Seq != 9 {
		t.Errorf("a reader from 9, opened at 6, began with %d records, %d, %v", n, buf[0].Seq, err)
	}
}

func resumed(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	r, err := log.Read(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]eventstore.Record, 4)
	short, cancel := context.WithCancelCause(ctx)
	cause := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	if n, err := r.Next(short, buf); n != 0 || !errors.Is(err, cause) {
		t.Fatalf("Next with an ended context: %d, %v", n, err)
	}
	Append(t, log, first, 0, "x")
	if n, err := r.Next(ctx, buf); n != 1 || err != nil || buf[0].Seq != 2 {
		t.Fatalf("Next afterwards: %d, %v", n, err)
	}
	r.Close()
	r.Close() // twice does no harm
	if _, err := r.Next(ctx, buf); !errors.Is(err, eventstore.ErrLost) {
		t.Errorf("Next after Close: %v", err)
	}
}
