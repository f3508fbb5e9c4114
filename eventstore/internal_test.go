package eventstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"hallpass/domain"
)

func embeddedForTest(t *testing.T, cfg EmbedConfig) *JetStream {
	t.Helper()
	cfg.Dir, cfg.NoSync = t.TempDir(), true
	l, err := OpenEmbedded(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // it never fails
	return l
}

// A reader that nobody calls holds what flow control lets through, and loses
// nothing.
func TestSlowReader(t *testing.T) {
	l := embeddedForTest(t, EmbedConfig{MaxBytes: 1 << 30})
	reading, err := l.Read(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	r := reading.(*reader)
	const n = 1600 // of 50 KiB: 80 MB, where 32 MiB may be under way
	for i := range n {
		data := bytes.Repeat([]byte{byte(i)}, 50<<10)
		e := Entry{Subject: Subject(fmt.Sprint("hp.e.acme.token.", i)), ID: domain.NewEventID(1, [10]byte{byte(i), byte(i >> 8)}), Data: data}
		if _, err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	// Heartbeats say that the server waits for an answer to flow control.
	for stalled := false; !stalled; time.Sleep(10 * time.Millisecond) {
		r.mu.Lock()
		stalled = len(r.marks) > 0
		held := len(r.queue) * 50 << 10
		r.mu.Unlock()
		if held > 40<<20 {
			t.Fatalf("the reader holds %d bytes", held)
		}
	}
	buf := make([]Record, 100)
	for next := 0; next < n; {
		k, err := reading.Next(t.Context(), buf)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range buf[:k] {
			if rec.Seq != Seq(next+2) || rec.Data[0] != byte(next) {
				t.Fatalf("record %d came where %d was due", rec.Seq, next+2)
			}
			next++
		}
	}
}

func TestReaderWhoseConsumerIsGone(t *testing.T) {
	t.Parallel() // it mostly waits
	l := embeddedForTest(t, EmbedConfig{})
	r, err := l.Read(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var names server.JSApiConsumerNamesResponse
	if err := ask(t.Context(), l.nc, fmt.Sprintf("$JS.API.CONSUMER.NAMES.%s", streamName), nil, &names); err != nil || len(names.Consumers) != 1 {
		t.Fatalf("consumers %v, %v", names.Consumers, err)
	}
	if err := ask(t.Context(), l.nc, fmt.Sprintf(server.JSApiConsumerDeleteT, streamName, names.Consumers[0]), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context(), make([]Record, 1)); !errors.Is(err, ErrLost) {
		t.Errorf("Next: %v", err)
	}
}

func TestReaderNoticesWhatIsMissing(t *testing.T) {
	heartbeatAfter := func(n string) *nats.Msg {
		return &nats.Msg{Subject: "in", Header: nats.Header{server.JSLastConsumerSeq: {n}}}
	}
	for name, msgs := range map[string][]*nats.Msg{
		"a gap":         {{Reply: "$JS.ACK.s.c.1.7.1.1.0"}, {Reply: "$JS.ACK.s.c.1.9.3.1.0"}},
		"a repetition":  {{Reply: "$JS.ACK.s.c.1.7.1.1.0"}, {Reply: "$JS.ACK.s.c.1.7.1.1.0"}},
		"a lost tail":   {{Reply: "$JS.ACK.s.c.1.7.1.1.0"}, heartbeatAfter("2")},
		"a lost start":  {heartbeatAfter("1")},
		"a foreign one": {{Reply: "$JS.ACK.s.c.1.7.1.1.0"}, {Reply: "elsewhere"}},
	} {
		r := &reader{inbox: "in", from: 1, wake: make(chan struct{}, 1), started: time.Now(), timer: time.NewTimer(time.Hour)}
		for _, m := range msgs {
			r.receive(m)
		}
		buf := make([]Record, 4)
		if msgs[0].Reply != "" { // what came before is still delivered
			if n, err := r.Next(t.Context(), buf); n != 1 || err != nil || buf[0].Seq != 7 {
				t.Errorf("%s: first %d, %v", name, n, err)
			}
		}
		if n, err := r.Next(t.Context(), buf); n != 0 || !errors.Is(err, ErrLost) {
			t.Errorf("%s: then %d, %v", name, n, err)
		}
	}
}

func TestParseDelivery(t *testing.T) {
	want := delivery{seq: 7, count: 8, stored: 1700000000123}
	for reply, ok := range map[string]bool{
		"$JS.ACK.hallpass.abc.1.7.8.1700000000123456789.3":                true,
		"$JS.ACK._.hash.hallpass.abc.1.7.8.1700000000123456789.3":         true,
		"$JS.ACK.dom.hash.hallpass.abc.1.7.8.1700000000123456789.3.x.y.z": true,
		"$JS.ACK.hallpass.abc.1.7.8.1700000000123456789":                  false,
		"$JS.ACK.hallpass.abc.1.7.8.17000000001x3456789.3":                false,
		"$JS.ACK.hallpass.abc.1..8.1700000000123456789.3":                 false,
		"": false,
	} {
		if got, is := parseDelivery(reply); is != ok || ok && got != want {
			t.Errorf("%s: %+v, %v", reply, got, is)
		}
	}
}

// What each answer of JetStream means for an append that expects record 5.
func TestAnswers(t *testing.T) {
	for data, want := range map[string]struct {
		seq Seq
		out outcome
		is  error
	}{
		`{"stream":"hallpass","seq":7}`:                  {7, stored, nil},
		`{"stream":"hallpass","seq":7,"duplicate":true}`: {7, stored, nil},
		`{"stream":"hallpass"}`:                          {0, inDoubt, nil},
		`nonsense`:                                       {0, inDoubt, nil},
		`{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}`:                      {0, notTaken, nil},
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"}}`:                   {0, notTaken, nil},
		`{"error":{"code":409,"err_code":10158,"description":"duplicate message id is in process"}}`:       {0, notTaken, nil},
		`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`: {0, notTaken, nil},
		`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`:                   {0, refused, ErrFull},
		`{"error":{"code":503,"err_code":10023,"description":"insufficient resources"}}`:                   {0, refused, ErrFull},
		`{"error":{"code":400,"err_code":10002,"description":"resource limits exceeded for account"}}`:     {0, refused, ErrFull},
		`{"error":{"code":500,"err_code":10047,"description":"insufficient storage resources available"}}`: {0, refused, ErrFull},
		`{"error":{"code":500,"err_code":19999,"description":"something new"}}`:                            {0, notTaken, nil},
		`{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"}}`:     {0, refused, nil},
	} {
		seq, out, err := answer("s", []byte(data), 5)
		if seq != want.seq || out != want.out || !errors.Is(err, want.is) && want.is != nil || (err == nil) != (out == stored) {
			t.Errorf("%s: %d, %d, %v", data, seq, out, err)
		}
	}
	for description, last := range map[string]Seq{"wrong last sequence: 9": 9, "wrong last sequence: 0": 0, "wrong": 0} {
		_, out, err := answer("s", fmt.Appendf(nil, `{"error":{"code":400,"err_code":10071,"description":%q}}`, description), 5)
		var conflict *ConflictError
		if out != refused || !errors.As(err, &conflict) || conflict.Last != last {
			t.Errorf("%s: %d, %v", description, out, err)
		}
	}
}

// A setting that only a newer server knows, and that isn't off, is refused.
func TestUnknownSetting(t *testing.T) {
	config := func(more string) json.RawMessage {
		b, err := json.Marshal(wantedStream(3, 77, 0))
		if err != nil {
			t.Fatal(err)
		}
		return json.RawMessage(strings.TrimSuffix(string(b), "}") + more + "}")
	}
	for more, says := range map[string]string{
		"": "", `,"novelty":false`: "", `,"novelty":0`: "", `,"novelty":{"a":0}`: "", `,"placement":{"cluster":"c"}`: "",
		`,"novelty":true`: "novelty is true", `,"novelty":{"a":1}`: "novelty is", `,"sealed":true`: "sealed is true",
		`,"mirror":{"name":"x"}`: "mirror is", `,"sources":[{"name":"x"}]`: "sources is",
	} {
		err := checkStream(config(more))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", more, err)
		}
	}
}

func TestEmbeddedListener(t *testing.T) {
	quiet := embeddedForTest(t, EmbedConfig{})
	if url := quiet.dial.url; url != "" {
		t.Errorf("an embedded server without Listen is at %s", url)
	}
	open := embeddedForTest(t, EmbedConfig{Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(open.dial.url)
	if !errors.Is(err, nats.ErrAuthorization) {
		nc.Close()
		t.Errorf("a connection without the credential: %v", err)
	}
}

// An embedded server that is gone ends the appends instead of letting them try
// until their time is over.
func TestAppendToADeadServer(t *testing.T) {
	dir, err := claimDir(t.TempDir(), mode{})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.release()
	s, err := startServer(t.Context(), EmbedConfig{}, dir, orDiscard(nil))
	if err != nil {
		t.Fatal(err)
	}
	l, err := open(t.Context(), orDiscard(nil), s.dialer(), choice{replicas: 1, maxBytes: 1 << 20, broken: s.broken})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it never fails
	s.stop()
	_, err = l.Append(context.Background(), Entry{Subject: "hp.e.acme.token.x", ID: domain.NewEventID(1, [10]byte{})})
	if err == nil || !strings.Contains(err.Error(), "has stopped") {
		t.Errorf("append: %v", err)
	}
}

// A barrier leaves the stream when its time is over. Facts stay, and keep
// their places; a later reader meets the gap, also after a restart.
func TestBarriersExpire(t *testing.T) {
	t.Parallel() // it mostly waits
	dir := t.TempDir()
	open := func() *JetStream {
		l, err := OpenEmbedded(t.Context(), EmbedConfig{Dir: dir, NoSync: true, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	fact := func(subject Subject) Seq {
		seq, err := l.Append(t.Context(), Entry{Subject: subject, ID: domain.NewEventID(1, [10]byte{byte(len(subject))})})
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	fact("hp.e.acme.token.a")
	short, err := l.barrier(t.Context(), "n1", nil, time.Second)
	if err != nil || short != 3 {
		t.Fatal(short, err)
	}
	long, err := l.Barrier(t.Context(), "n1", nil)
	if err != nil || long != 4 {
		t.Fatal(long, err)
	}
	fact("hp.e.acme.token.bb")
	if err := l.Close(); err != nil { // the server counts on over its own restart
		t.Fatal(err)
	}
	l = open()
	defer l.Close() //nolint:errcheck // it never fails
	for gone := false; !gone; time.Sleep(20 * time.Millisecond) {
		u, err := l.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		gone = u.Records == 4
	}
	r, err := l.Read(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]Record, 1)
	for _, want := range []Seq{1, 2, 4, 5} {
		if n, err := r.Next(t.Context(), buf); n != 1 || err != nil || buf[0].Seq != want {
			t.Fatalf("record %d came where %d was due, %v", buf[0].Seq, want, err)
		}
	}
}

func TestForeign(t *testing.T) {
	for header, foreign := range map[string]bool{
		"Nats-TTL": true, "nats-ttl": true, "Nats-Rollup": true, "Nats-Schedule": true, "Nats-Schedule-Target": true,
		"Nats-Scheduler": true, "Nats-Marker-Reason": true,
		"Nats-Msg-Id": false, "Nats-Expected-Last-Subject-Sequence": false, "Hp-Type": false, "": false, "N": false,
	} {
		if isForeign(header) != foreign {
			t.Errorf("%s: %v", header, !foreign)
		}
	}
	if got := foreignHeader(nats.Header{"Nats-TTL": nil, "Hp-Type": nil, "Nats-Rollup": nil}); got != "Nats-Rollup" {
		t.Errorf("of two: %s", got)
	}
	own := message(Entry{}).Header
	if n := testing.AllocsPerRun(100, func() { foreignHeader(own) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
