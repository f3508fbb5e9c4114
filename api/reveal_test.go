package api

import (
	"context"
	"encoding/base64"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// keyed is a world with a keyring that a test may change.
type keyed struct {
	*world
	ring atomic.Pointer[Keyring]
}

func newKeyed(t *testing.T, open func(testing.TB, eventstore.Log, ServiceConfig) *world, k *Keyring) *keyed {
	t.Helper()
	w := &keyed{}
	w.ring.Store(k)
	w.world = open(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{Keyring: w.ring.Load})
	return w
}

// keep issues a revealable token with read on /device, and returns its secret.
func keep(t *testing.T, s *Service, account domain.AccountID, id domain.TokenID, change func(*domain.IssueToken)) domain.Secret {
	t.Helper()
	secret, err := s.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.seal(account, id, secret)
	if err != nil {
		t.Fatal(err)
	}
	c := domain.IssueToken{
		Account: account, Token: id, Digest: secret.Digest(), Sealed: sealed,
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/device", Actions: []domain.Action{"read"}}}},
	}
	if change != nil {
		change(&c)
	}
	if _, err := s.Do(t.Context(), s.Operator(), c, WaitDefault); err != nil {
		t.Fatal(err)
	}
	return secret
}

// types returns the types of a token's records that took effect, oldest first.
func (w *world) types(account, token string) string {
	w.t.Helper()
	var types []string
	for _, e := range read[wire.List[wire.Event]](w.t, w.must(w.root, "GET", "/v1/accounts/"+account+"/tokens/"+token+"/events", "")).Items {
		if e.Void == "" {
			types = append(types, strings.TrimPrefix(e.Type, "token."))
		}
	}
	return strings.Join(types, " ")
}

func TestReveal(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	w.open("acme")
	secret := keep(t, w.svc, "acme", "t", nil)
	a := w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/reveal", "")
	got := read[wire.Revealed](t, a)
	if got.Secret != secret.Reveal() || got.Account != "acme" || got.ID != "t" || got.Generation != 1 {
		t.Errorf("got %s/%s, generation %d, the right secret: %v", got.Account, got.ID, got.Generation, got.Secret == secret.Reveal())
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be kept by caches")
	}
	events := read[wire.List[wire.Event]](t, w.must(w.root, "GET", "/v1/accounts/acme/tokens/t/events", "")).Items
	if last := events[len(events)-1]; last.Type != "token.revealed" || last.Revision != got.Revision || last.Actor.Account != "root" || last.Actor.Token != "root" {
		t.Errorf("the record behind it: %+v", last)
	}
	if tok := read[wire.Token](t, w.must(w.root, "GET", "/v1/accounts/acme/tokens/t", "")); tok.Revision >= got.Revision {
		t.Error("to be shown changes the token")
	}
	if strings.Contains(w.logs.String()+w.records()+w.send(req{method: "GET", path: "/metrics"}).body, secret.Reveal()[3:40]) {
		t.Error("the secret got out by another way than the answer")
	}

	// The newest one is shown, while an older one lives.
	second, err := w.svc.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := w.svc.seal("acme", "t", second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Do(t.Context(), w.svc.Operator(), domain.RotateToken{Account: "acme", Token: "t", Digest: second.Digest(), Overlap: 60_000, Sealed: sealed}, WaitDefault); err != nil {
		t.Fatal(err)
	}
	if got := read[wire.Revealed](t, w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/reveal", "{}")); got.Secret != second.Reveal() {
		t.Error("another secret than the newest one is shown")
	}
	w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/disable", "")
	if got := read[wire.Revealed](t, w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/reveal", "")); got.Secret != second.Reveal() {
		t.Error("a disabled token's secret is not shown")
	}
	if got := w.types("acme", "t"); got != "issued revealed rotated revealed disabled revealed" {
		t.Errorf("the records are: %s", got)
	}
	fixed := keep(t, w.svc, "acme", "fixed", func(c *domain.IssueToken) { c.Immutable = true })
	if got := read[wire.Revealed](t, w.must(w.root, "POST", "/v1/accounts/acme/tokens/fixed/reveal", "")); got.Secret != fixed.Reveal() {
		t.Error("an immutable token's secret is not shown")
	}
}

func TestRevealRefuses(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	w.open("acme")
	w.open("shut")
	keep(t, w.svc, "acme", "kept", nil)
	keep(t, w.svc, "acme", "strong", func(c *domain.IssueToken) {
		c.Permissions.Allow = []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}}
	})
	keep(t, w.svc, "acme", "gone", nil)
	keep(t, w.svc, "shut", "t", nil)
	keep(t, w.svc, "acme", "moved", func(c *domain.IssueToken) {
		sealed, err := w.svc.seal("acme", "kept", domain.NewSecret([32]byte{9})) // the box of another token
		if err != nil {
			t.Fatal(err)
		}
		c.Sealed = sealed
	})
	w.issue("acme", `{"id":"plain"}`)
	w.ring.Store(ring("lost", "a"))
	keep(t, w.svc, "acme", "keyless", func(c *domain.IssueToken) {
		sealed, err := ring("lost").seal("acme", "keyless", domain.NewSecret([32]byte{8}))
		if err != nil {
			t.Fatal(err)
		}
		c.Digest, c.Sealed = domain.NewSecret([32]byte{8}).Digest(), sealed
	})
	w.ring.Store(ring("a"))
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/gone", "")
	w.must(w.root, "POST", "/v1/accounts/shut/close", "")
	grant := func(id, resource, action string) string {
		return w.issue("acme", `{"id":"`+id+`","permissions":{"allow":[{"resource":"/device","actions":["read"]},{"resource":"`+resource+`","actions":["`+action+`"]}]}}`).Secret
	}
	may, other := grant("may", "/token", "RevealToken"), grant("other", "/token", "read")
	one := grant("one", "/token/kept", "RevealToken")
	w.must(may, "POST", "/v1/accounts/acme/tokens/kept/reveal", "")
	w.must(one, "POST", "/v1/accounts/acme/tokens/kept/reveal", "")
	for _, row := range []struct {
		bearer, token string
		status        int
		code          string
	}{
		{other, "acme/tokens/kept", 403, "forbidden"},
		{one, "acme/tokens/plain", 403, "forbidden"},
		{other, "acme/tokens/none", 403, "forbidden"},
		{other, "acme/tokens/keyless", 403, "forbidden"}, // not what is in the box
		{other, "acme/tokens/moved", 403, "forbidden"},
		{may, "acme/tokens/strong", 403, "forbidden"}, // it may do more than the caller
		{may, "shut/tokens/t", 403, "forbidden"},
		{may, "acme/tokens/plain", 409, "not_revealable"},
		{may, "acme/tokens/gone", 409, "revoked"},
		{may, "acme/tokens/none", 404, "not_found"},
		{w.root, "none/tokens/t", 404, "not_found"},
		{w.root, "shut/tokens/t", 409, "account_closed"},
		{may, "acme/tokens/keyless", 503, "key_missing"},
		{may, "acme/tokens/moved", 500, "internal"},
		{may, "acme/tokens/a.b", 400, "bad_path"},
	} {
		refusedWith(t, w.as(row.bearer, "POST", "/v1/accounts/"+row.token+"/reveal", ""), row.status, row.code)
	}
	p := refusedWith(t, w.as(may, "POST", "/v1/accounts/acme/tokens/kept/reveal", `{"why":"so"}`), 422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/why" {
		t.Errorf("a field that is not taken: %+v", p)
	}
	for _, id := range []string{"keyless", "moved", "plain", "strong"} {
		if got := w.types("acme", id); got != "issued" {
			t.Errorf("%s was not shown, and its records are: %s", id, got)
		}
	}
	if log := w.logs.String(); !strings.Contains(log, "opening the secret of token moved in account acme") {
		t.Error("the log does not say which secret could not be opened")
	}
}

