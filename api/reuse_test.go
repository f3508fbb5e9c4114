package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
)

const (
	tokenT  = "/v1/accounts/acme/tokens/t"
	rotateT = tokenT + "/rotate"
)

// withRetired makes a token whose first secret was replaced by its second.
func withRetired(t *testing.T) (w *world, first, second string) {
	t.Helper()
	w = newWorld(t)
	w.open("acme")
	first = w.issue("acme", `{"id":"t",`+everything+`}`).Secret
	w.issue("acme", `{"id":"other",`+everything+`}`)
	return w, first, w.rotate("")
}

// rotate rotates t by root and returns its new secret.
func (w *world) rotate(body string) string {
	w.t.Helper()
	return read[wire.Token](w.t, w.must(w.root, "POST", rotateT, body)).Secret
}

// A retired secret that is to rotate its own token means that two have it: the
// token is revoked, and the answer is that to any secret that does not work.
func TestReuseAtRotateRevokes(t *testing.T) {
	w, first, second := withRetired(t)
	s := w.follow(w.root, "?type=token.revoked", "")
	used := w.as(first, "POST", rotateT, "")
	dead := w.as("hp_nonsense", "POST", rotateT, "")
	refusedWith(t, used, 401, "invalid_token")
	if problem(t, used).Detail != problem(t, dead).Detail || used.header.Get("Hallpass-Revision") != "" {
		t.Errorf("it tells more than nonsense does: %v %s", used.header, used.body)
	}
	refusedWith(t, w.as(second, "GET", "/v1/whoami", ""), 401, "invalid_token")
	e := s.expect("token.revoked", "t")
	if !e.data.Actor.Operator || e.data.Change["reason"] != "compromised" || e.data.Change["reason_text"] != reuseReason.Text || e.data.RequestID != used.header.Get("X-Request-Id") {
		t.Errorf("%+v", e.data)
	}
	if !strings.Contains(w.as("", "GET", "/metrics", "").body, "hallpass_secret_reuses_total 1\n") {
		t.Error("it is not counted")
	}
	refusedWith(t, w.as(first, "POST", rotateT, ""), 401, "invalid_token") // and again
}

// Everywhere else a retired secret is refused, and that is all.
func TestReuseElsewhereOnlyRefuses(t *testing.T) {
	w, first, second := withRetired(t)
	for _, r := range []req{
		{method: "GET", path: "/v1/whoami"},
		{method: "POST", path: "/v1/check", body: `{"action":"read","resource":"/device"}`},
		{method: "POST", path: "/v1/checks", body: `{"checks":[]}`},
		{method: "GET", path: tokenT},
		{method: "PATCH", path: tokenT, body: `{"name":"x"}`},
		{method: "DELETE", path: tokenT},
		{method: "POST", path: tokenT + "/disable"},
		{method: "POST", path: "/v1/accounts/acme/tokens/other/rotate"},
		{method: "POST", path: "/v1/accounts/root/tokens/t/rotate"},
		{method: "POST", path: "/v1/accounts/acme/tokens/none/rotate"},
		{method: "GET", path: "/v1/events"},
	} {
		r.bearer = first
		refusedWith(t, w.send(r), 401, "invalid_token")
	}
	w.must(second, "GET", "/v1/whoami", "")
	if is := w.show("acme", "other"); is.State != "active" {
		t.Errorf("the other token is %s", is.State)
	}
}

