package crafter

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// Lists in a loop are refused for a while.
func TestListsInALoop(t *testing.T) {
	w := newWorld(t)
	w.list(w.master)

	// A list of as many as a node shows at once, that gets no further than its first.
	ctx, leave := context.WithCancel(t.Context())
	begun, done := make(chan struct{}), make(chan struct{})
	w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault {
		w.log.OnAppend(nil)
		close(begun)
		<-ctx.Done()
		return eventstoretest.None
	})
	id := domain.TokenID(w.nativeID(w.master))
	go func() {
		defer close(done)
		_, _ = w.svc.RevealAll(ctx, w.svc.Operator(), DefaultAccount, slices.Repeat([]domain.TokenID{id}, 20_000))
	}()
	<-begun
	got := w.as(w.master, "GET", "/all", "")
	if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait < 1 {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
	got.header.Del("Retry-After") // as with a refusal that says nothing of it
	got.says(t, 429, "OTHER", "too often")
	leave()
	<-done // what was not shown is given back
	if got := w.list(w.master); len(got) != 1 {
		t.Errorf("%d tokens are listed", len(got))
	}
}
