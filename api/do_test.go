package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

const everything = `"permissions":{"allow":[{"resource":"/","actions":["*"]}]}`

// hold makes the next append that names id wait until release is called, and
// returns once that append is there.
func (w *world) hold(typ string) (there <-chan struct{}, release func()) {
	arrived, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, typ) {
			first := false
			once.Do(func() { first = true })
			if first {
				close(arrived)
				<-gate
			}
		}
		return eventstoretest.None
	})
	return arrived, func() { close(gate) }
}

// meanwhile starts a request and returns its answer when it comes.
func (w *world) meanwhile(r req) <-chan answer {
	done := make(chan answer, 1)
	go func() { done <- w.send(r) }()
	return done
}

func TestNoAfterlife(t *testing.T) {
	for _, end := range []struct{ name, method, path, body string }{
		{"revoked", "DELETE", "/v1/accounts/acme/tokens/actor?force=true", ""},
		{"disabled", "POST", "/v1/accounts/acme/tokens/actor/disable?force=true", ""},
		{"rotated", "POST", "/v1/accounts/acme/tokens/actor/rotate", ""},
		{"narrowed", "PATCH", "/v1/accounts/acme/tokens/actor?force=true", `{"permissions":{"allow":[{"resource":"/device","actions":["*"]}]}}`},
		{"suspended", "POST", "/v1/accounts/acme/suspend", ""},
	} {
		t.Run(end.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("acme")
			actor := w.issue("acme", `{"id":"actor",`+everything+`}`).Secret
			there, release := w.hold("token.issued")
			got := w.meanwhile(req{method: "POST", path: "/v1/accounts/acme/tokens", bearer: actor, body: `{"id":"late"}`})
			<-there
			w.must(w.root, end.method, end.path, end.body)
			release()
			refusedWith(t, <-got, 403, "actor_revoked")
			refusedWith(t, w.as(w.root, "GET", "/v1/accounts/acme/tokens/late", ""), 404, "not_found")
			w.log.OnAppend(nil)
			if end.name == "suspended" {
				w.must(w.root, "POST", "/v1/accounts/acme/resume", "")
			}
			w.issue("acme", `{"id":"late"}`) // the id is still free
			events := read[wire.List[wire.Event]](t, w.must(w.root, "GET", "/v1/accounts/acme/tokens/late/events", ""))
			if len(events.Items) != 2 || events.Items[0].Void != "actor_narrowed" || events.Items[1].Void != "" {
				t.Errorf("the records: %+v", events.Items)
			}
		})
	}
}

func TestAccountClosedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	there, release := w.hold("token.issued")
	got := w.meanwhile(req{method: "POST", path: "/v1/accounts/acme/tokens", bearer: w.root, body: `{"id":"late"}`})
	<-there
	w.must(w.root, "POST", "/v1/accounts/acme/close", "")
	release()
	refusedWith(t, <-got, 409, "account_closed")
}

func TestSecretOfAnotherToken(t *testing.T) {
	w := newWorld(t)
	secret, err := w.svc.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	issue := func(id domain.TokenID) error {
		_, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.IssueToken{Account: "root", Token: id, Digest: secret.Digest()}, WaitDefault)
		return err
	}
	if err := issue("first"); err != nil {
		t.Fatal(err)
	}
	if err := issue("second"); domain.CodeOf(err) != domain.CodeConflict {
		t.Errorf("got %v", err)
	}
}

// A lost answer is not a lost write.
func TestLostAnswers(t *testing.T) {
	for _, fault := range []eventstoretest.Fault{eventstoretest.LoseAck, eventstoretest.Conflict, eventstoretest.Repeat} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			w := newWorld(t)
			w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return fault })
			tok := w.issue("root", `{"id":"t"}`)
			a := w.must(w.root, "PATCH", "/v1/accounts/root/tokens/t", `{"name":"n"}`)
			if got := read[wire.Token](t, a); got.Name != "n" || got.Revision <= tok.Revision {
				t.Errorf("%+v", got)
			}
			events := read[wire.List[wire.Event]](t, w.must(w.root, "GET", "/v1/accounts/root/tokens/t/events", ""))
			if len(events.Items) != 2 {
				t.Errorf("records: %+v", events.Items)
			}
		})
	}
}

func TestUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newQuietWorld(t)
		var id domain.EventID
		w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault { id = e.ID; return eventstoretest.LoseSend })
		began := time.Now()
		_, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.OpenAccount{Account: "acme"}, WaitDefault)
		if domain.CodeOf(err) != domain.CodeUnknown || !strings.Contains(err.Error(), id.String()) {
			t.Errorf("got %v, want unknown with %s", err, id)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A caller who goes away does not turn an outcome into an unknown one.
func TestCallerGoesAway(t *testing.T) {
	w := newWorld(t)
	there, release := w.hold("account.opened")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := w.svc.Do(ctx, w.svc.Operator(), domain.OpenAccount{Account: "acme"}, WaitDefault)
		done <- err
	}()
	<-there
	cancel()
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFullStream(t *testing.T) {
	w := newWorld(t)
	w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return eventstoretest.Full })
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts", `{"id":"acme"}`), 507, "stream_full")
}

func TestClosedLog(t *testing.T) {
	w := newWorld(t)
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.as(w.root, "POST", "/v1/accounts", `{"id":"acme"}`)
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := w.as("", "GET", "/healthz", "").status; got != 200 {
		t.Errorf("healthz: %d", got)
	}
}

// Conflicts are decided again on what the others made of it: merge patches of
// many writers all count.
func TestConcurrentPatches(t *testing.T) {
	w := newWorld(t)
	w.issue("root", `{"id":"t"}`)
	const writers = 4
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for {
				a := w.as(w.root, "PATCH", "/v1/accounts/root/tokens/t", fmt.Sprintf(`{"tags":{"k%d":"v"}}`, i))
				if a.status == 200 {
					return
				}
				var p wire.Problem
				if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Code != "conflict" {
					t.Errorf("%d %s", a.status, a.body)
					return
				}
			}
		})
	}
	wg.Wait()
	tok := read[wire.Token](t, w.must(w.root, "GET", "/v1/accounts/root/tokens/t", ""))
	if len(tok.Tags) != writers {
		t.Errorf("tags: %v", tok.Tags)
	}
}

func TestConflictsEnd(t *testing.T) {
	w := newWorld(t)
	w.issue("root", `{"id":"t"}`)
	n, inside := 0, false
	elsewhere := NewService(ServiceConfig{Log: w.log, Projection: w.proj}) // takes no turns with this one
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if inside { // the other writer
			return eventstoretest.None
		}
		inside = true
		n++
		name := fmt.Sprint("other ", n)
		_, err := elsewhere.Do(t.Context(), elsewhere.Operator(), domain.EditToken{Account: "root", Token: "t", Name: &name}, WaitDefault)
		if err != nil {
			t.Error(err)
		}
		inside = false
		return eventstoretest.None
	})
	refusedWith(t, w.as(w.root, "PATCH", "/v1/accounts/root/tokens/t", `{"description":"mine"}`), 409, "conflict")
	if n != maxTries {
		t.Errorf("it was decided %d times", n)
	}
}

// Between two tries the caller is looked at again.
func TestConflictAuthorisesAgain(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	actor := w.issue("acme", `{"id":"actor",`+everything+`}`).Secret
	w.issue("acme", `{"id":"t"}`)
	there, release := w.hold("token.edited")
	got := w.meanwhile(req{method: "PATCH", path: "/v1/accounts/acme/tokens/t", bearer: actor, body: `{"name":"late"}`})
	<-there
	w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/disable", "")
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/actor?force=true", "")
	release()
	refusedWith(t, <-got, 403, "actor_revoked")
}

// Two that open one id at once: one wins, the other learns that it exists.
func TestIssueRace(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() { statuses[i] = w.as(w.root, "POST", "/v1/accounts/root/tokens", `{"id":"t"}`).status })
	}
	wg.Wait()
	won := 0
	for _, s := range statuses {
		switch s {
		case 201:
			won++
		case 409:
		default:
			t.Errorf("a status of %d", s)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
}
