package api

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// report reports secrets, and returns the answer.
func (w *world) report(secrets ...string) wire.LeakAnswer {
	w.t.Helper()
	a := w.must("", "POST", leaksPath, `{"secrets":["`+strings.Join(secrets, `","`)+`"]}`)
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Hallpass-Wait") != "all" {
		w.t.Errorf("the answer has %v", a.header)
	}
	return read[wire.LeakAnswer](w.t, a)
}

func (w *world) show(account, id string) wire.Token {
	w.t.Helper()
	return read[wire.Token](w.t, w.must(w.root, "GET", "/v1/accounts/"+account+"/tokens/"+id, ""))
}

// Whoever holds a secret may end its token, the last manager and root included.
func TestLeaks(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	a := w.issue("acme", `{"id":"a",`+everything+`}`)
	derived := read[wire.Token](t, w.must(a.Secret, "POST", "/v1/accounts/acme/tokens/a/derive", `{"id":"below"}`))
	b := w.issue("acme", `{"id":"b"}`)
	got := w.report(a.Secret, "nonsense", b.Secret, "hp_nonsense", a.Secret)
	if want := []string{"revoked", "unknown", "revoked", "unknown", "revoked"}; !slices.Equal(got.Results, want) || got.Reported != 5 || got.Revoked != 3 {
		t.Errorf("got %+v, want %q", got, want)
	}
	for _, secret := range []string{a.Secret, b.Secret, derived.Secret} {
		refusedWith(t, w.as(secret, "GET", "/v1/whoami", ""), 401, "invalid_token")
	}
	if is := w.show("acme", "a"); is.State != "revoked" || is.Reason != "compromised" || is.ReasonText != leakReason.Text {
		t.Errorf("the token is %+v", is)
	}
	again := w.report(a.Secret)
	if again.Revoked != 0 || again.Results[0] != "unknown" {
		t.Errorf("again: %+v", again)
	}
	if got := w.report(w.root); got.Revoked != 1 {
		t.Errorf("root: %+v", got)
	}
}

// A secret that does not work is answered as unknown whatever it is, and that is
// all that its holder would find out by trying it. Its token ends all the same,
// unless the secret was replaced.
func TestLeaksOfWhatDoesNotWork(t *testing.T) {
	for _, row := range []struct {
		name  string
		stop  func(w *world)
		state string
	}{
		{"disabled", func(w *world) { w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/disable", "") }, "revoked"},
		{"expired", func(w *world) {
			w.must(w.root, "PATCH", "/v1/accounts/acme/tokens/t", `{"expires_at":"2020-01-01T00:00:00Z"}`)
		}, "revoked"},
		{"suspended", func(w *world) { w.must(w.root, "POST", "/v1/accounts/acme/suspend", "") }, "revoked"},
		{"used from elsewhere", func(w *world) {
			w.must(w.root, "PATCH", "/v1/accounts/acme/tokens/t", `{"conditions":{"allow":["192.0.2.0/24"]}}`)
		}, "revoked"},
		{"replaced", func(w *world) { w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/rotate", "") }, "active"},
		{"past its overlap", func(w *world) {
			w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/rotate", `{"overlap":60}`)
			w.advance(61_000)
		}, "active"},
		{"of an earlier generation", func(w *world) {
			w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/t", "")
			w.issue("acme", `{"id":"t"}`)
		}, "active"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			w.open("acme")
			secret := w.issue("acme", `{"id":"t"}`).Secret
			row.stop(w)
			if got := w.report(secret); got.Revoked != 0 || got.Results[0] != "unknown" {
				t.Errorf("got %+v", got)
			}
			if is := w.show("acme", "t"); is.State != row.state {
				t.Errorf("the token is %s, want %s", is.State, row.state)
			}
		})
	}
}

// What is no report is refused; what is no secret is only unknown.
func TestBadReports(t *testing.T) {
	w := newWorld(t)
	w.h.leaks = newLeakGate(1000)
	many := strings.Repeat(`"x",`, maxLeaks) + `"x"`
	for _, row := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"nothing", ``, 422, "invalid"},
		{"no secrets", `{"secrets":[]}`, 422, "invalid"},
		{"null", `{"secrets":null}`, 422, "invalid"},
		{"a text", `{"secrets":"x"}`, 422, "invalid"},
		{"another field", `{"secrets":["x"],"why":"y"}`, 422, "invalid"},
		{"over a thousand", `{"secrets":[` + many + `]}`, 422, "invalid"},
		{"no JSON", `{"secrets":`, 400, "bad_json"},
		{"too long", `{"secrets":["` + strings.Repeat("x", maxBody) + `"]}`, 413, "body_too_large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			refusedWith(t, w.as("", "POST", leaksPath, row.body), row.status, row.code)
		})
	}
	odd := read[wire.LeakAnswer](t, w.must("", "POST", leaksPath, `{"secrets":[1,null,"",{"a":["b"]},"two words","`+strings.Repeat("x", 5000)+`"]}`))
	if odd.Reported != 6 || odd.Revoked != 0 || slices.Contains(odd.Results, "revoked") {
		t.Errorf("got %+v", odd)
	}
	// A credential is not asked for, and none of those that come is judged.
	w.must("nonsense", "POST", leaksPath, `{"secrets":["x"]}`)
}

