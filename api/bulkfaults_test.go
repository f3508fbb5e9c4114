package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// mortal is a log that dies after some batches.
type mortal struct {
	*eventstoretest.Faulty
	mu    sync.Mutex
	lives int // batches to come
}

func (l *mortal) AppendBatch(ctx context.Context, entries []eventstore.Entry) (eventstore.Seq, error) {
	l.mu.Lock()
	l.lives--
	dead := l.lives < 0
	l.mu.Unlock()
	if dead {
		return 0, eventstore.ErrClosed
	}
	return l.Faulty.AppendBatch(ctx, entries)
}

// What is stopped in the middle says how much is done, and the same again does
// the rest, with a receipt for all.
func TestBulkStoppedInTheMiddle(t *testing.T) {
	for _, lives := range []int{0, 1, 2} {
		log := &mortal{Faulty: eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{})), lives: lives}
		w := newBulkWorld(t, log, ServiceConfig{})
		w.crowd(1300, "x")
		a := w.send(req{method: "POST", path: bulkURL, bearer: w.root, body: `{"name":"x","expect":1300}`, header: inLines})
		_, end := lines(t, a)
		want, status := "incomplete", 200
		if lives == 0 {
			want = "not_ready"
		}
		if a.status != status || end["code"] != want || lives > 0 && !strings.Contains(fmt.Sprint(end["detail"]), fmt.Sprintf("%d of 1300 tokens are revoked", lives*batchSize)) {
			t.Errorf("after %d batches: %d %v", lives, a.status, end)
		}
		if n := len(w.living()); n != min(1000, 1301-lives*batchSize) {
			t.Errorf("after %d batches %d tokens are left", lives, n)
		}
		log.mu.Lock()
		log.lives = 1000
		log.mu.Unlock()
		if r := w.bulk(`{"name":"x"}`); r.Revoked != 1300-lives*batchSize || r.Receipt == nil || r.Receipt.Revision < r.Revision {
			t.Errorf("run again after %d batches: %+v", lives, r)
		}
		w.wantLiving("boss")
	}
}

// A lost answer, or one that comes as a conflict, is no failure where the batch
// is stored.
func TestBulkLosesAnswers(t *testing.T) {
	for _, fault := range []eventstoretest.Fault{eventstoretest.LoseAck, eventstoretest.Conflict, eventstoretest.Repeat} {
		w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
		w.crowd(40, "x")
		w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return fault })
		if r := w.bulk(`{"name":"x"}`); r.Revoked != 40 || r.Already != 0 {
			t.Errorf("fault %d: %+v", fault, r)
		}
	}
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{WriteDeadline: 5 * time.Second})
	w.crowd(40, "x")
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault { return eventstoretest.LoseSend })
	refusedWith(t, w.as(w.root, "POST", bulkURL, `{"name":"x"}`), 503, "unknown")
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault { return eventstoretest.Full })
	refusedWith(t, w.as(w.root, "POST", bulkURL, `{"name":"x"}`), 507, "stream_full")
	w.log.OnAppend(nil)
	if r := w.bulk(`{"name":"x"}`); r.Revoked != 40 {
		t.Errorf("%+v", r)
	}
}

// A caller who is revoked in the middle stops there, and is told how many are
// done.
func TestBulkOfAFallenCaller(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(1300, "x")
	chief := w.issue("acme", `{"id":"chief",`+everything+`}`).Secret
	first := make(chan struct{})
	fallen := make(chan struct{})
	var once sync.Once
	w.log.OnStored(func(e eventstore.Entry, _ eventstore.Seq) {
		if strings.Contains(string(e.Subject), ".x-") {
			once.Do(func() { close(first); <-fallen })
		}
	})
	go func() {
		defer close(fallen)
		<-first
		c := domain.RevokeToken{Account: "acme", Token: "chief"}
		if _, err := w.svc.Do(context.Background(), w.svc.Operator(), c, WaitCommit); err != nil {
			t.Error(err)
		}
	}()
	p := refusedWith(t, w.as(chief, "POST", bulkURL, `{"name":"x"}`), 403, "actor_revoked")
	if !strings.Contains(p.Detail, "500 of 1300 tokens are revoked") {
		t.Error(p.Detail)
	}
	if n := len(w.living()); n != 801 {
		t.Errorf("%d tokens are left", n)
	}
}

// An id that is issued again while it goes on was not meant.
func TestBulkOfIdsIssuedAgain(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(3, "x")
	var once sync.Once
	w.log.OnStored(func(e eventstore.Entry, at eventstore.Seq) {
		if e.Type != "token.revoked.2" || !strings.HasSuffix(string(e.Subject), ".x-2") {
			return
		}
		once.Do(func() {
			done := make(chan error)
			go func() {
				err := w.proj.Position.Wait(context.Background(), at)
				if err == nil {
					secret, _ := w.svc.NewSecret()
					_, err = w.svc.Do(context.Background(), w.svc.Operator(), domain.IssueToken{Account: "acme", Token: "x-1", Digest: secret.Digest()}, WaitCommit)
				}
				done <- err
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})
	if r := w.bulk(`{"ids":["x-0","x-1","x-2"]}`); r.Revoked != 3 {
		t.Errorf("%+v", r)
	}
	w.wantLiving("boss", "x-1")
}
