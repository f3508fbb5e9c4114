package api

import (
	"fmt"
	"strings"
	"testing"

	"hallpass/api/wire"
)

const (
	acmeTokens = "/v1/accounts/acme/tokens"
	device     = `"permissions":{"allow":[{"resource":"/device","actions":["*"]}]}`
	thermo1    = `"permissions":{"allow":[{"resource":"/device/thermo1","actions":["read"]}]}`
	askThermo  = `{"action":"read","resource":"/device/thermo1"}`
)

// asks returns the code that the bearer's check is answered with: that of the
// decision, or of the refusal.
func (w *world) asks(bearer, question string) string {
	w.t.Helper()
	a := w.as(bearer, "POST", "/v1/check", question)
	if a.status == 200 {
		return read[wire.Decision](w.t, a).Code
	}
	return read[wire.Problem](w.t, a).Code
}

func (w *world) derived(bearer, parent, body string) wire.Token {
	w.t.Helper()
	return read[wire.Token](w.t, w.must(bearer, "POST", acmeTokens+"/"+parent+"/derive", body))
}

// What happens to a token happens to all that was derived from it, at once, and
// enabling brings it back.
func TestADerivedTokenLivesWithItsParent(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	parent := w.issue("acme", `{"id":"parent","expires_at":"2999-01-01T00:00:00Z",`+device+`}`)
	a := w.must(w.root, "POST", acmeTokens+"/parent/derive", `{"id":"child","name":"c",`+thermo1+`}`)
	child := read[wire.Token](t, a)
	if a.status != 201 || child.Secret == "" || child.Parent != "parent" || child.ExpiresAt == nil || !child.ExpiresAt.Equal(*parent.ExpiresAt) ||
		a.header.Get("Location") != acmeTokens+"/child" || a.header.Get("Etag") == "" {
		t.Fatalf("derived: %d %s", a.status, a.body)
	}
	leaf := w.derived(w.root, "child", `{"id":"leaf"}`)
	if fmt.Sprint(leaf.Permissions) != fmt.Sprint(child.Permissions) {
		t.Errorf("without permissions a derived token has its parent's: %+v", leaf.Permissions)
	}
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "/parent/disable", "", "invalid_token"},
		{"POST", "/parent/enable", "", "granted"},
		{"PATCH", "/parent", `{"permissions":{"deny":[{"resource":"/device/thermo1","actions":["*"]}]}}`, "denied"},
		{"PATCH", "/parent", `{"permissions":{"deny":[]}}`, "granted"},
		{"PATCH", "/parent", `{"permissions":{"allow":[{"resource":"/bucket","actions":["*"]}]}}`, "no_grant"},
		{"PATCH", "/parent", `{` + device + `}`, "granted"},
		{"PATCH", "/child", `{"conditions":{"deny":["127.0.0.0/8","::1"]}}`, "invalid_token"},
		{"PATCH", "/child", `{"conditions":null}`, "granted"},
		{"DELETE", "/parent", "", "invalid_token"},
	} {
		w.must(w.root, step.method, acmeTokens+step.path, step.body)
		if got := w.asks(leaf.Secret, askThermo); got != step.want {
			t.Errorf("after %s %s %s the leaf is answered %s, want %s", step.method, step.path, step.body, got, step.want)
		}
	}
	w.issue("acme", `{"id":"parent",`+device+`}`) // another generation is another token
	if got := w.asks(leaf.Secret, askThermo); got != "invalid_token" {
		t.Errorf("the id of its ancestor is issued again, and the leaf answers %s", got)
	}
}

func TestADecisionNamesTheAncestorThatRefused(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.issue("acme", `{"id":"parent",`+device+`}`)
	w.derived(w.root, "parent", `{"id":"child"}`)
	leaf := w.derived(w.root, "child", `{"id":"leaf"}`)
	w.must(w.root, "PATCH", acmeTokens+"/parent", `{"permissions":{"deny":[{"resource":"/device/thermo1","actions":["*"]}]}}`)
	own := w.as(leaf.Secret, "POST", "/v1/check", askThermo)
	many := read[wire.Decisions](t, w.must(leaf.Secret, "POST", "/v1/checks", `{"checks":[`+askThermo+`]}`)).Results[0]
	one := read[wire.Decision](t, own)
	if one.Ancestor != "parent" || one.Code != "denied" || one.Grant == nil || fmt.Sprint(one.Ancestors) != "[child parent]" || many.Ancestor != "parent" {
		t.Errorf("check: %s, checks: %+v", own.body, many)
	}
	w.must(w.root, "POST", acmeTokens+"/child/disable", "")
	d := read[wire.Decision](t, w.must(w.root, "POST", "/v1/check", `{"action":"read","resource":"/device/thermo1","secret":"`+leaf.Secret+`"}`))
	if d.Code != "disabled" || d.Ancestor != "child" || d.Token != "leaf" {
		t.Errorf("a disabled ancestor: %+v", d)
	}
}

