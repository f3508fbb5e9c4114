package eventstoretest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

func barriers(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	r, err := log.Read(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fact := Append(t, log, first, 0, "fact")
	var places []eventstore.Seq
	for i := range 6 { // of two nodes, none with an expectation
		seq, err := log.Barrier(ctx, [...]domain.NodeName{"n1", "n2"}[i%2], fmt.Append(nil, "barrier ", i))
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, seq)
	}
	last := Append(t, log, first, fact, "fact")
	want := []eventstore.Seq{3, 4, 5, 6, 7, 8}
	if !slices.Equal(places, want) || last != 9 {
		t.Errorf("barriers got places %v, the fact after them %d", places, last)
	}
	for i, rec := range Read(t, log, 3, 8) {
		s := eventstore.BarrierSubject([...]domain.NodeName{"n1", "n2"}[i%2])
		if rec.Subject != s || string(rec.Data) != fmt.Sprint("barrier ", i) || rec.Foreign != "Nats-TTL" {
			t.Errorf("barrier %d came as %s %q with %q", i, rec.Subject, rec.Data, rec.Foreign)
		}
	}
	for _, seq := range []eventstore.Seq{1, fact, last} {
		if rec := Read(t, log, seq, seq)[0]; rec.Foreign != "" {
			t.Errorf("fact %d carries %q", seq, rec.Foreign)
		}
	}
	for _, bad := range []domain.NodeName{"", "a.b", "*", ">", "a b"} {
		if seq, err := log.Barrier(ctx, bad, nil); err == nil {
			t.Errorf("a barrier of node %q got place %d", bad, seq)
		}
	}
}

func crowdedBarriers(t *testing.T, log eventstore.Log) {
	const writers, each = 8, 10
	ctx := Context(t)
	var mu sync.Mutex
	placed := map[eventstore.Seq]string{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				data := fmt.Sprintf("%d/%d", w, i)
				seq, err := log.Barrier(ctx, "n1", []byte(data))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				placed[seq] = data
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, r := range Read(t, log, 2, writers*each+1) {
		if placed[r.Seq] != string(r.Data) {
			t.Errorf("record %d holds %q, its writer put %q there", r.Seq, r.Data, placed[r.Seq])
		}
	}
}

func settings(t *testing.T, log eventstore.Log) {
	s := log.Settings()
	if s.Stream == [16]byte{} || s.Replicas < 1 || s.MaxLease != eventstore.DefaultMaxLease || s.BarrierTTL() != time.Minute {
		t.Errorf("settings %+v", s)
	}
	if l, ok := log.(interface{ StreamID() [16]byte }); ok && l.StreamID() != s.Stream {
		t.Errorf("StreamID is %x, the settings say %x", l.StreamID(), s.Stream)
	}
	r, err := log.Read(Context(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if name := r.Replica(); (name != "") != (s.Replicas > 1) {
		t.Errorf("with %d replicas a reader reads at %q", s.Replicas, name)
	}
}

// heard collects what a listener got.
type heard struct {
	mu   sync.Mutex
	msgs []string
	busy bool
}

func (h *heard) hear(data []byte) {
	h.mu.Lock()
	overlap := h.busy
	h.busy = true
	h.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
	if overlap {
		h.msgs = append(h.msgs, "two at a time")
	}
	h.msgs = append(h.msgs, string(data))
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.msgs)
}

func bus(t *testing.T, log eventstore.Log) {
	var every [2]heard
	var group [3]heard
	var other heard
	listen := func(topic, group string, h *heard) (stop func()) {
		stop, err := log.Listen(topic, group, h.hear)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		return stop
	}
	stop := listen("fresh.ask", "", &every[0])
	listen("fresh.ask", "", &every[1])
	for i := range group {
		listen("fresh.ask", "servers", &group[i])
	}
	listen("fresh", "", &other) // a shorter topic is another one
	const n = 20
	send := func(data string) {
		buf := []byte(data)
		if err := log.Send("fresh.ask", buf); err != nil {
			t.Fatal(err)
		}
		clear(buf) // the caller may use it again
	}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("message ", i))
		send(want[i])
	}
	Eventually(t, "every message came", func() bool {
		return len(every[0].all()) >= n && len(every[1].all()) >= n &&
			len(group[0].all())+len(group[1].all())+len(group[2].all()) >= n
	})
	for i := range every {
		if got := every[i].all(); !slices.Equal(got, want) {
			t.Errorf("listener %d heard %v", i, got)
		}
	}
	shared := slices.Concat(group[0].all(), group[1].all(), group[2].all())
	slices.Sort(shared)
	slices.Sort(want)
	if !slices.Equal(shared, want) {
		t.Errorf("the group heard %v", shared)
	}
	stop()
	stop() // twice does no harm
	send("after")
	Eventually(t, "the other listener heard it", func() bool { return len(every[1].all()) == n+1 })
	if got := every[0].all(); len(got) != n {
		t.Errorf("a stopped listener heard %v", got[n:])
	}
	if got := other.all(); len(got) != 0 {
		t.Errorf("a listener of another topic heard %v", got)
	}
}

func badTopics(t *testing.T, log eventstore.Log) {
	for _, topic := range []string{"", ".", "a.", ".a", "a..b", "a.*", ">", "a b", "a\r\n", strings.Repeat("ä", 2)} {
		if err := log.Send(topic, nil); err == nil {
			t.Errorf("topic %q was sent to", topic)
		}
		if stop, err := log.Listen(topic, "", func([]byte) {}); err == nil {
			stop()
			t.Errorf("topic %q was listened to", topic)
		}
	}
	if stop, err := log.Listen("a", "g h", func([]byte) {}); err == nil {
		stop()
		t.Error("a group with a blank was listened in")
	}
}

func closedBus(t *testing.T, log eventstore.Log) {
	stop, err := log.Listen("a", "", func([]byte) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	stop()
	_, berr := log.Barrier(Context(t), "n1", nil)
	_, lerr := log.Listen("a", "", func([]byte) {})
	for _, err := range []error{berr, lerr, log.Send("a", nil)} {
		if !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("a closed log answered %v", err)
		}
	}
	if log.Settings().Stream == [16]byte{} {
		t.Error("a closed log has forgotten its settings")
	}
}