// Who lost the right before the record of it is shown nothing.
func TestAVoidRevealShowsNothing(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	w.open("acme")
	secret := keep(t, w.svc, "acme", "t", nil)
	actor := w.issue("acme", `{"id":"actor",`+everything+`}`).Secret
	there, release := w.hold("token.revealed")
	got := w.meanwhile(req{method: "POST", path: "/v1/accounts/acme/tokens/t/reveal", bearer: actor})
	<-there
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/actor?force=true", "")
	release()
	a := <-got
	refusedWith(t, a, 403, "actor_revoked")
	if strings.Contains(a.body, secret.Reveal()[3:40]) {
		t.Error("it was shown all the same")
	}
	if got := w.types("acme", "t"); got != "issued" {
		t.Errorf("the records that count: %s", got)
	}
}

// No record, or none that is known of, no secret; a record whose answer was
// lost is a record.
func TestASecretIsShownOnlyBehindItsRecord(t *testing.T) {
	for _, row := range []struct {
		fault eventstoretest.Fault
		code  domain.Code // "": it is shown
	}{
		{eventstoretest.None, ""},
		{eventstoretest.LoseAck, ""},
		{eventstoretest.Conflict, ""},
		{eventstoretest.Repeat, ""},
		{eventstoretest.LoseSend, domain.CodeUnknown},
		{eventstoretest.Full, domain.CodeStreamFull},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newKeyed(t, newQuietWorldOver, ring("a"))
			want := keep(t, w.svc, domain.RootAccount, "t", nil)
			w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return row.fault })
			got, r, err := w.svc.Reveal(t.Context(), w.svc.Operator(), domain.RootAccount, "t")
			if row.code != "" {
				if domain.CodeOf(err) != row.code || !got.IsZero() {
					t.Errorf("fault %d: got %v, a secret: %v", row.fault, err, !got.IsZero())
				}
				return
			}
			if err != nil || got != want || r.Revision == 0 {
				t.Errorf("fault %d: got %v", row.fault, err)
			}
		})
	}
}

