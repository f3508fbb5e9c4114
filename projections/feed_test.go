package projections_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// drain takes entries up to the record.
func drain(t *testing.T, s *projections.Subscription, upTo eventstore.Seq) (seqs []eventstore.Seq) {
	t.Helper()
	for {
		e, err := s.Next(within(t))
		if err != nil {
			t.Errorf("after %v: %v", seqs, err)
			return nil
		}
		if seqs = append(seqs, e.Seq); e.Seq >= upTo {
			return seqs
		}
	}
}

func from(first, last eventstore.Seq) (seqs []eventstore.Seq) {
	for ; first <= last; first++ {
		seqs = append(seqs, first)
	}
	return seqs
}

func subscribe(t *testing.T, n *projectionstest.Node, after eventstore.Seq) *projections.Subscription {
	t.Helper()
	s, err := n.Feed.Subscribe(after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestTheFeedResumesAfterAnyRevision(t *testing.T) {
	story, n := acme(t)
	for i := range 10 {
		story.Do("acme", domain.TokenID("t"+strconv.Itoa(i)), projectionstest.Issued(1, i))
	}
	at := story.Model.At
	n.WaitLive(at)
	for after := range at {
		if got, want := drain(t, subscribe(t, n, after), at), from(after+1, at); !slices.Equal(got, want) {
			t.Errorf("after %d it brings %v, want %v", after, got, want)
		}
	}
	if _, err := n.Feed.Subscribe(at + 1); !errors.Is(err, projections.ErrRevisionUnknown) {
		t.Errorf("after a revision to come it says %v, want ErrRevisionUnknown", err)
	}
	s := subscribe(t, n, at)
	next := story.Do("acme", "new", projectionstest.Issued(1, 100))
	if e, err := s.Next(within(t)); err != nil || e.Seq != next || e.Fact.Token != "new" {
		t.Errorf("it brings %+v, %v", e, err)
	}
	if n.Position.At() < next {
		t.Error("an entry came before the position had reached it")
	}
}

func TestASlowSubscriberMissesNothing(t *testing.T) {
	const records = 10_000 // more than twice what the feed keeps in memory
	story, n := acme(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	start := story.Model.At
	n.WaitLive(start)
	slow, fast, cut := subscribe(t, n, start), subscribe(t, n, start), subscribe(t, n, 0)
	upTo := start + records
	var all sync.WaitGroup
	all.Go(func() {
		if got := drain(t, fast, upTo); !slices.Equal(got, from(start+1, upTo)) {
			t.Errorf("the fast one got %d records", len(got))
		}
	})
	for i := range records {
		story.Do("acme", "a", domain.TokenEdited{})
		if i%1000 == 0 {
			n.Link.Cut()
		}
	}
	n.WaitLive(upTo)
	all.Go(func() {
		if got := drain(t, slow, upTo); !slices.Equal(got, from(start+1, upTo)) {
			t.Errorf("the slow one got %d records", len(got))
		}
	})
	all.Go(func() {
		for at := eventstore.Seq(1); at <= upTo; at++ {
			if at%1500 == 0 {
				n.Link.Cut()
			}
			if e, err := cut.Next(within(t)); err != nil || e.Seq != at {
				t.Errorf("the one whose link breaks got %d, %v; want %d", e.Seq, err, at)
				return
			}
		}
	})
	all.Wait()
}

func TestASubscriptionEndsWithClose(t *testing.T) {
	story, n := acme(t)
	s := subscribe(t, n, story.Model.At)
	got := make(chan error)
	go func() { _, err := s.Next(within(t)); got <- err }()
	s.Close()
	if err := <-got; !errors.Is(err, projections.ErrClosed) {
		t.Errorf("Next returns %v, want ErrClosed", err)
	}
}

func TestTheFeedTellsAllBeforeANodesFailure(t *testing.T) {
	story, n := acme(t)
	s := subscribe(t, n, story.Model.At)
	seq := story.Do("acme", "a", projectionstest.Issued(1, 1))
	story.Raw(eventstore.TokenSubject("acme", "b"), []byte("garbage"))
	n.WaitPhase(projections.Failed)
	if e, err := s.Next(within(t)); err != nil || e.Seq != seq {
		t.Errorf("it brings %+v, %v; want record %d", e, err, seq)
	}
	var at *projections.RecordError
	if _, err := s.Next(within(t)); !errors.As(err, &at) {
		t.Errorf("it ends with %v, want the record's error", err)
	}
}