// A node takes so many reports in a minute, and says when it takes the next.
func TestReportsAreLimited(t *testing.T) {
	w := newWorld(t)
	now := time.Unix(1000, 0)
	w.h.leaks = newLeakGate(1000)
	w.h.leaks.total = newBucket(20*time.Second, 2)
	w.h.leaks.total.now = func() time.Time { return now }
	w.report("x")
	w.report("x")
	a := w.as("", "POST", leaksPath, `{"secrets":["x"]}`)
	refusedWith(t, a, 429, "rate_limited")
	if got := a.header.Get("Retry-After"); got != "20" {
		t.Errorf("Retry-After is %q", got)
	}
	now = now.Add(20 * time.Second)
	w.report("x")
}

// reportFrom reports a secret, or none, from an address.
func (w *world) reportFrom(address, secrets string) answer {
	w.t.Helper()
	return w.send(req{method: "POST", path: leaksPath, body: `{"secrets":[` + secrets + `]}`, header: map[string]string{forwardedFor: address}})
}

// What one network sends, and what is no report, keeps nobody else from
// reporting: only reports count against what a node takes.
func TestOneNetworkLeavesReportsToOthers(t *testing.T) {
	w := newWorld(t)
	w.h = NewHandler(w.svc, HandlerConfig{LeaksPerMinute: 20, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}).(*handler)
	now := time.Unix(1000, 0)
	w.h.leaks.total.now = func() time.Time { return now }
	w.doc = w.h.document
	w.url = newServer(t, w.h, time.Minute, time.Minute).URL
	for _, network := range [][]string{
		{"203.0.113.1", "203.0.113.2", "203.0.113.3"},
		{"2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"},
	} {
		for _, address := range network[:2] {
			refusedWith(t, w.reportFrom(address, ""), 422, "invalid")
		}
		a := w.reportFrom(network[2], `"x"`)
		refusedWith(t, a, 429, "rate_limited")
		if got := a.header.Get("Retry-After"); got != "30" {
			t.Errorf("Retry-After is %q", got)
		}
	}
	for n := range 40 { // twice what the node takes
		refusedWith(t, w.reportFrom(fmt.Sprintf("198.51.%d.1", n), ""), 422, "invalid")
	}
	for n := range 20 {
		if a := w.reportFrom(fmt.Sprintf("192.0.%d.1", n), `"x"`); a.status != 200 {
			t.Fatalf("report %d: %d %s", n, a.status, a.body)
		}
	}
	a := w.reportFrom("192.0.200.1", `"x"`)
	refusedWith(t, a, 429, "rate_limited")
	if got := a.header.Get("Retry-After"); got != "3" {
		t.Errorf("Retry-After is %q", got)
	}
	now = now.Add(30 * time.Second)
	if a := w.reportFrom("203.0.113.3", `"x"`); a.status != 200 {
		t.Errorf("half a minute later: %d %s", a.status, a.body)
	}
}

// However many networks report, a node remembers so many of them, the latest.
func TestTheNetworksOfReportsAreBounded(t *testing.T) {
	g := newLeakGate(1)
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for n := range 3 * leakNetworks {
				g.takeFrom(netip.AddrFrom4([4]byte{byte(part), byte(n >> 8), byte(n), 1}))
			}
		})
	}
	all.Wait()
	if got := len(g.recent) + len(g.before); got > 2*leakNetworks {
		t.Errorf("it remembers %d", got)
	}
	for _, address := range []netip.Addr{{}, netip.MustParseAddr("203.0.113.7")} {
		if wait := g.takeFrom(address); wait != 0 {
			t.Errorf("%v: %v", address, wait)
		}
		if wait := g.takeFrom(address); wait == 0 {
			t.Errorf("%v may report again", address)
		}
	}
	for n := range leakNetworks - 2 {
		g.takeFrom(netip.AddrFrom4([4]byte{100, byte(n >> 8), byte(n), 1}))
	}
	if g.takeFrom(netip.MustParseAddr("::ffff:203.0.113.9")) == 0 {
		t.Error("a network is forgotten although it was seen lately")
	}
}

func TestReportsCanBeTurnedOff(t *testing.T) {
	w := newWorld(t)
	w.h = NewHandler(w.svc, HandlerConfig{LeaksPerMinute: -1}).(*handler)
	w.doc = w.h.document
	w.url = newServer(t, w.h, time.Minute, time.Minute).URL
	refusedWith(t, w.as("", "POST", leaksPath, `{"secrets":["x"]}`), 404, "not_found")
	if strings.Contains(w.as("", "GET", "/openapi.json", "").body, leaksPath) {
		t.Error("the document has the route")
	}
}

