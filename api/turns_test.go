package api

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"hallpass/domain"
)

func TestTurnsComeInOrder(t *testing.T) {
	q := newTurns()
	at := target{Account: "acme", Token: "a"}
	release, err := q.take(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 3)
	var all sync.WaitGroup
	for i, who := range []string{"first", "second", "third"} {
		all.Go(func() {
			release, err := q.take(t.Context(), at)
			if err != nil {
				t.Error(err)
				return
			}
			order <- who
			release()
		})
		q.waitFor(at, i+2)
	}
	other, err := q.take(t.Context(), target{Account: "acme", Token: "b"})
	if err != nil {
		t.Fatal(err)
	}
	other()
	release()
	all.Wait()
	for _, want := range []string{"first", "second", "third"} {
		if got := <-order; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if len(q.queues) != 0 {
		t.Errorf("%d queues are left", len(q.queues))
	}
}

func TestATurnThatIsGivenUpHoldsNobodyOff(t *testing.T) {
	q := newTurns()
	at := target{Account: "acme", Token: "a"}
	release, err := q.take(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.take(gone, at); err == nil {
		t.Fatal("took a turn that was another's")
	}
	release()
	release, err = q.take(gone, at) // free: nothing to wait for
	if err != nil {
		t.Fatal(err)
	}
	release()
}

// waitFor returns once n stand at t.
func (q *turns) waitFor(t target, n int) {
	for {
		q.mu.Lock()
		have := len(q.queues[t])
		q.mu.Unlock()
		if runtime.Gosched(); have == n {
			return
		}
	}
}

// A token that keeps changing itself can't hold off its own revoke.
func TestBusyTokensAreRevoked(t *testing.T) {
	w := newWorld(t)
	op := w.svc.Operator()
	issue := domain.IssueToken{Account: "root", Token: "busy", Digest: domain.Digest{1}}
	if _, err := w.svc.Do(t.Context(), op, issue, WaitDefault); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 32 {
		writers.Go(func() {
			for n := 0; ; n++ {
				name := fmt.Sprint(i, " ", n%26)
				_, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.EditToken{Account: "root", Token: "busy", Name: &name}, WaitDefault)
				if err != nil {
					if domain.CodeOf(err) != domain.CodeRevoked {
						t.Errorf("edit: %v", err)
					}
					return
				}
			}
		})
	}
	if _, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.RevokeToken{Account: "root", Token: "busy"}, WaitDefault); err != nil {
		t.Errorf("revoke: %v", err)
	}
	writers.Wait()
}
