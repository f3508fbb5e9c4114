package api

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// held takes the turns at the tokens until the test ends: whoever is to change
// one is told conflict at the deadline.
func (w *world) held(tokens ...domain.Target) {
	w.t.Helper()
	for _, at := range tokens {
		release, err := w.svc.turns.take(w.t.Context(), at)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(release)
	}
}

// A token that is busy all the time keeps no notice of another one waiting, in
// its account or elsewhere.
func TestBusyTokensStopNoNotices(t *testing.T) {
	w := newWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{WriteDeadline: 100 * time.Millisecond})
	end := time.UnixMilli(w.now.Load()).Add(24*time.Hour + time.Minute).UTC().Format(time.RFC3339)
	for _, account := range []string{"evil", "acme", "last"} {
		w.open(account)
		for _, id := range []string{"a", "b"} {
			w.issue(account, fmt.Sprintf(`{"id":%q,"expires_at":%q,%s}`, id, end, everything))
		}
	}
	w.advance(2 * 60 * 1000)
	w.held(domain.Target{Account: "evil", Token: "a"}, domain.Target{Account: "acme", Token: "a"})
	if err := w.svc.tellDue(t.Context()); domain.CodeOf(err) != domain.CodeConflict {
		t.Errorf("got %v, want conflict", err)
	}
	for at, want := range map[domain.Target]domain.Notice{
		{Account: "evil", Token: "a"}: domain.In7Days, {Account: "acme", Token: "a"}: domain.In7Days, // as issued
		{Account: "evil", Token: "b"}: domain.In1Day, {Account: "acme", Token: "b"}: domain.In1Day,
		{Account: "last", Token: "a"}: domain.In1Day, {Account: "last", Token: "b"}: domain.In1Day,
	} {
		if is, _ := w.proj.Directory.Token(at.Account, at.Token); is.Told != want {
			t.Errorf("%v: told %v, want %v", at, is.Told, want)
		}
	}
}

// No account is looked at for longer than its share before all others were,
// and the first one is any.
func TestNoticesAreToldInShares(t *testing.T) {
	var clock atomic.Int64
	clock.Store(1_800_000_000_000)
	k := keeping(t, eventstore.NewMemory(eventstore.MemoryConfig{}), "a", &clock)
	k.bootstrap(t)
	end := domain.Instant(clock.Load() + 40*day)
	accounts := []domain.AccountID{"one", "two"}
	for _, account := range accounts {
		k.do(t, domain.OpenAccount{Account: account})
		for i := range upkeepShare + 20 {
			secret, err := k.NewSecret()
			if err != nil {
				t.Fatal(err)
			}
			k.do(t, domain.IssueToken{Account: account, Token: domain.TokenID(fmt.Sprint("t", i)), Digest: secret.Digest(), ExpiresAt: end})
		}
	}
	clock.Add(39 * day)
	if err := k.tellDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := func(account domain.AccountID, i int) Seq {
		entries, err := k.proj.History(t.Context(), account, domain.TokenID(fmt.Sprint("t", i)), 0, 3)
		if err != nil || len(entries) != 2 {
			t.Fatalf("%s/t%d is not told: %v, %v", account, i, entries, err)
		}
		return entries[1].Seq
	}
	for i, account := range accounts {
		if told(account, upkeepShare-1) > told(accounts[1-i], upkeepShare) {
			t.Errorf("%s waits for more than the other's share", account)
		}
	}
	first := map[domain.AccountID]bool{}
	for n := range uint64(3) {
		var all []domain.AccountID
		for account := range k.proj.Directory.Around(n) {
			all = append(all, account)
		}
		first[all[0]] = true
		slices.Sort(all)
		if !slices.Equal(all, []domain.AccountID{"one", "root", "two"}) {
			t.Errorf("around from %d: %v", n, all)
		}
	}
	if len(first) != 3 {
		t.Errorf("it begins only at %v", first)
	}
}

// A token that is busy all the time keeps no secret of another one alive.
func TestBusyTokensStopNoRetiring(t *testing.T) {
	w := newWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{WriteDeadline: 50 * time.Millisecond})
	w.open("acme")
	var all []projections.FirstUse
	for i := range upkeepFails {
		id := fmt.Sprint("t", i)
		w.issue("acme", fmt.Sprintf(`{"id":%q,%s}`, id, everything))
		w.must(w.root, "POST", "/v1/accounts/acme/tokens/"+id+"/rotate", `{"retire_on_first_use":true}`)
		is, _ := w.proj.Directory.Token("acme", domain.TokenID(id))
		all = append(all, projections.FirstUse{Account: "acme", Token: is.ID, Digest: is.Secrets[0].Digest})
	}
	w.held(domain.Target{Account: "acme", Token: "t0"})
	if err := w.svc.retireAll(t.Context(), all); domain.CodeOf(err) != domain.CodeConflict {
		t.Errorf("got %v, want conflict", err)
	}
	for i, use := range all {
		if retires := w.proj.Directory.Retires(use); retires != (i == 0) {
			t.Errorf("%s: still to retire: %v", use.Token, retires)
		}
	}
}
