package eventstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// What fell out of the log leaves its place empty; the rest stays where it is.
func TestMemoryExpires(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{Replica: "here", Replicas: 3, MaxLease: time.Minute})
	if s := log.Settings(); s.Replicas != 3 || s.MaxLease != time.Minute || s.BarrierTTL() != 5*time.Minute {
		t.Errorf("settings %+v", s)
	}
	ctx := eventstoretest.Context(t)
	barrier, err := log.Barrier(ctx, "n1", []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	fact := eventstoretest.Append(t, log, subject, 0, "fact")
	before, _ := log.Usage(ctx)
	log.Expire(barrier)
	log.Expire(barrier) // twice does no harm
	log.Expire(99)      // nor does what isn't there
	after, err := log.Usage(ctx)
	if err != nil || after.Records != 2 || after.Bytes >= before.Bytes {
		t.Errorf("usage went from %+v to %+v, %v", before, after, err)
	}
	if last, err := log.Last(ctx); last != fact || err != nil {
		t.Errorf("Last is %d, %v", last, err)
	}
	r, err := log.Read(ctx, barrier)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]eventstore.Record, 4)
	if n, err := r.Next(ctx, buf); n != 1 || err != nil || buf[0].Seq != fact || r.Replica() != "here" {
		t.Errorf("a reader from the gap got %d records, the first is %d, at %q, %v", n, buf[0].Seq, r.Replica(), err)
	}
	if seq := log.Foreign(subject, nil, "Nats-Rollup"); seq != fact+1 {
		t.Errorf("a foreign record got place %d", seq)
	}
	if n, err := r.Next(ctx, buf); n != 1 || err != nil || buf[0].Foreign != "Nats-Rollup" {
		t.Errorf("a foreign record came as %+v, %v", buf[:n], err)
	}
}

// A record under hp.e. with a header that makes servers drop it later shows it,
// to readers and in its history.
func TestForeignHeaders(t *testing.T) {
	cfg := eventstoretest.StartServers(t, 1).Account()
	log := openExternal(t, cfg)
	js := manager(t, cfg)
	for header, foreign := range map[string]string{"Nats-TTL": "Nats-TTL", "Other": "", "Natsy": ""} {
		s := "hp.e.acme.token." + header
		ack, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: s, Header: nats.Header{header: {"1h"}}})
		if err != nil {
			t.Fatal(err)
		}
		seq := eventstore.Seq(ack.Sequence)
		hist, err := log.History(t.Context(), eventstore.Subject(s), 0, 1)
		if err != nil || len(hist) != 1 {
			t.Fatal(hist, err)
		}
		if read := eventstoretest.Read(t, log, seq, seq)[0]; read.Foreign != foreign || hist[0].Foreign != foreign {
			t.Errorf("%s came as %q, in the history as %q", header, read.Foreign, hist[0].Foreign)
		}
	}
}

