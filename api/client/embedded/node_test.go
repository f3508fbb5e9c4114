package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/api/client"
	"hallpass/api/client/embedded"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

func TestChecks(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	n := open(t, log, projections.NodeConfig{FollowOnly: true})
	secret, at := w.issue("reader")
	d := mayRead(t, n, secret, at)
	if !d.Allowed || !d.Works || d.Code != "granted" || d.Account != "acme" || d.Token != "reader" || d.Revision < uint64(at) || d.Stale != 0 {
		t.Fatalf("%+v", d)
	}
	d, err := n.Check(t.Context(), secret, client.Need{Action: "write", Resource: "/bucket"})
	if err != nil || d.Allowed || !d.Works || d.Code != "no_grant" {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, bad := range []client.Secret{"", "hp_x", secret + "x"} {
		if d, err := n.Check(t.Context(), bad, reads); err != nil || d.Works || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
	}
	if _, err := n.Check(t.Context(), secret, client.Need{Action: "read", Resource: "bucket"}); client.Code(err) != "invalid" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Check(ctx, secret, client.Need{Action: "read", Resource: "/bucket", MinRevision: 1 << 40}); client.Code(err) != "stale" {
		t.Error(err)
	}
	at = w.append("reader", domain.TokenRevoked{Reason: why})
	if d := mayRead(t, n, secret, at); d.Works || d.Allowed || d.Code != client.CodeInvalidToken || d.Account != "" {
		t.Fatalf("%+v", d)
	}
}

// A node that was only now opened, and one that has left, refuse.
func TestBeforeAndAfter(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	secret, _ := w.issue("reader")
	alone := embedded.Open(eventstore.NewMemory(eventstore.MemoryConfig{}), projections.Config{Logger: quiet, Node: projections.NodeConfig{FollowOnly: true}})
	if _, err := alone.Check(t.Context(), secret, reads); client.Code(err) != "not_ready" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := alone.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = alone.Close(ctx)

	n := open(t, log, projections.NodeConfig{Name: "gateway", FollowOnly: true})
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Check(t.Context(), secret, reads); client.Code(err) != "stale" {
		t.Error(err)
	}
	at := w.append("reader", domain.TokenRevoked{Reason: why})
	r, err := w.p.Fence(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Nodes {
		if a.Name == "gateway" && a.How != projections.Left {
			t.Errorf("the fence waited for a node that had left: %v", a.How)
		}
	}
}

// A fenced revoke has the embedder's word: from the receipt on it refuses.
func TestAFencedRevokeIsAcknowledged(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	n := open(t, log, projections.NodeConfig{Name: "gateway", FollowOnly: true})
	for i := range 20 {
		secret, at := w.issue("reader")
		if !mayRead(t, n, secret, at).Allowed {
			t.Fatal("it was never allowed")
		}
		r, err := w.p.Fence(t.Context(), w.append("reader", domain.TokenRevoked{Reason: why}))
		if err != nil {
			t.Fatal(err)
		}
		if d := mayRead(t, n, secret, 0); d.Works || d.Allowed {
			t.Fatalf("round %d: %+v after the receipt", i, d)
		}
		if !slices.ContainsFunc(r.Nodes, func(a projections.Acknowledgement) bool {
			return a.Name == "gateway" && a.How == projections.Acknowledged
		}) {
			t.Fatalf("the receipt doesn't list it:\n%s", r.Note)
		}
	}
}

// TestHeldWhileTokensDie holds connections through an embedded node, from many
// sides, while their tokens are revoked: each ends.
func TestHeldWhileTokensDie(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	n := open(t, log, projections.NodeConfig{FollowOnly: true})
	h := client.NewHolds(n, n, client.HoldsConfig{})
	defer h.Close()
	if err := h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 6 {
		id := domain.TokenID(fmt.Sprint("t", i))
		secret, at := w.issue(id)
		mayRead(t, n, secret, at)
		held := make(chan struct{}, 3) // some are held when the token dies
		for range 3 {
			wg.Go(func() {
				for {
					x, err := h.Hold(t.Context(), secret, reads)
					if err != nil {
						t.Error(err)
						return
					}
					select {
					case held <- struct{}{}:
					default:
					}
					if !x.Decision.Allowed {
						return
					}
					<-x.Context.Done()
					if cut := (*client.CutError)(nil); !errors.As(context.Cause(x.Context), &cut) || cut.Err != nil {
						t.Error(context.Cause(x.Context))
					}
				}
			})
		}
		<-held
		switch i % 3 {
		case 0:
			w.append(id, domain.TokenRevoked{Reason: why})
		case 1:
			w.append(id, domain.TokenDisabled{})
		case 2:
			none := domain.Permissions{Mode: domain.Union}
			w.append(id, domain.TokenEdited{Permissions: &none, Narrows: true})
		}
	}
	wg.Wait()
}

// A node without a lease tells its watchers, again and again, and goes on
// where it was.
func TestAStaleNodeIsBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := eventstore.NewMemory(eventstore.MemoryConfig{})
		w := newWriter(t, log)
		n := open(t, log, projections.NodeConfig{FollowOnly: true})
		secret, issued := w.issue("reader")
		mayRead(t, n, secret, issued)
		h := client.NewHolds(n, n, client.HoldsConfig{})
		defer h.Close()
		if err := h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		held, err := h.Hold(t.Context(), secret, reads)
		if err != nil || !held.Decision.Allowed {
			t.Fatal(held, err)
		}
		began := time.Now()
		w.p.Close() // nobody answers the node's questions any more
		blind := 0
		for notice, err := range n.Revocations(t.Context(), uint64(issued)) {
			if err != nil {
				t.Fatal(err)
			}
			if m, ok := notice.(client.Missed); !ok || !m.Blind {
				t.Fatalf("got %+v", notice)
			}
			if blind++; blind == 3 {
				break
			}
		}
		if _, err := n.Check(t.Context(), secret, reads); client.Code(err) != "stale" {
			t.Fatal(err)
		}
		<-held.Context.Done()
		if cut := (*client.CutError)(nil); !errors.As(context.Cause(held.Context), &cut) || client.Code(cut.Err) != "stale" {
			t.Fatal(context.Cause(held.Context))
		}
		if d := time.Since(began); d > projections.DefaultLease+20*time.Second {
			t.Fatalf("it took %v", d)
		}
		server := projections.Open(log, config(projections.NodeConfig{Name: "server-2"}))
		defer server.Close()
		for notice, err := range n.Revocations(t.Context(), uint64(issued)) {
			if err != nil {
				t.Fatal(err)
			}
			if r, ok := notice.(client.Revoked); ok {
				if r.Token != "reader" || r.Type != "token.revoked" {
					t.Fatalf("%+v", r)
				}
				break
			}
			if w.p == server { // once, while the watch is still blind
				continue
			}
			if w.p = server; w.p.Ready(t.Context()) != nil {
				t.Fatal("the second server is not ready")
			}
			w.append("reader", domain.TokenRevoked{Reason: why})
		}
	})
}

