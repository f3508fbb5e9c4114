package projections

import (
	"errors"
	"fmt"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

// A record that can't be read is named wherever it stands among those that are
// applied at once; all before it is applied, and nothing after it.
func TestAnUnreadableRecordEndsWhatIsBeforeIt(t *testing.T) {
	records := benchStart()
	first := len(records)
	for n := range 4 * lockFor {
		a, id := benchIDs(n)
		records = append(records, benchRecord(Seq(first+n)+1, a, id, benchIssued(n, benchSecret(n, 0).Digest())))
	}
	for _, at := range []int{0, 1, 100, lockFor - 1, lockFor, lockFor + 1, 2 * lockFor, 4*lockFor - 1, 4 * lockFor} {
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
			for n := range 4 * lockFor {
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
