package api

import (
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

func (w *world) keyed(key, method, path, body string) answer {
	w.t.Helper()
	return w.send(req{method: method, path: path, bearer: w.root, body: body, header: map[string]string{onceHeader: key}})
}

// The same request with the same key is done once, whatever it makes.
func TestOnce(t *testing.T) {
	for _, r := range []struct{ name, path, body, other string }{
		{"issue", acmeTokens, `{"name":"n","tags":{"a":"1","b":"2"}}`, `{"name":"m"}`},
		{"issue with an id", acmeTokens, `{"id":"x"}`, `{"id":"x","name":"m"}`},
		{"derive", acmeTokens + "/t/derive", `{"name":"n"}`, `{"name":"m"}`},
		{"rotate", acmeTokens + "/t/rotate", `{"overlap":60}`, `{}`},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("acme")
			w.issue("acme", `{"id":"t"}`)
			first := w.keyed("k 1", "POST", r.path, r.body)
			again := w.keyed("k 1", "POST", r.path, r.body)
			one, two := read[wire.Token](t, first), read[wire.Token](t, again)
			if first.status/100 != 2 || one.Secret == "" || first.header.Get("Idempotency-Replayed") != "" {
				t.Fatalf("first: %d %v %s", first.status, first.header, first.body)
			}
			if again.status != first.status || two.Secret != "" || again.header.Get("Idempotency-Replayed") != "true" ||
				two.ID != one.ID || two.Revision != one.Revision || again.header.Get("Location") != first.header.Get("Location") {
				t.Errorf("again: %d %v %s", again.status, again.header, again.body)
			}
			w.must(one.Secret, "GET", "/v1/whoami", "")
			p := refusedWith(t, w.keyed("k 1", "POST", r.path, r.other), 422, "invalid")
			if !strings.Contains(p.Detail, onceHeader) {
				t.Errorf("another body: %s", p.Detail)
			}
			if r.name == "issue with an id" {
				return
			}
			if other := w.keyed("k 2", "POST", r.path, r.body); other.status != first.status || other.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("another key: %d %s", other.status, other.body)
			}
		})
	}
}

// A retry finds what was done though its answer was lost, and though the
// revision that it was to change is not the newest any more.
func TestOnceAfterALostAnswer(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	tok := w.issue("acme", `{"id":"t"}`)
	rotate := req{method: "POST", path: acmeTokens + "/t/rotate", bearer: w.root,
		header: map[string]string{onceHeader: "k", "If-Match": etag(Seq(tok.Revision))}}
	w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return eventstoretest.LoseAck })
	first := w.send(rotate)
	w.log.OnAppend(nil)
	again := w.send(rotate)
	if first.status != 200 || again.status != 200 || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	rotate.header[onceHeader] = "another"
	refusedWith(t, w.send(rotate), 412, "precondition_failed")
}

// A key is that of one caller and one kind of request, and lasts for a day.
func TestOnceIsNarrow(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	other := w.issue("acme", `{"id":"other",`+everything+`}`).Secret
	issue := req{method: "POST", path: acmeTokens, bearer: w.root, header: map[string]string{onceHeader: "k"}}
	first := read[wire.Token](t, w.send(issue))
	issue.bearer = other
	second := read[wire.Token](t, w.send(issue))
	if second.ID == first.ID || second.Secret == "" {
		t.Errorf("another caller gets %+v", second)
	}
	issue.bearer = w.root
	rotated := w.keyed("k", "POST", acmeTokens+"/"+first.ID+"/rotate", "")
	if read[wire.Token](t, rotated).Secret == "" {
		t.Errorf("another kind: %s", rotated.body)
	}
	w.advance(domain.OnceFor + 60_000)
	third := read[wire.Token](t, w.send(issue))
	if third.ID == first.ID || third.Secret == "" {
		t.Errorf("a day later: %+v", third)
	}
	if again := w.send(issue); read[wire.Token](t, again).ID != third.ID || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("and again: %s", again.body)
	}
}

func TestOnceRefusesBadKeys(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	for _, key := range []string{"", strings.Repeat("k", 256), "schlüssel", "a\tb"} {
		a := w.keyed(key, "POST", acmeTokens, "")
		refusedWith(t, a, 400, "bad_header")
	}
	if a := w.keyed(strings.Repeat("k", 255), "POST", acmeTokens, ""); a.status != 201 {
		t.Errorf("255 characters: %d %s", a.status, a.body)
	}
}
