package api

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// A revoke is answered with a receipt of all nodes, and from then on all of
// them refuse. Asked for again, on whichever node, it gives a receipt of the
// same revision.
func TestReceipts(t *testing.T) {
	a, b, c, _ := three(t)
	secret, at := a.issue(t, "t")
	for _, m := range []*peer{b, c} {
		m.has(t, at)
		if code := m.code(secret); code != "" {
			t.Fatalf("before the revoke: %s", code)
		}
	}
	first, err := b.revoke(t.Context(), "t", WaitDefault)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*peer{a, b, c} {
		if code := m.code(secret); code != domain.CodeUnauthorized {
			t.Errorf("after the revoke: %q", code)
		}
	}
	for _, m := range []*peer{a, b, c} {
		r, err := m.revoke(t.Context(), "t", WaitDefault)
		if err != nil || r.Changed || r.Wait != WaitAll {
			t.Fatalf("again: %+v, %v", r, err)
		}
		if r.Receipt.Revision != first.Revision {
			t.Errorf("again, the receipt is for %d instead of %d", r.Receipt.Revision, first.Revision)
		}
		if _, err := projections.VerifyReceipt(r.Receipt.Note, nil); err != nil {
			t.Error(err)
		}
	}
	var names []string
	for _, n := range first.Receipt.Nodes {
		names = append(names, string(n.Name)+" "+n.How.String())
	}
	if want := []string{"a acknowledged", "b acknowledged", "c acknowledged"}; !slices.Equal(names, want) {
		t.Errorf("the receipt has %q, want %q", names, want)
	}
}

// What every command waits for by itself, and by the caller's choice.
func TestWaits(t *testing.T) {
	for _, row := range []struct {
		c      domain.Command
		wait   Wait
		urgent bool
	}{
		{domain.RevokeToken{}, WaitAll, true},
		{domain.SuspendAccount{}, WaitAll, true},
		{domain.CloseAccount{}, WaitAll, true},
		{domain.DisableToken{}, WaitCommit, true},
		{domain.OpenAccount{}, WaitCommit, false},
		{domain.ResumeAccount{}, WaitCommit, false},
		{domain.IssueToken{}, WaitCommit, false},
		{domain.EditToken{}, WaitCommit, false},
		{domain.EnableToken{}, WaitCommit, false},
		{domain.RotateToken{}, WaitCommit, false},
		{nil, WaitAll, true}, // unsure: it may take rights
	} {
		if got := classOf(row.c); got != (class{row.urgent, row.wait}) {
			t.Errorf("%T: %+v", row.c, got)
		}
		for _, chosen := range []Wait{WaitCommit, WaitAll} {
			if got := chosen.of(row.c); got != chosen {
				t.Errorf("%T with %v: %v", row.c, chosen, got)
			}
		}
	}
	a, _, _, _ := three(t)
	a.issue(t, "t")
	r, err := a.revoke(t.Context(), "t", WaitCommit)
	if err != nil || r.Receipt != nil || r.Wait != WaitCommit {
		t.Errorf("a revoke that doesn't wait: %+v, %v", r, err)
	}
}

// Where a node does not acknowledge in time the answer says that the change is
// stored, and the same command gives the receipt later, on another node.
func TestNotFenced(t *testing.T) {
	a, b, c, _ := three(t)
	a.issue(t, "t")
	c.link.Isolate()
	ctx, cancel := context.WithCancel(t.Context())
	a.link.OnStored(func(eventstore.Entry, eventstore.Seq) { cancel() }) // the caller goes away
	r, err := a.revoke(ctx, "t", WaitDefault)
	if domain.CodeOf(err) != domain.CodeNotFenced || !strings.Contains(err.Error(), "is stored") {
		t.Fatalf("got %v, want not_fenced, which says that the change is stored", err)
	}
	if !r.Changed || r.Revision == 0 || !r.State.Token.Revoked || r.Wait != WaitAll || r.Receipt != nil {
		t.Errorf("%+v", r)
	}
	c.link.Heal()
	b.has(t, r.Revision)
	again, err := b.revoke(t.Context(), "t", WaitDefault)
	if err != nil || again.Receipt == nil || again.Receipt.Revision != r.Revision {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// A node that can't be reached is waited for until its lease is over, for
// however long the server lets answers take otherwise.
func TestLeaseRunsOut(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{Replicas: 3, MaxLease: 2 * time.Second})
	a := join(t, log, projections.NodeConfig{Name: "a", Lease: 2 * time.Second})
	lost := join(t, log, projections.NodeConfig{Name: "lost", Lease: time.Second})
	root, err := Bootstrap(t.Context(), a.Service, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	secret, at := a.issue(t, "t")
	lost.has(t, at)
	lost.link.Isolate()
	lost.link.Stall()
	w := serving(t, a)
	w.url = newServer(t, w.h, time.Minute, 200*time.Millisecond).URL
	got := w.must(root.Secret.Reveal(), "DELETE", "/v1/accounts/root/tokens/t", "")
	if code := lost.code(secret); code != domain.CodeStale {
		t.Errorf("after the receipt the lost node answers %q, want stale", code)
	}
	r := read[wire.Token](t, got).Receipt
	i := slices.IndexFunc(r.Nodes, func(n wire.ReceiptNode) bool { return n.Name == "lost" })
	if i < 0 || r.Nodes[i].How != "ran_out" || got.header.Get("Hallpass-Wait") != "all" {
		t.Errorf("%+v", r)
	}
	if page := w.as("", "GET", "/metrics", "").body; !strings.Contains(page, `hallpass_fences_total{outcome="ran_out"} 1`) {
		t.Error("the fence is not counted")
	}
}

// A change that brings a secret is no refusal when it can't be fenced: the
// secret is nowhere else to be had. The answer says that it is committed.
func TestASecretIsShownThoughNotFenced(t *testing.T) {
	a, _, c, _ := three(t)
	c.link.Isolate()
	ctx, cancel := context.WithCancel(t.Context())
	a.link.OnStored(func(eventstore.Entry, eventstore.Seq) { cancel() }) // the caller goes away
	r, err := a.Do(ctx, a.Operator(), domain.IssueToken{Account: "root", Token: "t", Digest: domain.Digest{1}}, WaitAll)
	if err != nil || !r.Changed || r.Wait != WaitCommit || r.Receipt != nil {
		t.Errorf("got %+v, %v; want it committed, without a receipt", r, err)
	}
}
