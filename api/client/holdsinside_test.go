package client

import (
	"context"
	"iter"
	"testing"
)

// yes allows everything, and watches without ever telling anything.
type yes struct{}

func (yes) Check(context.Context, Secret, Need) (Decision, error) {
	return Decision{Allowed: true, Works: true, Code: "granted", Account: "acme", Token: "t", Revision: 1}, nil
}

func (yes) Revocations(ctx context.Context, _ uint64) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		if yield(Missed{MinRevision: 1}, nil) {
			<-ctx.Done()
		}
	}
}

// What is released or cut leaves nothing behind.
func TestHoldsForget(t *testing.T) {
	h := NewHolds(yes{}, yes{}, HoldsConfig{})
	defer h.Close()
	if err := h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		x, err := h.Hold(t.Context(), "s", Need{})
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		if len(h.by["acme"]) != 1 {
			t.Errorf("%d are held", len(h.by["acme"]))
		}
		h.mu.Unlock()
		x.Release()
	}
	x, err := h.Hold(t.Context(), "s", Need{})
	if err != nil {
		t.Fatal(err)
	}
	h.revoked(Revoked{Revision: 2, Account: "acme", Token: "t", Type: "token.revoked"})
	<-x.Context.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.by) != 0 {
		t.Errorf("%d accounts are left", len(h.by))
	}
}