// The longest lease is the stream's, whoever opens it; a length that can't be
// read is refused, and one that changes is learned.
func TestMaxLease(t *testing.T) {
	cfg := eventstoretest.StartServers(t, 1).Account()
	cfg.MaxLease = 30 * time.Second
	first := openExternal(t, cfg)
	cfg.MaxLease = 0
	log := openExternal(t, cfg)
	if first.Settings() != log.Settings() || log.Settings().MaxLease != 30*time.Second {
		t.Errorf("settings %+v and %+v", first.Settings(), log.Settings())
	}
	set := func(lease string) {
		js := manager(t, cfg)
		s, err := js.Stream(t.Context(), "hallpass")
		if err != nil {
			t.Fatal(err)
		}
		sc := s.CachedInfo().Config
		delete(sc.Metadata, "hallpass.max-lease")
		if lease != "" {
			sc.Metadata["hallpass.max-lease"] = lease
		}
		if _, err := js.UpdateStream(t.Context(), sc); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Last(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	set("20s")
	if got := log.Settings().MaxLease; got != 20*time.Second {
		t.Errorf("a changed lease is %v", got)
	}
	set("long")
	if got := log.Settings().MaxLease; got != 20*time.Second {
		t.Errorf("after nonsense the lease is %v", got)
	}
	_ = wantExternalRefusal(t, cfg, "max-lease", `"long"`, "nats stream edit")
	set("")
	if got := log.Settings().MaxLease; got != eventstore.DefaultMaxLease {
		t.Errorf("the lease of a stream that states none is %v", got)
	}
}

// The bus works across a broken link: it refuses while that is down, and
// listens again afterwards.
func TestBusReconnects(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	cfg := servers.Account()
	a, b := openExternal(t, cfg), openExternal(t, cfg)
	came := make(chan string, 1000)
	if _, err := b.Listen("x", "", func(data []byte) { came <- string(data) }); err != nil {
		t.Fatal(err)
	}
	if err := a.Send("x", []byte("before")); err != nil {
		t.Fatal(err)
	}
	if got := <-came; got != "before" {
		t.Errorf("heard %q", got)
	}
	servers.Stop(0)
	eventstoretest.Eventually(t, "sending is refused", func() bool { return errors.Is(a.Send("x", nil), eventstore.ErrLost) })
	if _, err := a.Barrier(t.Context(), "n1", nil); err == nil {
		t.Error("a barrier was taken without a server")
	}
	servers.Start(0)
	eventstoretest.Eventually(t, "a message comes again", func() bool {
		_ = a.Send("x", []byte("after"))
		select {
		case got := <-came:
			return got == "after"
		default:
			return false
		}
	})
}

func TestFaultyBarriersAndBus(t *testing.T) {
	inner := eventstore.NewMemory(eventstore.MemoryConfig{})
	log, peer := eventstoretest.NewFaulty(inner), eventstoretest.NewFaulty(inner)
	ctx := eventstoretest.Context(t)
	for fault, want := range map[eventstoretest.Fault]struct {
		stored eventstore.Seq
		fails  bool
	}{
		eventstoretest.None: {1, false}, eventstoretest.Repeat: {2, false}, eventstoretest.LoseAck: {1, true},
		eventstoretest.LoseSend: {0, true}, eventstoretest.Full: {0, true},
	} {
		log.OnBarrier(func(domain.NodeName, []byte) eventstoretest.Fault { return fault })
		before, _ := log.Last(ctx)
		seq, err := log.Barrier(ctx, "n1", nil)
		after, _ := log.Last(ctx)
		if after-before != want.stored || (err != nil) != want.fails || err == nil && seq != before+1 {
			t.Errorf("fault %d stored %d: %d, %v", fault, after-before, seq, err)
		}
	}
	log.OnBarrier(nil)

	var got, other []string
	heard := make(chan struct{}, 100)
	listen := func(l *eventstoretest.Faulty, to *[]string) {
		if _, err := l.Listen("a", "", func(d []byte) { *to = append(*to, string(d)); heard <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
	}
	listen(log, &got)
	listen(peer, &other)
	times := map[string]int{"lost": 0, "once": 1, "twice": 2}
	log.OnSend(func(_ string, d []byte) int { return times[string(d)] })
	for _, msg := range []string{"lost", "twice", "once"} {
		if err := log.Send("a", []byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		<-heard
	}
	peer.CutBus(eventstoretest.In) // what peer sends arrives, what it would hear is lost
	if err := peer.Send("a", []byte("out")); err != nil {
		t.Fatal(err)
	}
	<-heard
	peer.CutBus(eventstoretest.Out) // too
	if err := peer.Send("a", nil); !errors.Is(err, eventstore.ErrLost) {
		t.Errorf("a cut node sent: %v", err)
	}
	if len(got) != 4 || len(other) != 3 || got[3] != "out" {
		t.Errorf("heard %v and %v", got, other)
	}

	log.Isolate()
	if _, err := log.Barrier(ctx, "n1", nil); !errors.Is(err, eventstore.ErrLost) {
		t.Errorf("a cut node's barrier: %v", err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := log.Append(short, eventstoretest.NewEntry(subject, 0, nil)); !errors.Is(err, eventstore.ErrUnknown) {
		t.Errorf("a cut node's append: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := log.Append(ctx, eventstoretest.NewEntry(subject, 0, nil))
		done <- err
	}()
	eventstoretest.Append(t, peer, "hp.e.acme.token.other", 0, "x")
	log.Heal()
	if err := <-done; err != nil {
		t.Errorf("an append after the cut: %v", err)
	}
}

// The leader of a replicated stream can be told to step down, and no record is
// lost by it.
func TestStepDown(t *testing.T) {
	t.Parallel() // it mostly waits
	log := openExternal(t, eventstoretest.StartServers(t, 3).Account())
	ctx := eventstoretest.Context(t)
	leader := func() string {
		peers, err := log.Peers(ctx)
		if err != nil || len(peers) != 3 || !peers[0].Leader {
			return ""
		}
		return peers[0].Name
	}
	var before string
	eventstoretest.Eventually(t, "there is a leader", func() bool { before = leader(); return before != "" })
	eventstoretest.Append(t, log, subject, 0, "before")
	eventstoretest.Eventually(t, "another server leads", func() bool {
		if err := log.StepDown(ctx); err != nil {
			t.Log(err)
			return false
		}
		now := ""
		eventstoretest.Eventually(t, "there is a leader again", func() bool { now = leader(); return now != "" })
		return now != before
	})
	eventstoretest.Append(t, log, subject, 2, "after")
	eventstoretest.Read(t, log, 1, 3)
}
