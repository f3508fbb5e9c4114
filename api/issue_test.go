package api

import (
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
)

// What can be shown again takes a key to seal it with; who may not issue learns
// nothing of whether there is one.
func TestRevealableTakesAKeyring(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	reader := w.issue("acme", `{"id":"reader",`+device+`}`).Secret
	refusedWith(t, w.as(w.root, "POST", acmeTokens, `{"revealable":true}`), 503, "key_missing")
	refusedWith(t, w.as(reader, "POST", acmeTokens, `{"revealable":true}`), 403, "forbidden")

	keyed := newWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{Keyring: func() *Keyring { return ring("k") }})
	keyed.open("acme")
	issue := req{method: "POST", path: acmeTokens, bearer: keyed.root, body: `{"revealable":true}`, header: map[string]string{onceHeader: "k"}}
	made := read[wire.Token](t, keyed.send(issue))
	if !made.Revealable || made.Secret == "" {
		t.Fatalf("%+v", made)
	}
	if again := keyed.send(issue); read[wire.Token](t, again).ID != made.ID || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %s", again.body)
	}
	path := acmeTokens + "/" + made.ID
	rotated := read[wire.Token](t, keyed.must(keyed.root, "POST", path+"/rotate", ""))
	if shown := keyed.must(keyed.root, "POST", path+"/reveal", ""); !strings.Contains(shown.body, rotated.Secret) || rotated.Secret == made.Secret {
		t.Errorf("after a rotation %s is shown", shown.body)
	}
	derived := read[wire.Token](t, keyed.must(keyed.root, "POST", path+"/derive", `{"revealable":true,"secret":"`+brought1+`"}`))
	if shown := keyed.must(keyed.root, "POST", acmeTokens+"/"+derived.ID+"/reveal", ""); !strings.Contains(shown.body, brought1) {
		t.Errorf("a secret that was brought: %s", shown.body)
	}
}

// A caller whose account has its tokens managed by sessions is told so.
func TestForbiddenSaysThatSessionsManage(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "POST", "/v1/accounts", `{"id":"acme","tokens_managed_by":"sessions"}`)
	boss := w.issue("acme", `{"id":"boss",`+everything+`}`).Secret
	for _, r := range [][2]string{{"GET", acmeTokens}, {"GET", acmeTokens + "/boss"}, {"POST", acmeTokens}, {"DELETE", acmeTokens + "/other"}} {
		if p := refusedWith(t, w.as(boss, r[0], r[1], ""), 403, "forbidden"); !strings.Contains(p.Detail, "sessions") {
			t.Errorf("%s %s: %s", r[0], r[1], p.Detail)
		}
	}
}

// A token may be said to come from a dialect: it is shown and recorded, and gives
// no right. Nothing else may be said there.
func TestIssueWithAnOrigin(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	for _, origin := range origins {
		made := read[wire.Token](t, w.must(w.root, "POST", acmeTokens, `{"id":"`+origin+`","origin":"`+origin+`",`+device+`}`))
		if made.Origin != origin || made.Imported {
			t.Errorf("%+v", made)
		}
		if got := w.as(made.Secret, "GET", acmeTokens, ""); got.status != 403 {
			t.Errorf("%s may list: %s", origin, got.body)
		}
		events := w.must(w.root, "GET", acmeTokens+"/"+origin+"/events", "").body
		if !strings.Contains(events, `"origin":"`+origin+`"`) {
			t.Errorf("the record says nothing of %s: %s", origin, events)
		}
	}
	for _, wrong := range []string{"native", "Crafter", "x"} {
		p := refusedWith(t, w.as(w.root, "POST", acmeTokens, `{"origin":"`+wrong+`"}`), 422, "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/origin" {
			t.Errorf("%s: %+v", wrong, p.Errors)
		}
	}
	if made := w.issue("acme", `{"id":"plain",`+device+`}`); made.Origin != "" {
		t.Errorf("without one it is %q", made.Origin)
	}
	// With a secret that is brought, the id is the one that a dialect would look for.
	brought, err := domain.ParseBearer(brought1)
	if err != nil {
		t.Fatal(err)
	}
	made := read[wire.Token](t, w.must(w.root, "POST", acmeTokens, `{"origin":"crafter","secret":"`+brought1+`"}`))
	if made.ID != string(w.svc.DerivedID(brought)) || !made.Imported {
		t.Errorf("brought along: %+v", made)
	}
	// A derived token says where it is from by itself.
	derived := read[wire.Token](t, w.must(w.root, "POST", acmeTokens+"/nbiot/derive", `{}`))
	if derived.Origin != "" {
		t.Errorf("derived: %q", derived.Origin)
	}
}
