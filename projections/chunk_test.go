package projections

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

// A record that can't be read is named wherever it stands among those that are
// applied at once; all before it is applied, and nothing after it.
func TestAnUnreadableRecordEndsWhatIsBeforeIt(t *testing.T) {
	records := benchStart()
	first := len(records)
	for n := range 8 * lockFor {
		a, id := benchIDs(n)
		records = append(records, benchRecord(Seq(first+n)+1, a, id, benchIssued(n, benchSecret(n, 0).Digest())))
	}
	for _, at := range []int{0, 1, 100, lockFor - 1, lockFor, lockFor + 1, 2 * lockFor, 7*lockFor + 3, 8 * lockFor} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			f := newFold(emptyLog(), &Config{Boot: bootTime, Now: func() domain.Instant { return 0 }})
			given := append([]eventstore.Record(nil), records...)
			if at < len(given) {
				given[at].Data = []byte("x")
			}
			err := f.apply(given)
			var bad *RecordError
			switch {
			case at == len(given) && err != nil:
				t.Fatalf("got %v", err)
			case at < len(given) && (!errors.As(err, &bad) || bad.Seq != Seq(at)+1):
				t.Fatalf("got %v, want record %d named", err, at+1)
			}
			if f.applied != Seq(at) || f.position.At() != Seq(at) {
				t.Errorf("applied up to %d, %d published, want %d", f.applied, f.position.At(), at)
			}
			for n := range 8 * lockFor {
				d := benchSecret(n, 0).Digest()
				if known := f.index.digests.find(&d) != nil; known != (first+n < at) {
					t.Fatalf("token %d is known: %v", n, known)
				}
			}
			for i := range f.chunks {
				if c := &f.chunks[i]; c.records != nil || c.failed != nil || c.facts != [lockFor]*domain.Fact{} {
					t.Errorf("chunk %d is kept", i)
				}
			}
		})
	}
}

// What a majority does not have is not noted as read, though it came in one piece
// with the majority's word: a copy that is whole again would be taken for damaged.
func TestNothingIsNotedOfAHistoryThatIsContradicted(t *testing.T) {
	head, err := eventstore.OpenHead(filepath.Join(t.TempDir(), "head"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := head.Close(); err != nil {
			t.Error(err)
		}
	}()
	f := newFold(emptyLog(), &Config{Boot: bootTime, Now: func() domain.Instant { return 0 }, Head: head, Logger: slog.New(slog.DiscardHandler)})
	checkpoint := func(root Hash) eventstore.Record {
		r := benchRecord(f.applied+1, domain.RootAccount, "", domain.Checkpoint{Size: f.tree.size(), Root: root, Seen: []domain.Sighting{{Replica: "r", By: domain.Incarnation{1}}}})
		r.Subject = eventstore.CheckpointSubject
		return r
	}
	if err := f.apply(benchStart()); err != nil {
		t.Fatal(err)
	}
	if err := f.caughtUp(); err != nil {
		t.Fatal(err)
	}
	_, root := f.tree.head()
	agreed := eventstore.Mark{Seq: f.applied, Size: f.tree.size(), Root: root}
	if err := f.apply([]eventstore.Record{checkpoint(root)}); err != nil {
		t.Fatal(err)
	}
	a, id := benchIDs(0)
	fact := benchRecord(f.applied+1, a, id, benchIssued(0, benchSecret(0, 0).Digest()))
	word := checkpoint(Hash{1})
	word.Seq, word.Stored = fact.Seq+1, fact.Stored+1
	var differs *HistoryError
	if err := f.apply([]eventstore.Record{fact, word}); !errors.As(err, &differs) {
		t.Fatalf("got %v", err)
	}
	if got, ok := head.Mark(); !ok || got != agreed {
		t.Errorf("noted is revision %d, size %d; want what was agreed, %d and %d", got.Seq, got.Size, agreed.Seq, agreed.Size)
	}
}
