package embedded_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"hallpass/api/client"
	"hallpass/api/client/embedded"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

var quiet = slog.New(slog.DiscardHandler)

var why = domain.Reason{Code: domain.ReasonSuperseded}

// open runs an embedded node over a log, which may be stopped before the test
// ends.
func open(t *testing.T, log eventstore.Log, cfg projections.NodeConfig) *embedded.Node {
	t.Helper()
	n := embedded.Open(log, config(cfg))
	t.Cleanup(n.Projection().Close)
	if err := n.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// config is of a node whose clock is time's, also where that is a test's.
func config(cfg projections.NodeConfig) projections.Config {
	began := time.Now()
	return projections.Config{Logger: quiet, Node: cfg, Boot: func() time.Duration { return time.Since(began) + time.Hour }}
}

// writer appends facts as the operator, through a projection of its own.
type writer struct {
	t     *testing.T
	log   eventstore.Log
	p     *projections.Projection
	count int
}

func newWriter(t *testing.T, log eventstore.Log) *writer {
	p := projections.Open(log, config(projections.NodeConfig{Name: "server"}))
	t.Cleanup(p.Close)
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &writer{t: t, log: log, p: p}
	w.append("", domain.AccountOpened{})
	return w
}

// append returns the revision of the record once the writer has applied it.
func (w *writer) append(token domain.TokenID, e domain.Event) projections.Seq {
	w.t.Helper()
	w.count++
	_, last := w.p.Directory.State(domain.Target{Account: "acme", Token: token})
	f := &domain.Fact{
		ID: domain.NewEventID(1, [10]byte{byte(w.count >> 16), byte(w.count >> 8), byte(w.count)}), Time: domain.Instant(time.Now().UnixMilli()),
		Authorised: w.p.Position.At(), Account: "acme", Token: token, Event: e,
	}
	at, err := w.log.Append(w.t.Context(), eventstore.Entry{
		Subject: eventstore.SubjectOf(f), Expect: last, ID: f.ID, Type: e.Type(), Data: domain.Encode(f),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.p.Position.Wait(w.t.Context(), at); err != nil {
		w.t.Fatal(err)
	}
	return at
}

// issue makes a token that may read /bucket.
func (w *writer) issue(token domain.TokenID) (client.Secret, projections.Seq) {
	w.t.Helper()
	var random [32]byte
	copy(random[:], fmt.Sprintf("%s %d", token, w.count))
	s := domain.NewSecret(random)
	state, _ := w.p.Directory.State(domain.Target{Account: "acme", Token: token})
	at := w.append(token, domain.TokenIssued{
		Generation: state.Token.Generation + 1, Enabled: true, Kind: domain.KindAPI, Digest: s.Digest(),
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/bucket", Actions: []domain.Action{"read"}}}},
	})
	return client.Secret(s.Reveal()), at
}

var reads = client.Need{Action: "read", Resource: "/bucket/b1"}

func mayRead(t *testing.T, n *embedded.Node, s client.Secret, at projections.Seq) client.Decision {
	t.Helper()
	need := reads
	need.MinRevision = uint64(at)
	d, err := n.Check(t.Context(), s, need)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