// A reported secret is in no record, log line, metric or answer.
func TestReportedSecretsDoNotGetOut(t *testing.T) {
	w := newWorld(t)
	secret := w.issue("root", `{"id":"t"}`).Secret
	typo := secret[:len(secret)-1] + "x"
	var outside strings.Builder
	for _, body := range []string{`{"secrets":["` + secret + `","` + typo + `"]}`, `{"` + secret + `":1}`, `{"secrets":["` + secret} {
		a := w.as("", "POST", leaksPath, body)
		outside.WriteString(a.body + fmt.Sprint(a.header))
	}
	outside.WriteString(w.as("", "GET", "/metrics", "").body + w.logs.String() + w.records())
	outside.WriteString(w.must(w.root, "GET", "/v1/accounts/root/tokens/t/events", "").body)
	if strings.Contains(outside.String(), secret[3:40]) {
		t.Error("the secret got out")
	}
}

// The operator is the actor of the revoke, with the request that reported it.
func TestTheRecordOfALeak(t *testing.T) {
	w := newWorld(t)
	s := w.follow(w.root, "?type=token.revoked", "")
	secret := w.issue("root", `{"id":"t"}`).Secret
	w.send(req{method: "POST", path: leaksPath, body: `{"secrets":["` + secret + `"]}`, header: map[string]string{"X-Request-Id": "found-it"}})
	e := s.expect("token.revoked", "t")
	if !e.data.Actor.Operator || e.data.RequestID != "found-it" || e.data.Change["reason"] != "compromised" || e.data.Change["reason_text"] != leakReason.Text {
		t.Errorf("%+v", e.data)
	}
}

// A report is answered when no node lets any of the secrets in: those that
// another has revoked a moment ago too, so that to report again after a time-out
// means something.
func TestAReportWaitsForAllNodes(t *testing.T) {
	a, _, c, _ := three(t)
	one, _ := a.issue(t, "one")
	two, at := a.issue(t, "two")
	c.has(t, at)
	for _, row := range []struct {
		secret domain.Secret
		before func() Seq
		worked bool
	}{
		{one, func() Seq { return a.Revision() }, true},
		{two, func() Seq {
			r, err := a.revoke(t.Context(), "two", WaitCommit)
			if err != nil {
				t.Fatal(err)
			}
			return r.Revision
		}, false},
	} {
		c.link.Stall()
		at := row.before()
		a.link.OnSend(func(topic string, _ []byte) int {
			if topic == "fence" {
				c.link.Resume()
			}
			return 1
		})
		worked, through, err := a.RevokeLeaked(t.Context(), "r", []string{row.secret.Reveal()}, netip.Addr{})
		if err != nil || worked[0] != row.worked {
			t.Fatalf("got %v, %v; want %v", worked, err, row.worked)
		}
		if is := c.Revision(); is < at || row.worked && is <= at {
			t.Errorf("answered for revision %d while a node is at %d", through, is)
		}
		if code := c.code(row.secret); code != domain.CodeUnauthorized {
			t.Errorf("the other node answers %q", code)
		}
		a.link.OnSend(nil)
		c.link.Resume()
	}
}

// A node that is behind finds out first what was issued elsewhere.
func TestAReportKnowsWhatWasIssuedBefore(t *testing.T) {
	a, b, _, _ := three(t)
	b.link.Stall()
	secret, _ := a.issue(t, "t")
	b.link.OnBarrier(func(domain.NodeName, []byte) eventstoretest.Fault {
		b.link.Resume() // its question is on its way
		return eventstoretest.None
	})
	worked, _, err := b.RevokeLeaked(t.Context(), "r", []string{secret.Reveal()}, netip.Addr{})
	if err != nil || !worked[0] {
		t.Errorf("got %v, %v", worked, err)
	}
}

// Many at once are revoked with one fence, and two reports of the same at once
// are both right.
func TestReportsAtOnce(t *testing.T) {
	w := newWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{})
	var secrets []string
	for i := range 50 {
		secrets = append(secrets, w.issue("root", fmt.Sprintf(`{"id":"t%d"}`, i)).Secret)
	}
	body := `{"secrets":["` + strings.Join(secrets, `","`) + `"]}`
	first := w.meanwhile(req{method: "POST", path: leaksPath, body: body})
	second := w.meanwhile(req{method: "POST", path: leaksPath, body: body})
	one, two := read[wire.LeakAnswer](t, <-first), read[wire.LeakAnswer](t, <-second)
	for i, secret := range secrets {
		if one.Results[i] != "revoked" && two.Results[i] != "revoked" {
			t.Errorf("nobody was told that t%d is revoked", i)
		}
		if w.as(secret, "GET", "/v1/whoami", "").status != 401 {
			t.Errorf("t%d still works", i)
		}
	}
	if fences := strings.Count(w.as("", "GET", "/metrics", "").body, `hallpass_fences_total{outcome="acknowledged"} 2`); fences != 1 {
		t.Error("there were other than two fences")
	}
}