// What revokes at the rotate endpoint, and what is only refused there.
func TestWhatIsReuse(t *testing.T) {
	for _, row := range []struct {
		name  string
		after func(w *world) // the first secret was issued
		state string
	}{
		{"past its overlap", func(w *world) {
			w.rotate(`{"overlap":60}`)
			w.advance(61_000)
		}, "revoked"},
		{"long replaced", func(w *world) {
			w.rotate("")
			w.rotate("")
			w.must(w.root, "PATCH", tokenT, `{"name":"n"}`)
		}, "revoked"},
		{"of a disabled token", func(w *world) {
			w.rotate("")
			w.must(w.root, "POST", tokenT+"/disable", "")
		}, "revoked"},
		{"of a suspended account", func(w *world) {
			w.rotate("")
			w.must(w.root, "POST", "/v1/accounts/acme/suspend", "")
		}, "revoked"},
		{"the one that stands, of a disabled token", func(w *world) {
			w.must(w.root, "POST", tokenT+"/disable", "")
		}, "disabled"},
		{"within its overlap, of a disabled token", func(w *world) {
			w.rotate(`{"overlap":60}`)
			w.must(w.root, "POST", tokenT+"/disable", "")
		}, "disabled"},
		{"of an expired token", func(w *world) {
			w.rotate("")
			w.must(w.root, "PATCH", tokenT, `{"expires_at":"2020-01-01T00:00:00Z"}`)
		}, "active"},
		{"of an earlier generation", func(w *world) {
			w.must(w.root, "DELETE", tokenT, "")
			w.issue("acme", `{"id":"t"}`)
			w.rotate("")
		}, "active"},
		{"of a closed account", func(w *world) {
			w.rotate("")
			w.must(w.root, "POST", "/v1/accounts/acme/close", "")
		}, "active"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("acme")
			w.issue("acme", `{"id":"manager",`+everything+`}`)
			first := w.issue("acme", `{"id":"t",`+everything+`}`).Secret
			row.after(w)
			refusedWith(t, w.as(first, "POST", rotateT, ""), 401, "invalid_token")
			if is := w.show("acme", "t"); is.State != row.state {
				t.Errorf("the token is %s, want %s", is.State, row.state)
			}
		})
	}
}

// Who rotates with his own secret, and asks for the same again under the same
// Idempotency-Key because the answer was lost, is no second holder.
func TestARetriedRotationIsNoReuse(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	first := w.issue("acme", `{"id":"t",`+everything+`}`).Secret
	ask := req{method: "POST", path: rotateT, bearer: first, header: map[string]string{"Idempotency-Key": "k1"}}
	if a := w.send(ask); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	refusedWith(t, w.send(ask), 401, "invalid_token")
	if is := w.show("acme", "t"); is.State != "active" {
		t.Fatalf("the token is %s", is.State)
	}
	ask.header["Idempotency-Key"] = "k2"
	refusedWith(t, w.send(ask), 401, "invalid_token")
	if is := w.show("acme", "t"); is.State != "revoked" {
		t.Errorf("with another key the token is %s", is.State)
	}
}

// While a token changes, who was first can't be told: then it is only refused.
func TestReuseWhileTheTokenChanges(t *testing.T) {
	w, first, _ := withRetired(t)
	token, _ := w.proj.Directory.Token("acme", "t")
	account, _ := w.proj.Directory.Account("acme")
	secret, err := domain.ParseSecret(first)
	if err != nil {
		t.Fatal(err)
	}
	r := reuse{Service: w.svc, token: token, digest: secret.Digest()}
	now := presented{now: w.svc.now(), at: w.svc.Revision()}
	if !r.possible(&account, now) || !r.retired(t.Context(), now) {
		t.Error("it is no reuse")
	}
	before := presented{now: now.now, at: token.Revision - 1}
	if r.possible(&account, before) {
		t.Error("it is reuse though the token changed since the secret was presented")
	}
}

// Reading the log for it is limited: beyond that a retired secret is refused as
// everywhere, and the token stands.
func TestLookingForReuseIsLimited(t *testing.T) {
	w, first, second := withRetired(t)
	w.svc.reuses = newBucket(time.Hour, 1)
	old := w.issue("acme", `{"id":"third",`+everything+`}`).Secret
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/third", "")
	w.issue("acme", `{"id":"third"}`)
	refusedWith(t, w.as(old, "POST", "/v1/accounts/acme/tokens/third/rotate", ""), 401, "invalid_token")
	w.skippedLooks(0)
	refused := w.as(first, "POST", rotateT, "")
	refusedWith(t, refused, 401, "invalid_token")
	w.must(second, "GET", "/v1/whoami", "")
	w.skippedLooks(1)
	if logs := w.logs.String(); !strings.Contains(logs, refused.header.Get("X-Request-Id")) || strings.Contains(logs, first) {
		t.Errorf("the log says %q", logs)
	}
}

func (w *world) skippedLooks(want int) {
	w.t.Helper()
	if !strings.Contains(w.as("", "GET", "/metrics", "").body, fmt.Sprintf("hallpass_secret_reuse_looks_skipped_total %d\n", want)) {
		w.t.Errorf("not %d looks are counted as skipped", want)
	}
}

