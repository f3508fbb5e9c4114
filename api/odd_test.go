package api

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// odd is a log that says other things than it should.
type odd struct {
	*eventstoretest.Faulty
	conflict atomic.Pointer[eventstore.ConflictError]
	usage    atomic.Pointer[eventstore.Usage]
	stepped  atomic.Int64
}

func (l *odd) Append(ctx context.Context, e eventstore.Entry) (eventstore.Seq, error) {
	if c := l.conflict.Load(); c != nil {
		return 0, c
	}
	return l.Faulty.Append(ctx, e)
}

func (l *odd) AppendBatch(ctx context.Context, entries []eventstore.Entry) (eventstore.Seq, error) {
	if c := l.conflict.Load(); c != nil {
		return 0, c
	}
	return l.Faulty.AppendBatch(ctx, entries)
}

func (l *odd) Usage(ctx context.Context) (eventstore.Usage, error) {
	if u := l.usage.Load(); u != nil {
		return *u, nil
	}
	return l.Faulty.Usage(ctx)
}

func (l *odd) StepDown(context.Context) error { l.stepped.Add(1); return nil }

func newOdd(t *testing.T) (*odd, *world) {
	l := &odd{Faulty: eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{Replicas: 3}))}
	w := newWorldOver(t, l, ServiceConfig{})
	w.svc.log = l // newWorldOver's own link hides StepDown
	return l, w
}

// A leader that does not know what this node has applied is asked, once, to
// let another lead.
func TestReplicaDamaged(t *testing.T) {
	l, w := newOdd(t)
	w.issue("root", `{"id":"t"}`)
	_, last := w.proj.Directory.State(domain.Target{Account: "root", Token: "t"})
	for _, said := range []Seq{last - 1, 0} {
		l.conflict.Store(&eventstore.ConflictError{Last: said})
		p := refusedWith(t, w.as(w.root, "DELETE", "/v1/accounts/root/tokens/t", ""), 503, "replica_damaged")
		if !strings.Contains(p.Detail, fmt.Sprintf("revision %d", last)) {
			t.Error(p.Detail)
		}
	}
	if n := l.stepped.Load(); n != 1 {
		t.Errorf("the leader was asked %d times to step down", n)
	}
	l.conflict.Store(nil)
	w.must(w.root, "DELETE", "/v1/accounts/root/tokens/t", "")
}

// At 90 % the stream takes nothing but what takes rights away.
func TestNearlyFullStream(t *testing.T) {
	l, w := newOdd(t)
	w.svc.capacity.log = l
	w.issue("root", `{"id":"t",`+everything+`}`)
	full := func(percent uint64) {
		l.usage.Store(&eventstore.Usage{Bytes: percent, MaxBytes: 100})
		w.svc.capacity.mu.Lock()
		w.svc.capacity.asked = time.Time{}
		w.svc.capacity.mu.Unlock()
	}
	alarm := func() bool {
		return strings.Contains(w.as("", "GET", "/metrics", "").body, "hallpass_stream_alarm 1\n")
	}
	full(69)
	if alarm() {
		t.Error("an alarm at 69 %")
	}
	full(70)
	w.issue("root", `{"id":"u"}`)
	if !alarm() || strings.Count(w.logs.String(), "the stream is filling up") != 1 {
		t.Errorf("no alarm, or more than one, at 70 %%: %s", w.logs)
	}
	full(90)
	const token = "/v1/accounts/root/tokens/t"
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts", `{"id":"acme"}`), 507, "stream_full")
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts/root/tokens", `{"id":"v"}`), 507, "stream_full")
	refusedWith(t, w.as(w.root, "PATCH", token, `{"name":"n"}`), 507, "stream_full")
	w.must(w.root, "PATCH", token, `{"permissions":{"allow":[]}}`)
	w.must(w.root, "POST", token+"/disable", "")
	refusedWith(t, w.as(w.root, "POST", token+"/enable", ""), 507, "stream_full")
	w.must(w.root, "DELETE", token, "")
	full(10)
	w.open("acme")

	// The same when the disk is nearly full, however small the stream is.
	full(11)
	l.usage.Store(&eventstore.Usage{Bytes: 1, MaxBytes: 100, FreeTold: true, Free: leastFree - 1})
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts", `{"id":"more"}`), 507, "stream_full")
	w.must(w.root, "POST", "/v1/accounts/acme/suspend", "")
	full(11)
	l.usage.Store(&eventstore.Usage{Bytes: 1, MaxBytes: 100, FreeTold: true, Free: leastFree})
	w.open("more")
}

// What some node can't read yet is not written.
func TestClusterUpgrading(t *testing.T) {
	w := newWorld(t)
	barrier := fmt.Appendf(nil, `{"stream":"%x","epoch":0,"by":"%032x","size":0,"root":"%064x",`+
		`"proofs":[{"of":"%032x","nonce":"%032x","lease_ms":12000,"stale_ms":0,"reads":0}]}`, w.log.Settings().Stream, 1, 0, 2, 3)
	at, err := w.log.Barrier(t.Context(), "old", barrier)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.proj.Position.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts", `{"id":"acme"}`), 409, "cluster_upgrading")
}