func TestRevocationsOfANode(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	n := open(t, log, projections.NodeConfig{})
	w.issue("a")
	w.append("a", domain.TokenDisabled{})
	w.append("a", domain.TokenEnabled{})
	edit := "another"
	w.append("a", domain.TokenEdited{Name: &edit})
	w.append("a", domain.TokenRevoked{Reason: why})
	last := w.append("", domain.AccountSuspended{Reason: why})
	if err := n.Projection().Position.Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	var got []string
	for notice, err := range n.Revocations(t.Context(), 0) {
		r, ok := notice.(client.Revoked)
		if !ok || err != nil {
			t.Fatal(notice, err)
		}
		if got = append(got, r.Type+" "+r.Token); r.Revision == uint64(last) {
			break
		}
	}
	if want := []string{"token.disabled a", "token.edited a", "token.revoked a", "account.suspended "}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}

	// A revision that a current node has not seen is of another history.
	for notice, err := range n.Revocations(t.Context(), 1<<40) {
		if m, ok := notice.(client.Missed); !ok || m.Blind || m.MinRevision < uint64(last) || err != nil {
			t.Fatal(notice, err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := 0
	for notice, err := range n.Revocations(ctx, client.Now) {
		if cancel(); err != nil {
			if ends++; !errors.Is(err, context.Canceled) || notice != nil {
				t.Fatal(notice, err)
			}
		}
	}
	var end error
	for notice, err := range n.Revocations(t.Context(), client.Now) {
		if end = err; notice != nil {
			n.Projection().Close()
		}
	}
	if ends != 1 || !errors.Is(end, projections.ErrClosed) {
		t.Fatalf("%d, %v", ends, end)
	}
}

// What a token's conditions and ancestors say holds here as at a server.
func TestConditionsAndAncestors(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	n := open(t, log, projections.NodeConfig{FollowOnly: true})
	_, _ = w.issue("parent")
	secret := domain.NewSecret([32]byte{7})
	at := w.append("child", domain.TokenIssued{
		Generation: 1, Enabled: true, Kind: domain.KindAPI, Digest: secret.Digest(),
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/bucket", Actions: []domain.Action{"read"}}}},
		Parent:      &domain.Link{Token: "parent", Generation: 1},
		Conditions:  &domain.Conditions{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	})
	child := client.Secret(secret.Reveal())
	for from, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "192.0.2.1": false, "": false} {
		need := reads
		need.From, _ = netip.ParseAddr(from)
		need.MinRevision = uint64(at)
		d, err := n.Check(t.Context(), child, need)
		if err != nil || d.Allowed != want || d.Allowed && !slices.Equal(d.Ancestors, []string{"parent"}) {
			t.Errorf("from %q: %+v, %v", from, d, err)
		}
	}
	at = w.append("parent", domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})
	need := reads
	need.From, need.MinRevision = netip.MustParseAddr("10.1.2.3"), uint64(at)
	if d, err := n.Check(t.Context(), child, need); err != nil || d.Works {
		t.Errorf("after the parent's end: %+v, %v", d, err)
	}
}
