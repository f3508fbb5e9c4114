package projections_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

func TestANodeStopsForGoodAtARecordThatCantBeApplied(t *testing.T) {
	fact := func(s *projectionstest.Story, token domain.TokenID, e domain.Event) []byte {
		return domain.Encode(s.Fact("acme", token, e))
	}
	subject := eventstore.TokenSubject("acme", "b")
	for name, tt := range map[string]struct {
		subject eventstore.Subject
		data    func(*projectionstest.Story) []byte
		why     string
	}{
		"garbage": {subject, func(*projectionstest.Story) []byte { return []byte("garbage") }, "unreadable"},
		"empty":   {subject, func(*projectionstest.Story) []byte { return nil }, "unreadable"},
		"of a type from the future": {subject, func(s *projectionstest.Story) []byte {
			return bytes.Replace(fact(s, "b", projectionstest.Issued(1, 2)), []byte("token.issued.1"), []byte("token.issued.9"), 1)
		}, "does not know"},
		"of a kind from the future": {"hp.e.acme.type.robot", func(s *projectionstest.Story) []byte {
			return fact(s, "b", projectionstest.Issued(1, 2))
		}, "something else than its subject says"},
		"under another token's subject": {subject, func(s *projectionstest.Story) []byte {
			return fact(s, "c", projectionstest.Issued(1, 2))
		}, "something else than its subject says"},
		"about what isn't there": {subject, func(s *projectionstest.Story) []byte {
			return fact(s, "b", domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})
		}, "impossible"},
		"a second genesis": {eventstore.GenesisSubject, func(s *projectionstest.Story) []byte {
			return domain.Encode(s.Fact(domain.RootAccount, "", domain.Genesis{}))
		}, "genesis"},
	} {
		t.Run(name, func(t *testing.T) {
			story, n := acme(t)
			story.Do("acme", "a", projectionstest.Issued(1, 1))
			n.WaitLive(story.Model.At)
			wantVerdict(t, n, 1, granted)
			data := tt.data(story)
			if tt.subject == eventstore.GenesisSubject {
				story.Model.Last[tt.subject] = 1
			}
			seq := story.Raw(tt.subject, data)

			st := n.WaitPhase(projections.Failed)
			var at *projections.RecordError
			if !errors.As(st.Err, &at) || at.Seq != seq || at.Subject != tt.subject {
				t.Fatalf("the status says %v, want record %d of %s", st.Err, seq, tt.subject)
			}
			if !strings.Contains(st.Err.Error(), tt.why) {
				t.Errorf("the status says %q, want %q in it", st.Err, tt.why)
			}
			if st.Applied != seq-1 {
				t.Errorf("%d records are applied, want %d", st.Applied, seq-1)
			}
			wantVerdict(t, n, 1, stale)
			n.Link.Cut()
			wantVerdict(t, n, 1, stale)
			for what, err := range map[string]error{
				"Ready":    n.Ready(within(t)),
				"Position": n.Position.Wait(within(t), seq),
			} {
				if !errors.As(err, &at) {
					t.Errorf("%s returns %v, want the record's error", what, err)
				}
			}
			if _, err := n.Expect(domain.EventID{1}).Wait(within(t)); !errors.As(err, &at) {
				t.Errorf("a pending record returns %v, want the record's error", err)
			}
		})
	}
}

func TestBarriersAdvanceThePositionAndNothingElse(t *testing.T) {
	story, n := acme(t)
	seq := story.Raw("hp.l.node1", projectionstest.Barrier(story.Log))
	n.WaitLive(seq)
	story.Model.At = seq
	n.WaitLive(story.Do("acme", "a", projectionstest.Issued(1, 1)))
	wantVerdict(t, n, 1, granted)
}

func TestAGapOrARepeatStopsANode(t *testing.T) {
	for name, times := range map[string]int{"a gap": 0, "a repeat": 2} {
		t.Run(name, func(t *testing.T) {
			story, n := acme(t)
			lost := story.Model.At + 1
			n.Link.OnDeliver(func(r eventstore.Record) int {
				if r.Seq == lost {
					return times
				}
				return 1
			})
			story.Do("acme", "a", projectionstest.Issued(1, 1))
			story.Do("acme", "b", projectionstest.Issued(1, 2))
			st := n.WaitPhase(projections.Failed)
			var again *projections.RecordError
			var gap *projections.HistoryError
			switch {
			case errors.As(st.Err, &gap) && times == 0 && gap.At == lost:
			case errors.As(st.Err, &again) && times == 2 && again.Seq == lost:
			default:
				t.Errorf("the status says %v", st.Err)
			}
			wantVerdict(t, n, 1, stale)
		})
	}
}

