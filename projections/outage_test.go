package projections_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// Barriers go after a minute. A node whose link was away for longer goes on
// although the record that it read last has gone meanwhile.
func TestAnOutageOutlastsBarriers(t *testing.T) {
	story, n := acme(t)
	n.WaitLive(story.Do("acme", "a", projectionstest.Issued(1, 1)))
	log := story.Log.(*eventstore.Memory)
	for round := range 2 {
		var last eventstore.Seq
		for range 3 {
			last = barrier(t, log)
		}
		n.WaitLive(last)
		n.Link.Stall()
		n.Link.Cut()
		for seq := last - eventstore.Seq(round); seq <= last; seq++ {
			log.Expire(seq)
		}
		n.Link.Resume()
		n.WaitLive(barrier(t, log))
		n.WaitPhase(projections.Live)
		wantVerdict(t, n, 1, granted)
	}
	n.WaitLive(story.Do("acme", "a", domain.TokenRevoked{Reason: policy}))
	wantVerdict(t, n, 1, revoked)
}

// A barrier that comes back as another one may have given a lease that this
// node does not know of.
func TestANewReaderMustBringTheSameBarriers(t *testing.T) {
	for name, change := range map[string]func(*eventstore.Record){
		"another barrier":   func(r *eventstore.Record) { r.Stored++ },
		"a fact in a place": func(r *eventstore.Record) { r.Subject = eventstore.AccountSubject("acme") },
	} {
		t.Run(name, func(t *testing.T) {
			story, n := acme(t)
			first := barrier(t, story.Log.(*eventstore.Memory))
			n.WaitLive(barrier(t, story.Log.(*eventstore.Memory)))
			n.Link.Alter(func(r *eventstore.Record) {
				if r.Seq == first {
					change(r)
				}
			})
			n.Link.Cut()
			st := n.WaitPhase(projections.Failed)
			var at *projections.RecordError
			if !errors.As(st.Err, &at) || at.Seq != first || !strings.Contains(st.Err.Error(), "history has changed") {
				t.Errorf("the status says %v", st.Err)
			}
		})
	}
}

func barrier(t *testing.T, log *eventstore.Memory) eventstore.Seq {
	t.Helper()
	seq, err := log.Barrier(within(t), "n9", projectionstest.Barrier(log))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// Who follows the feed from long ago meets the places of barriers that have
// gone, where the feed reads the log.
func TestTheFeedPassesOverGoneBarriers(t *testing.T) {
	story, n := acme(t)
	log := story.Log.(*eventstore.Memory)
	gone := barrier(t, log)
	var last eventstore.Seq
	for i := range 1200 { // more than the feed keeps
		last = story.Do("acme", domain.TokenID(fmt.Sprint("t", i)), projectionstest.Issued(1, i))
	}
	n.WaitLive(last)
	log.Expire(gone)
	for from := gone - 2; from < gone+2; from++ {
		sub, err := n.Feed.Subscribe(from)
		if err != nil {
			t.Fatal(err)
		}
		facts := 0
		for at := from; at < last; facts++ {
			e, err := sub.Next(within(t))
			if err != nil {
				t.Fatalf("from %d, after %d: %v", from, at, err)
			}
			at = e.Seq
		}
		want := int(last - from)
		if from < gone {
			want--
		}
		if facts != want {
			t.Errorf("from %d come %d facts, want %d", from, facts, want)
		}
		sub.Close()
	}
}
