package embedded_test

import (
	"testing"
	"time"

	"hallpass/api/client"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// A first use that ends older secrets reaches the servers from a node that
// writes nothing itself, again and again until it is a record.
func TestFirstUseIsTold(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWriter(t, log)
	n := open(t, log, projections.NodeConfig{FollowOnly: true})
	first, _ := w.issue("t")
	second := domain.NewSecret([32]byte{9})
	at := w.append("t", domain.TokenRotated{Digest: second.Digest(), PreviousUntil: domain.Instant(time.Now().Add(time.Hour).UnixMilli()), Retires: true})
	if d := mayRead(t, n, first, at); !d.Allowed {
		t.Fatalf("before the first use: %+v", d)
	}
	if d := mayRead(t, n, client.Secret(second.Reveal()), at); !d.Allowed { // no server hears of it yet
		t.Fatalf("the first use: %+v", d)
	}
	heard := projections.NewFirstUses()
	stop, err := projections.HearFirstUses(log, heard)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	all, err := heard.Wait(t.Context())
	if want := (projections.FirstUse{Account: "acme", Token: "t", Digest: second.Digest()}); err != nil || len(all) != 1 || all[0] != want {
		t.Fatalf("heard %v, %v; want %v", all, err, want)
	}
	at = w.append("t", domain.TokenRetired{Digest: second.Digest()})
	if d := mayRead(t, n, first, at); d.Allowed {
		t.Errorf("after the record: %+v", d)
	}
	if d := mayRead(t, n, client.Secret(second.Reveal()), at); !d.Allowed {
		t.Errorf("the new secret: %+v", d)
	}
}
