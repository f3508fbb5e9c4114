package nbiot

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// A node that has not heard yet of a token finds out before it says that there
// is none.
func TestADeleteAtANodeThatIsBehind(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w, behind := newNode(t, "n1", log, keyring(t)), newNode(t, "n2", log, keyring(t))
	session := w.open("acme")
	if err := behind.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
		t.Fatal(err)
	}
	behind.log.Stall()
	a := w.create(session, teams)
	answered := make(chan answer, 1)
	go func() { answered <- behind.as(session, "DELETE", "/tokens/"+a, "") }()
	got := behind.early(answered)
	behind.log.Resume()
	if got.status == 0 {
		got = <-answered
	}
	got.is(t, 204, "")
	w.as(a, "GET", "/guard/teams", "").is(t, 401, "does not work")
}

// early returns the answer if it comes before some others do; the zero answer if
// it does not.
func (w *world) early(answered chan answer) (got answer) {
	for i := 0; i < 100 && got.status == 0; i++ {
		select {
		case got = <-answered:
		default:
			w.as("", "GET", "/", "")
		}
	}
	return got
}

// Whoever asks again for a delete that could not be answered gets its answer, and
// not before no node goes by the token any more; a second delete finds nothing.
func TestADeleteThatIsAskedForAgain(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w, deaf := newNode(t, "n1", log, keyring(t)), newNode(t, "n2", log, keyring(t))
	session := w.open("acme")
	other := w.native(w.root, "POST", "/v1/sessions", `{"account":"acme"}`)["secret"].(string)
	a := w.create(session, teams)
	if err := deaf.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
		t.Fatal(err)
	}
	deaf.as(a, "GET", "/guard/teams", "").is(t, 200, `{}`)
	deaf.log.Stall()

	ctx, leave := context.WithCancel(t.Context())
	w.log.OnStored(func(e eventstore.Entry, _ eventstore.Seq) {
		if strings.HasPrefix(e.Type, "token.revoked") {
			leave()
		}
	})
	r := httptest.NewRequestWithContext(ctx, "DELETE", "/tokens/"+a, nil)
	r.Header.Set("X-API-Token", session)
	rec := httptest.NewRecorder()
	if New(w.svc, Config{}).ServeHTTP(rec, r); rec.Code != 503 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	again, second := make(chan answer, 1), make(chan answer, 1)
	go func() { again <- w.as(session, "DELETE", "/tokens/"+a, "") }()
	go func() { second <- w.as(other, "DELETE", "/tokens/"+a, "") }()
	for _, answered := range []chan answer{again, second} {
		if got := w.early(answered); got.status != 0 {
			t.Fatalf("while a node lets it pass: %d %s", got.status, got.body)
		}
	}
	deaf.log.Resume()
	(<-again).is(t, 204, "")
	(<-second).is(t, 404, "no such token")
	for _, node := range []*world{w, deaf} {
		node.as(session, "DELETE", "/tokens/"+a, "").is(t, 404, "no such token")
	}
}

// Of a token that was issued again natively, an old secret names nothing.
func TestADeleteByAnOldSecret(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	id := w.id(a)
	w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 204, "")
	again := w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"id":"`+id+`","origin":"nbiot","permissions":{"allow":[{"resource":"/teams","actions":["read"]}]}}`)["secret"].(string)
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		t.Errorf("a record is written: %s", e.Type)
		return eventstoretest.None
	})
	w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 404, "no such token")
	w.as(again, "GET", "/guard/teams", "").is(t, 200, `{}`)
}