func TestANodeWithoutItsLinkAnswersStaleUntilItHasCaughtUp(t *testing.T) {
	story, n := acme(t)
	n.WaitLive(story.Do("acme", "a", projectionstest.Issued(1, 1)))
	wantVerdict(t, n, 1, granted)

	n.Link.RefuseReaders(eventstore.ErrLost)
	n.Link.Cut()
	if st := n.WaitPhase(projections.Connecting); !errors.Is(st.Err, eventstore.ErrLost) {
		t.Errorf("the status says %v, want what is wrong with the link", st.Err)
	}
	wantVerdict(t, n, 1, stale)
	story.Do("acme", "a", domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})
	story.Do("acme", "b", projectionstest.Issued(1, 2))
	wantVerdict(t, n, 1, stale)

	n.Link.RefuseReaders(nil)
	n.WaitPhase(projections.Live)
	wantVerdict(t, n, 1, revoked) // live means that everything missed is applied
	wantVerdict(t, n, 2, granted)
	if st := n.Status(); st.Err != nil || st.Applied != story.Model.At || st.Target < st.Applied {
		t.Errorf("the status is %+v", st)
	}
}

func TestANewReaderMustBringTheLastRecordAsItWas(t *testing.T) {
	story, n := acme(t)
	n.WaitLive(story.Do("acme", "a", projectionstest.Issued(1, 1)))
	for range 3 {
		n.Link.Cut() // unaltered, it goes on
		n.WaitLive(story.Do("acme", "a", domain.TokenEdited{}))
		n.WaitPhase(projections.Live)
	}
	last := story.Model.At
	n.Link.Alter(func(r *eventstore.Record) {
		if r.Seq == last {
			r.Stored++
		}
	})
	n.Link.Cut()
	st := n.WaitPhase(projections.Failed)
	var at *projections.RecordError
	if !errors.As(st.Err, &at) || at.Seq != last || !strings.Contains(st.Err.Error(), "history has changed") {
		t.Errorf("the status says %v", st.Err)
	}
	wantVerdict(t, n, 1, stale)
}

func TestALogThatWasMadeAnewIsNotFollowed(t *testing.T) {
	story := newStory(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	log := &swapped{Log: story.Log}
	n := projectionstest.StartNode(t, log, projections.Config{Stall: 20 * time.Millisecond})
	n.WaitLive(story.Model.At)

	anew := newStory(t)
	log.swap(anew.Log)
	n.Link.Cut()
	n.WaitPhase(projections.Connecting)
	for _, id := range []domain.TokenID{"x", "y"} {
		wantVerdict(t, n, 1, stale)
		anew.Do("acme", id, projectionstest.Issued(1, int(id[0])))
	}
	n.WaitPhase(projections.Failed)
	wantVerdict(t, n, 1, stale)
}

type swapped struct {
	mu sync.Mutex
	eventstore.Log
}

func (l *swapped) swap(to eventstore.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Log = to
}

func (l *swapped) now() eventstore.Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Log
}

func (l *swapped) Read(ctx context.Context, from eventstore.Seq) (eventstore.Reader, error) {
	return l.now().Read(ctx, from)
}

func (l *swapped) Last(ctx context.Context) (eventstore.Seq, error) { return l.now().Last(ctx) }

func TestASilentReaderIsReplaced(t *testing.T) {
	story := newStory(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	n := projectionstest.StartNode(t, story.Log, projections.Config{Stall: 20 * time.Millisecond})
	n.WaitLive(story.Model.At)

	n.Link.Stall()
	story.Do("acme", "a", domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})
	n.WaitPhase(projections.Connecting)
	wantVerdict(t, n, 1, stale)
	n.Link.Resume()
	n.WaitPhase(projections.Live)
	wantVerdict(t, n, 1, revoked)
}

func TestAQuietLogIsNotASilentOne(t *testing.T) {
	story := newStory(t)
	log := &asked{Log: story.Log, last: make(chan struct{}, 1)}
	link := projectionstest.NewLink(log)
	p := projections.Open(link, projections.Config{Stall: 50 * time.Millisecond, Logger: quiet, Hook: unleased})
	defer p.Close()
	<-log.last // by the new reader
	for range 3 {
		<-log.last // because nothing came for a while
		seq := story.Do("acme", "", domain.AccountSuspended{Reason: policy})
		story.Do("acme", "", domain.AccountResumed{})
		if err := p.Position.Wait(within(t), seq+1); err != nil {
			t.Fatal(err)
		}
	}
	if n := link.Opened(); n != 1 {
		t.Errorf("%d readers were opened, want 1", n)
	}
}

// asked is a log that tells when it is asked for its last record.
type asked struct {
	eventstore.Log
	last chan struct{}
}

func (l *asked) Last(ctx context.Context) (eventstore.Seq, error) {
	select {
	case l.last <- struct{}{}:
	default:
	}
	return l.Log.Last(ctx)
}

