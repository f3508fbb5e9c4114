package api

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// Tokens that are issued while it goes on are revoked too, and the answer says
// that there were more than were expected.
func TestBulkWhileTokensAreIssued(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(600, "x")
	var once sync.Once
	w.log.OnStored(func(e eventstore.Entry, _ eventstore.Seq) {
		if strings.Contains(string(e.Subject), ".token.x-") && e.Type == "token.revoked.2" {
			once.Do(func() {
				done := make(chan struct{})
				go func() { // stored after the first batch, and before it is answered
					defer close(done)
					for i := range 5 {
						w.issueMore(i)
					}
				}()
				<-done
			})
		}
	})
	r := w.bulk(`{"name":"x","expect":600}`)
	if r.Matched != 600 || r.Revoked != 605 || !r.CountMissed {
		t.Errorf("matched %d, revoked %d, count_missed %v", r.Matched, r.Revoked, r.CountMissed)
	}
	w.wantLiving("boss")
}

func (w *world) issueMore(i int) {
	secret, err := w.svc.NewSecret()
	if err == nil {
		_, err = w.svc.Do(context.Background(), w.svc.Operator(), domain.IssueToken{
			Account: "acme", Token: domain.TokenID(fmt.Sprint("more-", i)), Name: fmt.Sprint("x more ", i), Digest: secret.Digest(),
		}, WaitCommit)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// Whoever goes on issuing and editing at the same time: nothing that was there
// when the call came is left, and what is revoked is revoked once.
func TestBulkAmongOthers(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(800, "x")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	busy := func(f func(i int)) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	do := func(c domain.Command) error {
		_, err := w.svc.Do(context.Background(), w.svc.Operator(), c, WaitCommit)
		return err
	}
	var edits atomic.Int64
	busy(func(i int) { // what it meets it makes conflict
		text := fmt.Sprint("edit ", i)
		err := do(domain.EditToken{Account: "acme", Token: domain.TokenID(fmt.Sprint("x-", i%800)), Description: &text})
		if err == nil {
			edits.Add(1)
		} else if domain.CodeOf(err) != domain.CodeRevoked {
			t.Error(err)
		}
	})
	busy(func(i int) {
		secret, _ := w.svc.NewSecret()
		if err := do(domain.IssueToken{Account: "acme", Token: domain.TokenID(fmt.Sprint("y-", i)), Name: "y", Digest: secret.Digest()}); err != nil {
			t.Error(err)
		}
	})
	var results [2]wire.RevokedTokens
	var both sync.WaitGroup
	for i := range results { // two bulks of the same tokens
		both.Go(func() { results[i] = w.bulk(`{"name":"x"}`) })
	}
	both.Wait()
	close(stop)
	wg.Wait()
	if n := results[0].Revoked + results[1].Revoked; n != 800 {
		t.Errorf("800 tokens were revoked %d times: %+v", n, results)
	}
	for i := range 800 {
		if is, _ := w.proj.Directory.Token("acme", domain.TokenID(fmt.Sprint("x-", i))); !is.Revoked {
			t.Fatalf("x-%d is left", i)
		}
	}
	t.Logf("%d edits meanwhile", edits.Load())
}

var tagged = projections.Filter{TagKey: "team"}

// A token that stops fitting before its turn is left alone.
func TestBulkLeavesWhatDoesNotFitAnyMore(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(700, "x", domain.Tag{Key: "team", Value: "blue"})
	var once sync.Once
	var saved string
	w.log.OnStored(func(e eventstore.Entry, _ eventstore.Seq) {
		if e.Type != "token.revoked.2" {
			return
		}
		once.Do(func() {
			all, _, _ := w.proj.Directory.Tokens("acme", tagged, 0, 1000)
			saved = string(all[len(all)-1].ID) // the last of the second batch
			done := make(chan error)
			go func() {
				_, err := w.svc.Do(context.Background(), w.svc.Operator(), domain.EditToken{Account: "acme", Token: domain.TokenID(saved), Tags: &[]domain.Tag{}}, WaitCommit)
				done <- err
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})
	if r := w.bulk(`{"tag":"team:blue"}`); r.Revoked != 699 {
		t.Errorf("%+v", r)
	}
	w.wantLiving("boss", saved)
}

// While a node can't read yet what a bulk writes, it is revoked in the old way.
func TestBulkWhileUpgrading(t *testing.T) {
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	w.crowd(3, "x")
	barrier := fmt.Appendf(nil, `{"stream":"%x","epoch":0,"by":"%032x","size":0,"root":"%064x",`+
		`"proofs":[{"of":"%032x","nonce":"%032x","lease_ms":12000,"stale_ms":0,"reads":1}]}`, w.log.Settings().Stream, 1, 0, 2, 3)
	at, err := w.log.Barrier(t.Context(), "old", barrier)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.proj.Position.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if r := w.bulk(`{"name":"x","wait":"commit"}`); r.Revoked != 3 {
		t.Errorf("%+v", r)
	}
	records, err := w.log.History(t.Context(), eventstore.TokenSubject("acme", "x-0"), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	fact, err := domain.Decode(records[len(records)-1].Data)
	if err != nil || fact.Event.Type() != "token.revoked.1" {
		t.Errorf("the record is %+v, %v", fact, err)
	}
}

// At 90 % the stream still takes a bulk.
func TestBulkIntoANearlyFullStream(t *testing.T) {
	l, w := newOdd(t)
	w.svc.capacity.log = l
	w.open("acme")
	w.crowd(20, "x")
	l.usage.Store(&eventstore.Usage{Bytes: 95, MaxBytes: 100})
	w.svc.capacity.mu.Lock()
	w.svc.capacity.asked = time.Time{}
	w.svc.capacity.mu.Unlock()
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts/acme/tokens", `{"id":"y"}`), 507, "stream_full")
	if r := w.bulk(`{"name":"x"}`); r.Revoked != 20 {
		t.Errorf("%+v", r)
	}
}

// A leader that contradicts this node is told from others getting in the way.
func TestBulkAgainstADamagedReplica(t *testing.T) {
	l, w := newOdd(t)
	w.open("acme")
	w.crowd(4, "x")
	l.conflict.Store(&eventstore.ConflictError{Last: 1}) // older than any of them
	refusedWith(t, w.as(w.root, "POST", bulkURL, `{"ids":["x-0","x-1","x-2"]}`), 503, "replica_damaged")
	l.conflict.Store(nil)
	w.bulk(`{"ids":["x-0","x-1","x-2"]}`)
}

// TestBulkOf10000 revokes 10,000 tokens in one call, on an embedded server
// that syncs every record.
func TestBulkOf10000(t *testing.T) {
	n := 10000
	if testing.Short() || os.Getenv("CI") != "" {
		n = 2000
	}
	log, err := eventstore.OpenEmbedded(t.Context(), eventstore.EmbedConfig{Dir: t.TempDir(), MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	w := newBulkWorld(t, log, ServiceConfig{})
	w.crowd(n, "x")
	began := time.Now()
	a := w.send(req{method: "POST", path: bulkURL, bearer: w.root, body: fmt.Sprintf(`{"name":"x","expect":%d}`, n), header: inLines})
	took := time.Since(began)
	progress, end := lines(t, a)
	if end["revoked"] != float64(n) || end["receipt"] == nil {
		t.Fatalf("%v %v", end["code"], end["detail"])
	}
	w.wantLiving("boss")
	t.Logf("%d tokens in %v, receipt included; %d lines of progress", n, took.Round(time.Millisecond), len(progress))
}
