package api

import (
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
	refusedWith(t, w.as(first, "POST", rotateT, ""), 401, "invalid_token")
	w.must(second, "GET", "/v1/whoami", "")
}
