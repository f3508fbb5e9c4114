package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// keepMany issues n revealable tokens in the account root.
func keepMany(t *testing.T, s *Service, n int) map[domain.TokenID]domain.Secret {
	t.Helper()
	out := map[domain.TokenID]domain.Secret{}
	for i := range n {
		id := domain.TokenID(fmt.Sprintf("t%d", i))
		out[id] = keep(t, s, domain.RootAccount, id, nil)
	}
	return out
}

// under is how many live secrets a node knows of, by key.
func under(t *testing.T, s *Service) string {
	t.Helper()
	m, err := s.SecretsUnder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(m)
}

// shows checks that the node shows each of the secrets.
func shows(t *testing.T, s *Service, secrets map[domain.TokenID]domain.Secret) {
	t.Helper()
	for id, want := range secrets {
		got, _, err := s.Reveal(t.Context(), s.Operator(), domain.RootAccount, id)
		if err != nil || got != want {
			t.Errorf("%s: %v, the right secret: %v", id, err, got == want)
		}
	}
}

// reseals counts the records of a log that put a secret under another key.
func reseals(t *testing.T, s *Service, secrets map[domain.TokenID]domain.Secret) (n int) {
	t.Helper()
	for id := range secrets {
		entries, err := s.proj.History(t.Context(), domain.RootAccount, id, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, is := e.Fact.Event.(domain.TokenResealed); is {
				n++
			}
		}
	}
	return n
}

func TestResealStoppedAnywhereIsFinishedByAnotherRun(t *testing.T) {
	for _, stopAt := range []int{1, 5, 12} {
		t.Run(fmt.Sprint(stopAt), func(t *testing.T) {
			w := newKeyed(t, newWorldOver, ring("a"))
			secrets := keepMany(t, w.svc, 12)
			w.ring.Store(ring("a", "b"))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			seen := 0
			w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
				if seen++; seen == stopAt {
					stop() // in the middle of a record: it may be stored or not
				}
				return []eventstoretest.Fault{eventstoretest.None, eventstoretest.LoseAck}[seen%2]
			})
			if stopped := !w.svc.resealAll(ctx, w.ring.Load()); !stopped {
				t.Error("it says that nothing is left")
			}
			if got := reseals(t, w.svc, secrets); got != stopAt {
				t.Errorf("%d records when it was stopped, want %d", got, stopAt)
			}
			// The process is gone; the next one reads the log.
			again := newKeyedOver(t, w.log.Log, ring("a", "b"))
			if !again.svc.resealAll(t.Context(), again.ring.Load()) {
				t.Error("the second run says that something is left")
			}
			if got := under(t, again.svc); got != "map[b:12]" {
				t.Errorf("the secrets are under %s", got)
			}
			if got := reseals(t, again.svc, secrets); got != 12 {
				t.Errorf("%d records for 12 secrets", got)
			}
			again.ring.Store(ring("b")) // the old key is destroyed
			shows(t, again.svc, secrets)
			if !again.svc.resealAll(t.Context(), ring("a", "b")) || reseals(t, again.svc, secrets) != 12 {
				t.Error("a third run finds something to do")
			}
		})
	}
}

// newKeyedOver is another node over a log that there is.
func newKeyedOver(t *testing.T, log eventstore.Log, k *Keyring) *keyed {
	t.Helper()
	w := &keyed{world: &world{t: t}}
	w.ring.Store(k)
	w.svc = node(t, log)
	w.svc.keyring = w.ring.Load
	return w
}

