package api

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// peer is a node over a log that others share, with a link of its own.
type peer struct {
	*Service
	link *eventstoretest.Faulty
	boot *atomic.Int64 // by how much its clocks are ahead of the machine's
}

// join starts a node on the log, and waits until it answers.
func join(t *testing.T, log eventstore.Log, cfg projections.NodeConfig) *peer {
	t.Helper()
	m := &peer{link: eventstoretest.NewFaulty(log), boot: new(atomic.Int64)}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	began := time.Now()
	p := projections.Open(m.link, projections.Config{
		Logger: logger, Node: cfg,
		Boot: func() time.Duration { return time.Since(began) + time.Duration(m.boot.Load()) },
	})
	t.Cleanup(p.Close)
	m.Service = NewService(ServiceConfig{Log: m.link, Projection: p, Logger: logger})
	if err := m.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

// three joins three nodes to a new log, and makes the root token.
func three(t *testing.T) (a, b, c *peer, root domain.Secret) {
	t.Helper()
	log := eventstore.NewMemory(eventstore.MemoryConfig{Replicas: 3})
	a = join(t, log, projections.NodeConfig{Name: "a"})
	b, c = join(t, log, projections.NodeConfig{Name: "b"}), join(t, log, projections.NodeConfig{Name: "c"})
	out, err := Bootstrap(t.Context(), a.Service, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	return a, b, c, out.Secret
}

// has waits until the node has applied the revision.
func (m *peer) has(t *testing.T, at Seq) {
	t.Helper()
	if err := m.proj.Position.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

// issue issues a token with read on /device, and returns its secret.
func (m *peer) issue(t *testing.T, id domain.TokenID) (domain.Secret, Seq) {
	t.Helper()
	secret, err := m.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Do(t.Context(), m.Operator(), domain.IssueToken{
		Account: "root", Token: id, Digest: secret.Digest(),
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/device", Actions: []domain.Action{"read"}}}},
	}, WaitDefault)
	if err != nil {
		t.Fatal(err)
	}
	return secret, r.Revision
}

func (m *peer) revoke(ctx context.Context, id domain.TokenID, wait Wait) (Result, error) {
	return m.Do(ctx, m.Operator(), domain.RevokeToken{Account: "root", Token: id}, wait)
}

// code is what a check by the secret is refused with; "" if it is answered.
func (m *peer) code(secret domain.Secret) domain.Code {
	_, err := m.Check(secret, anyNeed, netip.Addr{})
	if err == nil {
		return ""
	}
	return domain.CodeOf(err)
}

// A batch is answered from one revision, by who asks as of that revision.
func TestCheckAll(t *testing.T) {
	w := newWorld(t)
	mine := w.issue("root", `{"id":"mine","permissions":{"allow":[{"resource":"/device","actions":["read"]}]}}`).Secret
	asks := `{"checks":[{"action":"read","resource":"/device/1"},{"action":"read","resource":"/bucket"},` +
		`{"action":"read","resource":"/device","secret":"` + w.root + `"},{"action":"read","resource":"/device","secret":"nonsense"}]}`
	codes := func(bearer string) (codes []string) {
		d := read[wire.Decisions](t, w.must(bearer, "POST", "/v1/checks", asks))
		for _, r := range d.Results {
			codes = append(codes, r.Code)
			if r.Revision != d.Results[0].Revision {
				t.Errorf("revisions %d and %d in one answer", d.Results[0].Revision, r.Revision)
			}
		}
		return codes
	}
	if got, want := codes(mine), []string{"granted", "no_grant", "unknown_secret", "unknown_secret"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := codes(w.root), []string{"granted", "granted", "granted", "unknown_secret"}; !slices.Equal(got, want) {
		t.Errorf("root got %q, want %q", got, want)
	}
	w.must(w.root, "DELETE", "/v1/accounts/root/tokens/mine", "")
	refusedWith(t, w.as(mine, "POST", "/v1/checks", asks), 401, "invalid_token")
}

// Past its lease a node that may serve stale says so, and how old its proof
// is, to tokens that can manage nothing; all others are refused.
func TestServeStale(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{MaxLease: 20 * time.Second})
	m := join(t, log, projections.NodeConfig{Name: "a", Lease: 10 * time.Second, ServeStale: 10 * time.Second})
	root, err := Bootstrap(t.Context(), m.Service, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := m.issue(t, "t")
	w := serving(t, m)
	ask := `{"action":"read","resource":"/device/1"}`
	m.link.Isolate()
	m.link.Stall()
	m.boot.Add(int64(11 * time.Second))
	d := read[wire.Decision](t, w.must(secret.Reveal(), "POST", "/v1/check", ask))
	if !d.Allowed || !d.Stale || d.AgeMS < 10_000 {
		t.Errorf("%+v", d)
	}
	spaced := read[wire.Decision](t, w.must(secret.Reveal(), "POST", "/v1/check", `{"action":"read","resource":"/device/1","unverified":false}`))
	all := read[wire.Decisions](t, w.must(secret.Reveal(), "POST", "/v1/checks", `{"checks":[`+ask+`]}`))
	if !spaced.Stale || !all.Results[0].Stale || all.Results[0].AgeMS < 10_000 {
		t.Errorf("the general way: %+v; a batch: %+v", spaced, all)
	}
	refusedWith(t, w.as(root.Secret.Reveal(), "POST", "/v1/check", ask), 503, "stale")
	refusedWith(t, w.as(secret.Reveal(), "GET", "/v1/whoami", ""), 503, "stale")
	if ready := read[wire.Ready](t, w.as("", "GET", "/readyz", "")); ready.Ready || ready.Lease.LeftMS != 0 {
		t.Errorf("past its lease it is ready: %+v", ready)
	}
	m.boot.Add(int64(11 * time.Second))
	refusedWith(t, w.as(secret.Reveal(), "POST", "/v1/check", ask), 503, "stale")
	refusedWith(t, w.as(secret.Reveal(), "POST", "/v1/checks", `{"checks":[`+ask+`]}`), 503, "stale")
}

// A request waits for the revision that it names, its credential included.
func TestMinRevision(t *testing.T) {
	a, b, _, root := three(t)
	w := serving(t, b)
	b.link.Stall()
	secret, at := a.issue(t, "t")
	for _, r := range []req{
		{method: "POST", path: "/v1/check", body: `{"action":"read","resource":"/device/1"}`},
		{method: "POST", path: "/v1/checks", body: `{"checks":[{"action":"read","resource":"/device/1"}]}`},
		{method: "GET", path: "/v1/whoami"},
	} {
		r.bearer, r.header = secret.Reveal(), map[string]string{minRevisionHeader: strconv.FormatUint(uint64(at), 10)}
		got := w.meanwhile(r)
		b.link.Resume()
		if a := <-got; a.status != 200 {
			t.Errorf("%s: %d %s", r.path, a.status, a.body)
		}
	}
	for _, bad := range []string{"x", "-1", "", "1.5", "007"} {
		r := req{method: "POST", path: "/v1/check", bearer: root.Reveal(), body: `{"action":"read","resource":"/a"}`, header: map[string]string{minRevisionHeader: bad}}
		refusedWith(t, w.send(r), 400, "bad_header")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.await(ctx, 1<<40); domain.CodeOf(err) != domain.CodeStale || !strings.Contains(err.Error(), "this node has revision "+strconv.FormatUint(uint64(b.Revision()), 10)) {
		t.Errorf("got %v", err)
	}
}

// The nodes are shown, with their keys, to who may read root's audit.
func TestListNodes(t *testing.T) {
	_, b, _, root := three(t)
	w := serving(t, b)
	list := read[wire.List[wire.Node]](t, w.must(root.Reveal(), "GET", "/v1/nodes", ""))
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
		if key, err := base64.StdEncoding.DecodeString(n.Key); err != nil || len(key) != 32 || n.Joined == 0 || n.LeaseMS != 12_000 || n.LeaseLeftMS <= 0 {
			t.Errorf("%+v", n)
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("the nodes are %q", names)
	}
	secret, _ := b.issue(t, "t")
	refusedWith(t, w.as(secret.Reveal(), "GET", "/v1/nodes", ""), 403, "forbidden")
	ready := read[wire.Ready](t, w.as("", "GET", "/readyz", ""))
	if !ready.Ready || ready.Lease.LengthMS != 12_000 || ready.Lease.LeftMS <= 0 || ready.RoundTrip <= 0 || ready.Tree.Size == 0 || len(ready.Tree.Root) != 64 {
		t.Errorf("%+v", ready)
	}
}

// serving gives a member a door on loopback.
func serving(t *testing.T, m *peer) *world {
	t.Helper()
	w := &world{t: t, log: m.link, proj: m.proj, svc: m.Service, stop: make(chan struct{})}
	w.h = NewHandler(m.Service, HandlerConfig{Stopping: w.stop}).(*handler)
	w.doc = w.h.document
	w.url = newServer(t, w.h, time.Minute, time.Minute).URL
	return w
}

// Where this node can't vouch for itself any more, streams of events end.
func TestEventsEndWithTheLease(t *testing.T) {
	a, _, _, root := three(t)
	w := serving(t, a)
	r := w.follow(root.Reveal(), "", "")
	a.link.Isolate()
	a.link.Stall()
	a.boot.Add(int64(time.Minute))
	rest, err := io.ReadAll(r.lines)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if !strings.Contains(string(rest), "can't vouch for being current") {
		t.Errorf("the stream ended with %q", rest)
	}
}

// A node that is behind does not answer that there is nothing to change: it
// finds out first, and changes what has changed meanwhile.
func TestNothingToChangeIsSaidByWhoKnows(t *testing.T) {
	a, b, _, _ := three(t)
	secret, _ := a.issue(t, "t")
	disable := func(m *peer) (Result, error) {
		return m.Do(t.Context(), m.Operator(), domain.DisableToken{Account: "root", Token: "t"}, WaitCommit)
	}
	r, err := disable(a)
	if err != nil {
		t.Fatal(err)
	}
	b.has(t, r.Revision)
	b.link.Stall()
	if _, err := a.Do(t.Context(), a.Operator(), domain.EnableToken{Account: "root", Token: "t"}, WaitCommit); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 1)
	b.link.OnBarrier(func(domain.NodeName, []byte) eventstoretest.Fault {
		select {
		case asked <- struct{}{}:
		default:
		}
		return eventstoretest.None
	})
	done := make(chan struct{})
	var again Result
	go func() {
		defer close(done)
		again, err = disable(b) // to b it is disabled
	}()
	<-asked
	b.link.Resume()
	<-done
	if err != nil || !again.Changed {
		t.Fatalf("got %+v, %v; want a change", again, err)
	}
	a.has(t, again.Revision)
	if got, err := a.Check(secret, anyNeed, netip.Addr{}); err == nil && got.Allowed() {
		t.Errorf("a check answers %+v, %v", got, err)
	}
}
