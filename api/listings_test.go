package api

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hallpass/domain"
)

// Of one account so many secrets are shown in lists, and more as time goes by;
// what was not shown costs nothing.
func TestListingsOfOneAccount(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	w.open("acme")
	w.open("other")
	keep(t, w.svc, "acme", "kept", nil)
	keep(t, w.svc, "other", "kept", nil)
	w.issue("acme", `{"id":"plain"}`)
	now := time.Unix(1000, 0)
	w.svc.listings.now = func() time.Time { return now }
	list := func(account domain.AccountID, ids ...domain.TokenID) time.Duration {
		t.Helper()
		secrets, err := w.svc.RevealAll(t.Context(), w.svc.Operator(), account, ids)
		var soon *tooSoon
		if errors.As(err, &soon) {
			if domain.CodeOf(err) != codeRateLimited || secrets != nil {
				t.Errorf("%v, with %d secrets", err, len(secrets))
			}
			return soon.wait
		}
		if err != nil || len(secrets) != len(ids) {
			t.Fatalf("%d of %d: %v", len(secrets), len(ids), err)
		}
		return 0
	}
	for range listBurst / 1000 { // what can't be shown is given back
		list("acme", "kept", "plain", "nobody")
	}
	if used := w.svc.listings.of("acme").ahead.Sub(now); used != listBurst/1000*listEvery {
		t.Errorf("%v are used", used)
	}
	w.svc.listings.of("acme").takeMany(listBurst - listBurst/1000 - 1)
	before := w.types("acme", "kept")
	if wait := list("acme", "kept", "kept", "kept"); wait != 0 { // there is room for one, so all are shown
		t.Errorf("the last: %v", wait)
	}
	if after := w.types("acme", "kept"); strings.Count(after, "revealed") != strings.Count(before, "revealed")+3 {
		t.Errorf("from %s to %s", before, after)
	}
	before = w.types("acme", "kept")
	if wait := list("acme", "kept"); wait != 3*listEvery {
		t.Errorf("one more: %v", wait)
	}
	if after := w.types("acme", "kept"); after != before {
		t.Errorf("a refused list wrote %s after %s", after, before)
	}
	if list("acme") != 0 || list("other", "kept") != 0 {
		t.Error("an empty list, and another account's, are refused")
	}
	now = now.Add(3 * listEvery)
	if list("acme", "kept") != 0 || list("acme", "kept") != listEvery {
		t.Error("after a while one more is shown, and no second one")
	}
}

// Accounts that have nothing to make up for are forgotten.
func TestListingsForget(t *testing.T) {
	l := newListings()
	now := time.Unix(1000, 0)
	l.now = func() time.Time { return now }
	l.of("busy").takeMany(listBurst)
	for i := range 3 * listKept {
		l.of(domain.AccountID(string(rune('a'+i%26)) + time.Duration(i).String()))
	}
	if len(l.buckets) > listKept || l.of("busy").take() == 0 {
		t.Errorf("%d are remembered", len(l.buckets))
	}
}
