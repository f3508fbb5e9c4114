package thinger

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"hallpass/eventstore"
)

// A node that has not heard yet of a token finds out before it says that there
// is none.
func TestADeleteAtANodeThatIsBehind(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w, behind := newNode(t, "n1", log), newNode(t, "n2", log)
	w.home = w.open("home")
	if err := behind.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
		t.Fatal(err)
	}
	behind.log.Stall()
	bearer := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
	answered := make(chan answer, 1)
	go func() { answered <- behind.as(w.home, "DELETE", tokens+"/t1", "") }()
	got := behind.early(answered)
	behind.log.Resume()
	if got.status == 0 {
		got = <-answered
	}
	got.is(t, 200, `{}`)
	if is := w.may(bearer, "Device/d1", "ListDevices"); is != 401 {
		t.Errorf("it is let in: %d", is)
	}
}

// early returns the answer if it comes before some others do; the zero answer if
// it does not.
func (w *world) early(answered chan answer) (got answer) {
	for i := 0; i < 100 && got.status == 0; i++ {
		select {
		case got = <-answered:
		default:
			w.as("", "GET", tokens, "")
		}
	}
	return got
}

// Whoever asks again for a delete that could not be answered gets its answer, and
// not before no node goes by the token any more; a second delete finds nothing.
func TestADeleteThatIsAskedForAgain(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w, deaf := newNode(t, "n1", log), newNode(t, "n2", log)
	w.home = w.open("home")
	other := w.native("POST", "/v1/sessions", `{"account":"home"}`)["secret"].(string)
	bearer := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
	if err := deaf.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
		t.Fatal(err)
	}
	if is := deaf.may(bearer, "Device/d1", "ListDevices"); is != 200 {
		t.Fatalf("the other node answers %d", is)
	}
	deaf.log.Stall()

	ctx, leave := context.WithCancel(t.Context())
	w.log.OnStored(func(e eventstore.Entry, _ eventstore.Seq) {
		if strings.HasPrefix(e.Type, "token.revoked") {
			leave()
		}
	})
	r := httptest.NewRequestWithContext(ctx, "DELETE", tokens+"/t1", nil)
	r.Header.Set("Authorization", "Bearer "+w.home)
	rec := httptest.NewRecorder()
	if New(w.svc, Config{}).ServeHTTP(rec, r); rec.Code != 503 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	again, second := make(chan answer, 1), make(chan answer, 1)
	go func() { again <- w.as(w.home, "DELETE", tokens+"/t1", "") }()
	go func() { second <- w.as(other, "DELETE", tokens+"/t1", "") }()
	for _, answered := range []chan answer{again, second} {
		if got := w.early(answered); got.status != 0 {
			t.Fatalf("while a node lets it pass: %d %s", got.status, got.body)
		}
	}
	deaf.log.Resume()
	(<-again).is(t, 200, `{}`)
	(<-second).is(t, 404, "no such token")
	for _, node := range []*world{w, deaf} {
		node.as(w.home, "DELETE", tokens+"/t1", "").is(t, 404, "no such token")
	}
}