func TestNodesResealAtOnceWithoutHarm(t *testing.T) {
	a, b, c, _ := three(t)
	for _, m := range []*peer{a, b, c} {
		m.keyring = func() *Keyring { return ring("a") }
	}
	secrets := keepMany(t, a.Service, 30)
	for _, m := range []*peer{b, c} {
		m.has(t, a.Revision())
	}
	k := ring("a", "b")
	var all sync.WaitGroup
	for _, m := range []*peer{a, b, c} {
		m.keyring = func() *Keyring { return k }
		all.Go(func() {
			if !m.resealAll(t.Context(), k) {
				t.Error("a node says that something is left")
			}
		})
	}
	all.Wait()
	if got := reseals(t, a.Service, secrets); got != 30 {
		t.Errorf("%d records for 30 secrets", got)
	}
	for _, m := range []*peer{a, b, c} {
		m.has(t, max(a.Revision(), b.Revision(), c.Revision()))
		if got := under(t, m.Service); got != "map[b:30]" {
			t.Errorf("%s", got)
		}
	}
	shows(t, b.Service, secrets)
}

// A node whose keyring is behind undoes nothing, and one that lacks a key
// leaves the secret to others.
func TestResealGoesForwardOnly(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a", "b"))
	secrets := keepMany(t, w.svc, 2)
	behind, err := ParseKeyring([]byte(strings.Replace(string(ring("a", "b").Encode()), `"current": "b"`, `"current": "a"`, 1)))
	if err != nil || behind.Current() != "a" {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		k     *Keyring
		stuck int64
	}{
		"current is the older key":   {behind, 0},
		"the new key is not there":   {ring("a"), 2},
		"it has another key alone":   {ring("c"), 2},
		"it is under the current":    {ring("a", "b"), 0},
		"it is under the only there": {ring("b"), 0},
	} {
		if !w.svc.resealAll(t.Context(), row.k) || reseals(t, w.svc, secrets) != 0 {
			t.Errorf("%s: %d records", name, reseals(t, w.svc, secrets))
		}
		if got := w.svc.reseals.stuck.Load(); got != row.stuck {
			t.Errorf("%s: %d are stuck, want %d", name, got, row.stuck)
		}
	}
}

// A box that does not open keeps no other from being put under the new key.
func TestResealLeavesABrokenBox(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	secrets := keepMany(t, w.svc, 3)
	keep(t, w.svc, domain.RootAccount, "broken", func(c *domain.IssueToken) { c.Sealed.Box[20] ^= 1 })
	w.ring.Store(ring("a", "b"))
	if !w.svc.resealAll(t.Context(), w.ring.Load()) {
		t.Error("it says that it could do more")
	}
	if got := under(t, w.svc); got != "map[a:1 b:3]" {
		t.Errorf("the secrets are under %s", got)
	}
	shows(t, w.svc, secrets)
	page := w.send(req{method: "GET", path: "/metrics"}).body
	for _, line := range []string{"hallpass_reseals_total 3", "hallpass_reseal_stuck 1"} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("metrics do not say %s", line)
		}
	}
	if log := w.logs.String(); strings.Count(log, "token=broken") != 1 || strings.Contains(log, "hp_") {
		t.Error("the log does not name the token once, without its secret")
	}
}

// What ends a token, an account or an overlap ends what is to be done.
func TestResealLooksAtLiveSecretsAlone(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	w.open("shut")
	keep(t, w.svc, "shut", "t", nil)
	keep(t, w.svc, "root", "gone", nil)
	keep(t, w.svc, "root", "rotated", nil)
	kept := map[domain.TokenID]domain.Secret{}
	for _, id := range []domain.TokenID{"off", "fixed", "late"} {
		kept[id] = keep(t, w.svc, "root", id, func(c *domain.IssueToken) {
			c.Disabled, c.Immutable = id == "off", id == "fixed"
			if id == "late" {
				c.ExpiresAt = 1
			}
		})
	}
	secret := domain.NewSecret([32]byte{2})
	sealed, err := w.svc.seal("root", "rotated", secret)
	if err != nil {
		t.Fatal(err)
	}
	kept["rotated"] = secret
	if _, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.RotateToken{Account: "root", Token: "rotated", Digest: secret.Digest(), Overlap: 60_000, Sealed: sealed}, WaitDefault); err != nil {
		t.Fatal(err)
	}
	w.must(w.root, "DELETE", "/v1/accounts/root/tokens/gone", "")
	w.must(w.root, "POST", "/v1/accounts/shut/close", "")
	if got := under(t, w.svc); got != "map[a:5]" { // the rotated one's older secret too
		t.Errorf("before: %s", got)
	}
	w.advance(600_000)
	if got := under(t, w.svc); got != "map[a:4]" {
		t.Errorf("when the overlap is over: %s", got)
	}
	w.ring.Store(ring("a", "b"))
	if !w.svc.resealAll(t.Context(), w.ring.Load()) {
		t.Error("something is left")
	}
	if got := under(t, w.svc); got != "map[b:4]" {
		t.Errorf("after: %s", got)
	}
	shows(t, w.svc, kept)
}