// reissued makes evil/e so many times, and returns the secrets of all
// generations but the last.
func (w *world) reissued(times int) (old []string) {
	w.t.Helper()
	w.open("evil")
	for range times {
		old = append(old, w.issue("evil", `{"id":"e",`+everything+`}`).Secret)
		w.must(w.root, "DELETE", "/v1/accounts/evil/tokens/e?force=true", "")
	}
	w.issue("evil", `{"id":"e",`+everything+`}`)
	return old
}

// Secrets of an earlier generation of one token use up neither what is looked
// up for others nor, told once, what is for their own.
func TestLookingForReuseIsLimitedByToken(t *testing.T) {
	w, first, _ := withRetired(t)
	w.svc.reuses = newBucket(time.Hour, reuseTokenBurst+1)
	old := w.reissued(reuseTokenBurst + 2)
	for _, secret := range slices.Concat(slices.Repeat(old[:1], 20), old) {
		refusedWith(t, w.as(secret, "POST", "/v1/accounts/evil/tokens/e/rotate", ""), 401, "invalid_token")
	}
	w.skippedLooks(2)
	refusedWith(t, w.as(first, "POST", rotateT, ""), 401, "invalid_token")
	if is := w.show("acme", "t"); is.State != "revoked" {
		t.Errorf("a retired secret came back, and the token is %s", is.State)
	}
	if is := w.show("evil", "e"); is.State != "active" {
		t.Errorf("the other token is %s", is.State)
	}
}

// What a node remembers of its looks is bounded, and idle buckets go first.
func TestLooksAreBounded(t *testing.T) {
	l := newLooks()
	now := time.Unix(1000, 0)
	busy := target{Account: "a", Token: "busy"}
	for range reuseTokenBurst {
		l.take(busy)
	}
	for i := range 3 * reuseKept {
		at := target{Account: "a", Token: domain.TokenID(fmt.Sprint(i))}
		l.bucketLocked(at, reuseTokenEvery, reuseTokenBurst).now = func() time.Time { return now }
		l.note(looked{target: at})
	}
	if len(l.buckets) > reuseKept || len(l.not) > reuseKept {
		t.Errorf("%d buckets, %d secrets", len(l.buckets), len(l.not))
	}
	if l.take(busy) {
		t.Error("the bucket that was empty is forgotten, and idle ones are kept")
	}
	if last := (looked{target: target{Account: "a", Token: domain.TokenID(fmt.Sprint(3*reuseKept - 1))}}); !l.foreign(last) {
		t.Error("the last one is not remembered")
	}
}

// Of a token with more records than are read, the newest are, wherever in the
// log they stand; and what is older than that leaves a trace.
func TestReuseReadsTheNewestRecords(t *testing.T) {
	w, first, _ := withRetired(t)
	edit := func(id domain.TokenID, i int) {
		name := fmt.Sprint(i)
		if _, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.EditToken{Account: "acme", Token: id, Name: &name}, WaitCommit); err != nil {
			t.Fatal(err)
		}
	}
	for i := range reuseMost {
		edit("t", i)
	}
	var retired []string
	for round := range 5 {
		retired = append(retired, w.rotate(""))
		for i := range 200 {
			edit("t", 10_000*round+i)
			for j := range round {
				edit("other", 10_000*round+10*i+j)
			}
		}
	}
	w.rotate("")
	token, _ := w.proj.Directory.Token("acme", "t")
	look := func(text string) (bool, error) {
		secret, err := domain.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		return (&reuse{Service: w.svc, token: token, digest: secret.Digest()}).brought(t.Context())
	}
	for i, text := range retired {
		if brought, err := look(text); !brought || err != nil {
			t.Errorf("retired secret %d: %v, %v", i, brought, err)
		}
	}
	if brought, err := look(first); brought || !errors.Is(err, errLong) {
		t.Errorf("the first one: %v, %v", brought, err)
	}
	refusedWith(t, w.as(first, "POST", rotateT, ""), 401, "invalid_token")
	w.skippedLooks(1)
	refusedWith(t, w.as(retired[0], "POST", rotateT, ""), 401, "invalid_token")
	if is := w.show("acme", "t"); is.State != "revoked" {
		t.Errorf("the token is %s", is.State)
	}
}