func TestANodeThatWasNeverLiveIsNotReady(t *testing.T) {
	story := newStory(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	link := projectionstest.NewLink(story.Log)
	link.Stall()
	var mu sync.Mutex
	var seen []projections.Status
	p := projections.Open(link, projections.Config{Logger: quiet, Hook: unleased, Progress: func(s projections.Status) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s)
	}})
	defer p.Close()
	_, err := p.Index.Check(projectionstest.Secret(1), projectionstest.ReadBucket)
	if domain.CodeOf(err) != domain.CodeNotReady {
		t.Errorf("a check answers %v, want not_ready", err)
	}
	if _, err := p.Index.Bearer(projectionstest.Secret(1), netip.Addr{}); domain.CodeOf(err) != domain.CodeNotReady {
		t.Errorf("a bearer answers %v, want not_ready", err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Ready(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ready returns %v, want the context's error", err)
	}
	link.Resume()
	if err := p.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	a, err := p.Index.Check(projectionstest.Secret(1), projectionstest.ReadBucket)
	if err != nil || !a.Allowed() || a.At != story.Model.At {
		t.Errorf("a check answers %+v, %v", a, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if last := seen[len(seen)-1]; last.Phase != projections.Live || last.Applied != last.Target || last.Applied != story.Model.At {
		t.Errorf("progress ended with %+v", last)
	}
}

func TestCloseEndsEveryWait(t *testing.T) {
	story, n := acme(t)
	n.WaitLive(story.Do("acme", "a", projectionstest.Issued(1, 1)))
	at := story.Model.At
	sub, err := n.Feed.Subscribe(at)
	if err != nil {
		t.Fatal(err)
	}
	pending := n.Expect(domain.EventID{1})
	waits := map[string]func() error{
		"Position": func() error { return n.Position.Wait(within(t), at+1) },
		"Pending":  func() error { _, err := pending.Wait(within(t)); return err },
		"Feed":     func() error { _, err := sub.Next(within(t)); return err },
	}
	var all sync.WaitGroup
	for what, wait := range waits {
		all.Go(func() {
			if err := wait(); !errors.Is(err, projections.ErrClosed) {
				t.Errorf("%s returns %v, want ErrClosed", what, err)
			}
		})
	}
	n.Close()
	all.Wait()
	wantVerdict(t, n, 1, stale)
	if st := n.Status(); st.Phase != projections.Closed || st.Applied != at {
		t.Errorf("the status is %+v", st)
	}
	if err := n.Position.Wait(within(t), at); err != nil {
		t.Errorf("waiting for what is applied returns %v", err)
	}
	for what, wait := range waits { // and so for who comes later
		if err := wait(); !errors.Is(err, projections.ErrClosed) {
			t.Errorf("%s returns %v, want ErrClosed", what, err)
		}
	}
}

func TestAClosedLogEndsTheNode(t *testing.T) {
	story, n := acme(t)
	if err := story.Log.Close(); err != nil {
		t.Fatal(err)
	}
	if st := n.WaitPhase(projections.Closed); !errors.Is(st.Err, projections.ErrClosed) || !errors.Is(st.Err, eventstore.ErrClosed) {
		t.Errorf("the status says %v", st.Err)
	}
	wantVerdict(t, n, 1, stale)
}

// A token that has ended stays so when the machine's clock is set back.
func TestTimeNeverGoesBack(t *testing.T) {
	var wall atomic.Int64
	wall.Store(int64(projectionstest.T0))
	log := eventstore.NewMemory(eventstore.MemoryConfig{Now: func() time.Time { return projectionstest.T0.Time() }})
	story := projectionstest.NewStory(t, log)
	story.Do("acme", "", domain.AccountOpened{Name: "Acme"})
	e := projectionstest.Issued(1, 1)
	e.ExpiresAt = projectionstest.T0 + 10_000
	story.Do("acme", "a", e)
	n := projectionstest.StartNode(t, log, projections.Config{Now: func() domain.Instant { return domain.Instant(wall.Load()) }})
	n.WaitLive(story.Model.At)
	wantVerdict(t, n, 1, granted)
	wall.Store(int64(e.ExpiresAt))
	wantVerdict(t, n, 1, string(domain.HasExpired))
	wall.Store(int64(projectionstest.T0))
	wantVerdict(t, n, 1, string(domain.HasExpired))
}

func TestTimeNeverRunsBehindTheStream(t *testing.T) {
	stream := projectionstest.T0
	log := eventstore.NewMemory(eventstore.MemoryConfig{Now: func() time.Time { return stream.Time() }})
	story := projectionstest.NewStory(t, log)
	story.Do("acme", "", domain.AccountOpened{Name: "Acme"})
	e := projectionstest.Issued(1, 1)
	e.ExpiresAt = projectionstest.T0 + 10_000
	story.Do("acme", "a", e)
	n := projectionstest.StartNode(t, log, projections.Config{})
	n.WaitLive(story.Model.At)
	wantVerdict(t, n, 1, granted)
	stream = e.ExpiresAt // this node's own clock stays where it is
	n.WaitLive(story.Do("acme", "b", projectionstest.Issued(1, 2)))
	wantVerdict(t, n, 1, string(domain.HasExpired))
	stream = projectionstest.T0
	n.WaitLive(story.Do("acme", "c", projectionstest.Issued(1, 3)))
	wantVerdict(t, n, 1, string(domain.HasExpired))
}