// The secret that is answered is the one that its record names, whatever
// happens in between.
func TestARevealThatARotationOvertakesShowsTheNewSecret(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	keep(t, w.svc, domain.RootAccount, "t", nil)
	second := domain.NewSecret([32]byte{2})
	sealed, err := w.svc.seal(domain.RootAccount, "t", second)
	if err != nil {
		t.Fatal(err)
	}
	there, release := w.hold("token.revealed")
	type shown struct {
		secret domain.Secret
		err    error
	}
	done := make(chan shown, 1)
	go func() {
		secret, _, err := w.svc.Reveal(context.Background(), w.svc.Operator(), domain.RootAccount, "t")
		done <- shown{secret, err}
	}()
	<-there
	// As another node would: past the turns of this one.
	other := node(t, w.log.Log)
	if _, err := other.Do(t.Context(), other.Operator(), domain.RotateToken{Account: domain.RootAccount, Token: "t", Digest: second.Digest(), Sealed: sealed}, WaitDefault); err != nil {
		t.Fatal(err)
	}
	release()
	if got := <-done; got.err != nil || got.secret != second {
		t.Errorf("got %v, the new secret: %v", got.err, got.secret == second)
	}
	if got := w.types("root", "t"); got != "issued rotated revealed" {
		t.Errorf("the records: %s", got)
	}
}

// A node without the keyring does all but show and seal.
func TestReplayWithoutKeyring(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	secret := keep(t, w.svc, domain.RootAccount, "t", nil)
	bare := newKeyedOver(t, w.log.Log, nil)
	if d, err := bare.svc.Check(secret, anyNeed, netip.Addr{}); err != nil || d.Verdict == domain.UnknownSecret {
		t.Errorf("the token is not known: %v", err)
	}
	if _, _, err := bare.svc.Reveal(t.Context(), bare.svc.Operator(), domain.RootAccount, "t"); domain.CodeOf(err) != domain.CodeKeyMissing {
		t.Errorf("got %v", err)
	}
	if _, err := bare.svc.Do(t.Context(), bare.svc.Operator(), domain.DisableToken{Account: domain.RootAccount, Token: "t"}, WaitDefault); err != nil {
		t.Errorf("it can't be disabled: %v", err)
	}
	bare.ring.Store(ring("a")) // the file was put in its place
	if got, _, err := bare.svc.Reveal(t.Context(), bare.svc.Operator(), domain.RootAccount, "t"); err != nil || got != secret {
		t.Errorf("with the keyring: %v", err)
	}
}

func TestShowKeyring(t *testing.T) {
	w := newKeyed(t, newWorldOver, ring("a"))
	w.open("acme")
	w.open("shut")
	keep(t, w.svc, "acme", "one", nil)
	keep(t, w.svc, "acme", "two", nil)
	keep(t, w.svc, "acme", "ended", nil)
	keep(t, w.svc, "shut", "t", nil)
	w.ring.Store(ring("a", "b"))
	keep(t, w.svc, "acme", "three", nil)
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/ended", "")
	w.must(w.root, "POST", "/v1/accounts/shut/close", "")
	counted := func(bearer string) string {
		a := w.must(bearer, "GET", "/v1/keyring", "")
		k := read[wire.Keyring](t, a)
		out := k.Current + ":"
		for _, key := range k.Keys {
			out += " " + key.ID
			if key.Current {
				out += "*"
			}
			if !key.Here {
				out += "?"
			}
			if key.Here != (key.CreatedAt != nil) {
				t.Errorf("%s was created at %v", key.ID, key.CreatedAt)
			}
			out += strings.Repeat("+", key.Secrets)
		}
		if strings.Contains(a.body, base64.StdEncoding.EncodeToString([]byte("kakaka"))) || strings.Contains(a.body, "kaka") {
			t.Error("a key is shown")
		}
		return out
	}
	if got := counted(w.root); got != "b: a++ b*+" {
		t.Errorf("got %s", got)
	}
	w.ring.Store(ring("c"))
	if got := counted(w.root); got != "c: c* a?++ b?+" {
		t.Errorf("with another keyring: %s", got)
	}
	w.ring.Store(nil)
	if got := counted(w.root); got != ": a?++ b?+" {
		t.Errorf("with none: %s", got)
	}
	auditor := w.issue("root", `{"permissions":{"allow":[{"resource":"/audit","actions":["ReadAudit"]}]}}`).Secret
	counted(auditor)
	elsewhere := w.issue("acme", `{"permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`).Secret
	refusedWith(t, w.as(elsewhere, "GET", "/v1/keyring", ""), 403, "forbidden")
	nobody := w.issue("root", `{}`).Secret
	refusedWith(t, w.as(nobody, "GET", "/v1/keyring", ""), 403, "forbidden")
	refusedWith(t, w.as("", "GET", "/v1/keyring", ""), 401, "missing_token")
}