// A stream that takes no more ends the pass; the next one goes on.
func TestResealWaitsForAStreamThatIsFull(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	keepMany(t, w.svc, 4)
	tried := 0
	w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault {
		if tried++; tried > 1 {
			return eventstoretest.Full
		}
		return eventstoretest.None
	})
	k := ring("a", "b")
	if w.svc.resealAll(t.Context(), k) {
		t.Error("it says that nothing is left")
	}
	if tried != 2 {
		t.Errorf("it tried %d times", tried)
	}
	if got := w.svc.reseals.left.Load(); got != 3 {
		t.Errorf("%d are left, it says", got)
	}
	w.log.OnAppend(nil)
	if !w.svc.resealAll(t.Context(), k) || w.svc.reseals.left.Load() != 0 || w.svc.reseals.done.Load() != 4 {
		t.Errorf("the next pass: %d left, %d done", w.svc.reseals.left.Load(), w.svc.reseals.done.Load())
	}
}

// The worker sees a new key by itself, tries again what it could not do, and
// ends when it is told to.
func TestResealFollowsTheKeyring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newKeyed(t, newQuietWorldOver, nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.svc.Reseal(ctx) }()
		time.Sleep(5 * resealLook) // without a keyring it does nothing
		w.ring.Store(ring("a"))
		secrets := keepMany(t, w.svc, 5)
		time.Sleep(2 * resealLook)
		w.ring.Store(ring("a", "b"))
		time.Sleep(3 * resealLook)
		if got := under(t, w.svc); got != "map[b:5]" {
			t.Errorf("under %s", got)
		}
		// Another node, whose keyring is behind, seals with the older key.
		sealed, err := ring("a").seal(domain.RootAccount, "behind", domain.NewSecret([32]byte{3}))
		if err != nil {
			t.Fatal(err)
		}
		keep(t, w.svc, domain.RootAccount, "behind", func(c *domain.IssueToken) {
			c.Digest, c.Sealed = domain.NewSecret([32]byte{3}).Digest(), sealed
		})
		time.Sleep(resealAgain + 2*resealLook)
		if got := under(t, w.svc); got != "map[b:6]" {
			t.Errorf("after a while: %s", got)
		}
		w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return eventstoretest.Full })
		w.ring.Store(ring("a", "b", "c"))
		time.Sleep(2 * resealLook)
		w.log.OnAppend(nil)
		time.Sleep(resealRetry + 2*resealLook)
		if got := under(t, w.svc); got != "map[c:6]" {
			t.Errorf("after a failure: %s", got)
		}
		shows(t, w.svc, secrets)
		stop()
		<-ended
	})
}

// A node that never becomes ready leaves nothing behind that runs.
func TestResealEndsBeforeItIsReady(t *testing.T) {
	log := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
	log.Stall()
	p := projections.Open(log, projections.Config{})
	defer p.Close()
	defer log.Resume()
	s := NewService(ServiceConfig{Log: log, Projection: p, Keyring: func() *Keyring { return ring("a") }})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Reseal(ctx) }()
	stop()
	<-ended
}
