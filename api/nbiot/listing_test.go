package nbiot

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// Lists in a loop are refused for a while, and write nothing then.
func TestListsInALoop(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	w.create(w.session, teams)
	w.list(w.session)

	// A list of as many as a node shows at once, that gets no further than its first.
	ctx, leave := context.WithCancel(t.Context())
	begun, done := make(chan struct{}), make(chan struct{})
	w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault {
		w.log.OnAppend(nil)
		close(begun)
		<-ctx.Done()
		return eventstoretest.None
	})
	go func() {
		defer close(done)
		_, _ = w.svc.RevealAll(ctx, w.svc.Operator(), "acme", slices.Repeat([]domain.TokenID{domain.TokenID(w.id(a))}, 20_000))
	}()
	<-begun
	got := w.as(w.session, "GET", "/tokens", "")
	got.is(t, 429, "too often")
	if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait < 1 {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	w.as(w.open("other"), "GET", "/tokens", "").is(t, 200, `{"tokens":[]}`)
	w.as(w.session, "GET", "/tokens/"+a+"/tags", "").is(t, 200, `{}`)
	leave()
	<-done // what was not shown is given back
	if got := w.list(w.session); len(got) != 2 {
		t.Errorf("the list is %d long", len(got))
	}
	if shown := strings.Count(w.types(w.id(a)), "revealed"); shown < 2 || shown > 20 {
		t.Errorf("shown %d times", shown)
	}
}
