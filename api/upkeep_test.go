package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

const day = int64(24 * 60 * 60 * 1000)

// kept is a server over a log that others share, whose wall clock is moved.
type kept struct {
	*peer
	uses *projections.FirstUses
}

// keeping joins a server to the log. A nil clock is the machine's.
func keeping(t *testing.T, log eventstore.Log, name domain.NodeName, clock *atomic.Int64) *kept {
	t.Helper()
	k := &kept{uses: projections.NewFirstUses()}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg := projections.Config{Logger: logger, Node: projections.NodeConfig{Name: name}, FirstUsed: k.uses.Note}
	if clock != nil {
		cfg.Now = func() domain.Instant { return domain.Instant(clock.Load()) }
	}
	p := projections.Open(log, cfg)
	t.Cleanup(p.Close)
	k.peer = &peer{Service: NewService(ServiceConfig{Log: log, Projection: p, Logger: logger, FirstUses: k.uses})}
	if err := k.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

// upkeep runs Upkeep until the returned function is called, or the test ends.
func (k *kept) upkeep(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Upkeep(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Upkeep: %v", err)
		}
	})
	t.Cleanup(end)
	return end
}

func (k *kept) do(t *testing.T, c domain.Command) Result {
	t.Helper()
	r, err := k.Do(t.Context(), k.Operator(), c, WaitCommit)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ending issues a token that ends then.
func (k *kept) ending(t *testing.T, id domain.TokenID, end int64) {
	t.Helper()
	secret, err := k.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	k.do(t, domain.IssueToken{Account: "root", Token: id, Digest: secret.Digest(), ExpiresAt: domain.Instant(end)})
}

// told returns the days of the notices of the token's end, in order.
func (k *kept) told(t *testing.T, id domain.TokenID) (days []int) {
	t.Helper()
	entries, err := k.proj.History(t.Context(), "root", id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if is, ok := e.Fact.Event.(domain.TokenExpiring); ok {
			if !e.Fact.Actor.IsOperator() || e.Void != "" {
				t.Errorf("%+v", e)
			}
			days = append(days, is.Notice.Days())
		}
	}
	return days
}

// bootstrap makes the root token.
func (k *kept) bootstrap(t *testing.T) domain.Secret {
	t.Helper()
	out, err := Bootstrap(t.Context(), k.Service, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Secret
}

// Whichever nodes look, together or one after the other, each notice of a
// token's end is told once.
func TestEveryNoticeOnce(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{Replicas: 3})
	var clock atomic.Int64
	clock.Store(1_800_000_000_000)
	start := clock.Load()
	a, b := keeping(t, log, "a", &clock), keeping(t, log, "b", &clock)
	root := a.bootstrap(t)
	const tokens = 20
	for i := range tokens {
		a.ending(t, domain.TokenID(fmt.Sprintf("t%d", i)), start+40*day)
	}
	a.ending(t, "never", 0)
	a.ending(t, "revoked", start+40*day)
	a.do(t, domain.RevokeToken{Account: "root", Token: "revoked", Force: true})
	look := func(nodes ...*kept) {
		t.Helper()
		var all sync.WaitGroup
		for _, k := range nodes {
			all.Go(func() {
				if err := k.tellDue(t.Context()); err != nil {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
	}
	var want []int
	for _, step := range []struct {
		at    int64 // days from the start
		tells []int
	}{
		{1, nil}, {9, nil}, {10, []int{30}}, {11, nil}, {33, []int{7}}, {39, []int{1}}, {40, []int{0}}, {60, nil},
	} {
		clock.Store(start + step.at*day)
		look(a, b)
		look(a) // whoever left the rest to the other
		b.has(t, a.Revision())
		look(b)
		want = append(want, step.tells...)
		for i := range tokens {
			if got := a.told(t, domain.TokenID(fmt.Sprintf("t%d", i))); !slices.Equal(got, want) {
				t.Fatalf("after %d days t%d was told %v days before its end, want %v", step.at, i, got, want)
			}
		}
	}
	if got := append(a.told(t, "never"), a.told(t, "revoked")...); len(got) > 0 {
		t.Errorf("told of tokens that don't end: %v", got)
	}
	for a.code(root) != "" { // the clock has left the lease behind
		if err := a.proj.Position.Wait(t.Context(), a.Revision()+1); err != nil {
			t.Fatal(err)
		}
	}
	w := serving(t, a.peer)
	s := w.follow(root.Reveal(), "?account=root&token=t7&type=token.expiring&after=0", "")
	for _, days := range want {
		if e := s.expect("token.expiring", "t7"); e.data.Change["days"] != float64(days) {
			t.Errorf("got %v, want %d days", e.data.Change, days)
		}
	}
}

// A start after a long time tells how things stand, and not what was due in
// between. A new end is told anew.
func TestOnlyTheLatestNotice(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	var clock atomic.Int64
	clock.Store(1_800_000_000_000)
	start := clock.Load()
	k := keeping(t, log, "a", &clock)
	k.bootstrap(t)
	k.ending(t, "t", start+40*day)
	k.ending(t, "short", start+3*day) // 30 and 7 days before were never
	for _, step := range []struct {
		at   int64
		want []int
	}{{0, nil}, {39, []int{1}}, {100, []int{1, 0}}} {
		clock.Store(start + step.at*day)
		if err := k.tellDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := k.told(t, "t"); !slices.Equal(got, step.want) {
			t.Errorf("after %d days: %v, want %v", step.at, got, step.want)
		}
	}
	if got := k.told(t, "short"); !slices.Equal(got, []int{0}) {
		t.Errorf("of a short life: %v", got)
	}
	end := domain.Instant(start + 120*day)
	k.do(t, domain.EditToken{Account: "root", Token: "t", ExpiresAt: &end})
	clock.Store(start + 114*day)
	if err := k.tellDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := k.told(t, "t"); !slices.Equal(got, []int{1, 0, 7}) {
		t.Errorf("of a new end: %v", got)
	}
}

// Looked at in steps of any length, no token is left out or looked at twice.
func TestDueInSteps(t *testing.T) {
	k := keeping(t, eventstore.NewMemory(eventstore.MemoryConfig{}), "a", nil)
	k.bootstrap(t)
	end := time.Now().UnixMilli() + 40*day
	var want []domain.TokenID
	for i := range 7 {
		id := domain.TokenID(fmt.Sprintf("t%d", i))
		if i%3 == 1 {
			k.ending(t, id, 0)
			continue
		}
		k.ending(t, id, end)
		want = append(want, id)
	}
	for step := 1; step <= 9; step++ {
		var got []domain.TokenID
		for after, more := projections.Cursor(0), true; more; {
			var due []domain.TokenID
			due, after, more = k.proj.Directory.Due("root", domain.Instant(end), after, step)
			got = append(got, due...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("in steps of %d: %v, want %v", step, got, want)
		}
	}
}

// Servers look of themselves, within two minutes; and stop when they are told.
func TestUpkeepTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := eventstore.NewMemory(eventstore.MemoryConfig{Replicas: 3})
		a, b := keeping(t, log, "a", nil), keeping(t, log, "b", nil)
		a.bootstrap(t)
		endA, endB := a.upkeep(t), b.upkeep(t)
		a.ending(t, "t", time.Now().UnixMilli()+day+60_000)
		time.Sleep(time.Minute - time.Second)
		if got := a.told(t, "t"); len(got) > 0 {
			t.Errorf("told too soon: %v", got)
		}
		time.Sleep(2*time.Minute + time.Second)
		if got := a.told(t, "t"); !slices.Equal(got, []int{1}) {
			t.Errorf("told %v", got)
		}
		endA()
		endB()
	})
}

// rotated gives the token a second secret, whose first use ends the first one.
func (k *kept) rotated(t *testing.T, id domain.TokenID) (first, second domain.Secret) {
	t.Helper()
	first, _ = k.issue(t, id)
	second, err := k.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	k.do(t, domain.RotateToken{Account: "root", Token: id, Digest: second.Digest(), Overlap: 60_000, Retires: true})
	return first, second
}

// retiredBy waits until the token's old secret is refused on every node.
func retiredBy(t *testing.T, first domain.Secret, nodes ...*kept) {
	t.Helper()
	for _, k := range nodes {
		for k.code(first) == "" {
			at := k.Revision()
			if err := k.proj.Position.Wait(t.Context(), at+1); err != nil { // barriers come too
				t.Fatal(err)
			}
		}
	}
}

// retirements is how many records ended older secrets of the token.
func (k *kept) retirements(t *testing.T, id domain.TokenID) (n int) {
	t.Helper()
	entries, err := k.proj.History(t.Context(), "root", id, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Fact.Event.Type() == "token.retired.1" {
			n++
		}
	}
	return n
}

// The old secret works until the new one is used, and dies on every node with
// its first use, though many nodes see many uses at once: by one record.
func TestFirstUseRetires(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{Replicas: 3})
	a, b := keeping(t, log, "a", nil), keeping(t, log, "b", nil)
	a.bootstrap(t)
	a.upkeep(t)
	b.upkeep(t)
	first, second := a.rotated(t, "t")
	b.has(t, a.Revision())
	for _, k := range []*kept{a, b} {
		if code := k.code(first); code != "" {
			t.Fatalf("before the first use the old secret is refused: %s", code)
		}
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if code := []*kept{a, b}[i%2].code(second); code != "" {
				t.Errorf("the new secret is refused: %s", code)
			}
		})
	}
	all.Wait()
	retiredBy(t, first, a, b)
	if code := a.code(second) + b.code(second); code != "" {
		t.Errorf("the new secret is refused: %s", code)
	}
	if n := a.retirements(t, "t"); n != 1 {
		t.Errorf("%d records retire it", n)
	}
}

// What can't be written when the secret is used is written as soon as it can be,
// without another use.
func TestRetiringIsTriedUntilItIsSeen(t *testing.T) {
	link := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
	k := keeping(t, link, "a", nil)
	k.bootstrap(t)
	first, second := k.rotated(t, "t")
	failed := make(chan struct{})
	tries := 0
	link.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if e.Type != "token.retired.1" {
			return eventstoretest.None
		}
		if tries++; tries == 1 {
			close(failed)
			return eventstoretest.Full
		}
		return eventstoretest.None
	})
	k.upkeep(t)
	if code := k.code(second); code != "" {
		t.Fatal(code)
	}
	<-failed
	retiredBy(t, first, k)
	if n := k.retirements(t, "t"); n != 1 {
		t.Errorf("%d records retire it", n)
	}
}