func TestDeriveRefuses(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.issue("acme", `{"id":"parent","expires_at":"2999-01-01T00:00:00Z",`+thermo1+`}`)
	w.issue("acme", `{"id":"gone"}`)
	w.must(w.root, "DELETE", acmeTokens+"/gone", "")
	last := "parent"
	for i := range 8 {
		last = w.derived(w.root, last, fmt.Sprintf(`{"id":"d%d"}`, i)).ID
	}
	maker := w.issue("acme", `{"id":"maker","permissions":{"allow":[{"resource":"/token","actions":["CreateToken"]},{"resource":"/device","actions":["*"]}]}}`).Secret
	for _, row := range []struct {
		name, bearer, parent, body string
		status                     int
		code, pointer              string
	}{
		{"more than the parent has", w.root, "parent", `{` + device + `}`, 422, "invalid", "/permissions"},
		{"a later end", w.root, "parent", `{"expires_at":"2999-01-02T00:00:00Z"}`, 422, "invalid", "/expires_at"},
		{"nine deep", w.root, last, `{}`, 422, "invalid", "/parent"},
		{"no parent", w.root, "nobody", `{}`, 404, "not_found", ""},
		{"a revoked parent", w.root, "gone", `{}`, 409, "revoked", ""},
		{"an id in use", w.root, "parent", `{"id":"d0"}`, 409, "exists", ""},
		{"a parent that the caller may not look at", maker, "parent", `{}`, 403, "forbidden", ""},
		{"an unknown field", w.root, "parent", `{"parent":"x"}`, 422, "invalid", "/parent"},
		{"no id in the path", w.root, "a.b", `{}`, 400, "bad_path", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := refusedWith(t, w.as(row.bearer, "POST", acmeTokens+"/"+row.parent+"/derive", row.body), row.status, row.code)
			if row.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != row.pointer) {
				t.Errorf("the fields at fault: %+v", p.Errors)
			}
		})
	}
	self := w.derived(maker, "maker", `{"id":"mine"}`) // its own token takes no look
	if w.asks(self.Secret, askThermo) != "granted" {
		t.Error("a token can't derive one from itself")
	}
	list := w.must(w.root, "GET", acmeTokens+"?parent=parent", "").body
	if !strings.Contains(list, `"d0"`) || strings.Contains(list, `"d1"`) {
		t.Errorf("the children of parent: %s", list)
	}
}

// The last token that can manage an account's tokens takes force to be ended.
func TestTheLastManagerTakesForce(t *testing.T) {
	for _, end := range []struct{ method, path, body string }{
		{"DELETE", "/boss", ""},
		{"POST", "/boss/disable", ""},
		{"PATCH", "/boss", `{"enabled":false}`},
		{"PATCH", "/boss", `{` + device + `}`},
		{"PATCH", "/boss", `{"expires_at":"2001-01-01T00:00:00Z"}`},
	} {
		t.Run(end.method+end.path+end.body, func(t *testing.T) {
			w := newWorld(t)
			w.open("acme")
			w.issue("acme", `{"id":"boss",`+everything+`}`)
			w.must(w.root, "PATCH", acmeTokens+"/boss", `{"name":"still"}`)
			refusedWith(t, w.as(w.root, end.method, acmeTokens+end.path, end.body), 409, "last_manager")
			refusedWith(t, w.as(w.root, end.method, acmeTokens+end.path+"?force=false", end.body), 409, "last_manager")
			refusedWith(t, w.as(w.root, end.method, acmeTokens+end.path+"?force=1", end.body), 422, "invalid")
			w.must(w.root, end.method, acmeTokens+end.path+"?force=true", end.body)
		})
	}
}
