package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Nothing is looked for across tokens on behalf of who may not ask for it.
func TestStrangersAreRefusedCheaply(t *testing.T) {
	w := newWorld(t)
	w.must(w.root, "PUT", "/v1/catalog/types/gadget", `{"actions":[{"name":"SpinGadget","level":"write"}]}`)
	w.open("acme")
	w.issue("acme", `{"id":"spins","permissions":{"allow":[{"resource":"/gadget","actions":["SpinGadget"]}]}}`)
	secrets := map[bool]string{
		true:  w.root,
		false: w.issue("acme", `{"id":"stranger","permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`).Secret,
	}
	for _, c := range []domain.Command{
		domain.RemoveType{Name: "gadget"},
		domain.DefineType{Def: domain.TypeDef{Name: "gadget", Actions: []domain.ActionDef{{Name: "StopGadget", Level: domain.LevelWrite}}}},
	} {
		for entitled, secret := range secrets {
			by, err := w.svc.Authenticate(secret, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			change := &write{Service: w.svc, by: by, target: c.Target()}
			state, _ := w.proj.Directory.State(change.target)
			change.complete(&state, c, w.svc.now())
			if found := len(state.Users) == 1; found != entitled {
				t.Errorf("%T: %d users are looked up for who is entitled: %v", c, len(state.Users), entitled)
			}
		}
	}
	refusedWith(t, w.as(secrets[false], "DELETE", "/v1/catalog/types/gadget", ""), 403, "forbidden")
	refusedWith(t, w.as(w.root, "DELETE", "/v1/catalog/types/gadget", ""), 409, "type_in_use")
}

// meddler is a random source that does something, once, when an event's id is
// drawn.
type meddler struct {
	io.Reader
	mu sync.Mutex
	do func()
}

func (m *meddler) Read(p []byte) (int, error) {
	if len(p) == len(domain.EventID{})-6 {
		m.mu.Lock()
		do := m.do
		m.do = nil
		m.mu.Unlock()
		if do != nil {
			do()
		}
	}
	return m.Reader.Read(p)
}

// A token that is named, and changes while its batch is decided, is revoked all
// the same.
func TestBulkByIDsLeavesNobody(t *testing.T) {
	m := &meddler{Reader: rand.Reader}
	w := newBulkWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{Random: m})
	w.crowd(10, "x")
	other := NewService(ServiceConfig{Log: w.log, Projection: w.proj})
	m.mu.Lock()
	m.do = func() {
		name := "dodges"
		edit := domain.EditToken{Account: "acme", Token: "x-9", Name: &name}
		if _, err := other.Do(context.Background(), other.Operator(), edit, WaitCommit); err != nil {
			t.Error(err)
		}
	}
	m.mu.Unlock()
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprintf(`"x-%d"`, i))
	}
	r := w.bulk(`{"ids":[` + strings.Join(ids, ",") + `],"wait":"all"}`)
	if is, _ := w.proj.Directory.Token("acme", "x-9"); !is.Revoked || r.Revoked+r.Already != 10 || m.do != nil {
		t.Errorf("x-9 is %s after %+v", is.State(), r)
	}
}

// A report of a secret that is replaced meanwhile is answered when nobody lets
// it in any more, like any.
func TestAReportOfAReplacedSecretIsFenced(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	secret := w.issue("acme", `{"id":"t",`+everything+`}`).Secret
	report := leakReport{Service: w.svc, leaks: map[domain.Target]*leak{}}
	if err := report.find(0, secret, netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	w.must(w.root, "POST", "/v1/accounts/acme/tokens/t/rotate", "")
	if err := report.revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	if is, _ := w.proj.Directory.Token("acme", "t"); report.through < is.Revision || is.Revoked {
		t.Errorf("it fences at %d; the secret ended at %d, and the token is %s", report.through, is.Revision, is.State())
	}
}
