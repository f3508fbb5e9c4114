package nbiot

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams/a b","write":false}`)
	for _, row := range []struct {
		token, method, path string
		status              int
		message             string
	}{
		{a, "GET", "/guard/teams/a%20b/c?x=1&access_token=2", 200, `{}`},
		{a, "GET", "/guard/teams", 403, "cover"},
		{a, "POST", "/guard/teams/a%20b", 403, "cover"},
		{"", "GET", "/guard/teams/a%20b", 401, "X-API-Token"},
		{"x", "GET", "/guard/teams/a%20b", 401, "does not work"},
		{"hp_x", "GET", "/guard/teams/a%20b", 401, "does not work"},
		{a[:63], "GET", "/guard/teams/a%20b", 401, "does not work"},
		{strings.ToUpper(a), "GET", "/guard/teams/a%20b", 401, "does not work"},
		{w.session, "DELETE", "/guard/teams/a%20b", 200, `{}`},
		{w.session, "GET", "/guard", 200, `{}`},
		{w.session, "GET", "/guard/", 200, `{}`},
		{a, "GET", "/guardian/teams/a%20b", 404, "path"},
		// What can't be read in one way only is nobody's.
		{w.session, "GET", "/guard/teams/", 403, "cover"},
		{w.session, "GET", "/guard/*", 403, "cover"},
		{w.session, "GET", "/guard/" + strings.Repeat("x/", 16) + "x", 403, "cover"},
		{"", "GET", "/guard/teams/", 401, "X-API-Token"},
		{"x", "GET", "/guard/teams/", 401, "does not work"},
		{w.session, "GET", "/guard/teams/%2e%2e/x", 403, "path"},
		{w.session, "GET", "/guard/teams%2fx", 403, "path"},
		{w.session, "GET", "/guard//teams", 403, "path"},
		{w.session, "GET", "/guard/teams;x", 403, "path"},
	} {
		t.Run(row.method+" "+row.path[:min(len(row.path), 40)], func(t *testing.T) {
			w.as(row.token, row.method, row.path, "").is(t, row.status, row.message)
		})
	}
	w.send("GET", "/nbiot/guard/teams/a%20b", "", "Authorization", "Bearer "+a).is(t, 200, `{}`)
	head := w.as(a, "HEAD", "/guard/teams/a%20b", "")
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != "2" {
		t.Errorf("HEAD: %d %q", head.status, head.body)
	}
}

// Clients ask GET / at their start: 401 alone means that the token is bad.
func TestPing(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	for _, token := range []string{a, w.session, w.root} {
		w.as(token, "GET", "/", "").is(t, 200, `{}`)
	}
	w.as(a, "GET", "", "").is(t, 200, `{}`)
	w.as("", "GET", "/", "").is(t, 401, "X-API-Token")
	w.as(strings.Repeat("0", 64), "GET", "/", "").is(t, 401, "does not work")
	w.native(w.root, "POST", "/v1/accounts/acme/suspend", "")
	w.as(a, "GET", "/", "").is(t, 401, "does not work")
}

// The same handler serves at the root of a listener of its own.
func TestTheRootOfAListener(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(New(w.svc, Config{}))
	defer srv.Close()
	w.url = srv.URL
	w.send("GET", "", "", "X-API-Token", w.session).is(t, 200, `{}`)
	w.send("GET", "/tokens", "", "X-API-Token", w.session).is(t, 200, `{"tokens":[]}`)
	w.send("GET", "/guard/x", "", "X-API-Token", w.session).is(t, 200, `{}`)
	w.send("GET", "/nbiot/tokens", "", "X-API-Token", w.session).is(t, 404, "path")
}

// A node that can't vouch for being current says so, and lets nobody pass.
func TestANodeThatIsCutOff(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	w.proj.Close()
	w.as(a, "GET", "/guard/teams", "").is(t, 503, "current")
	w.as(a, "GET", "/", "").is(t, 503, "current")
	w.as(w.session, "GET", "/tokens", "").is(t, 503, "current")
	w.as(w.session, "POST", "/tokens", teams).is(t, 503, "current")
}

// A path is every account's: the answer names the token's, and a guard of one
// account lets nobody else's tokens through.
func TestGuardOfOneAccount(t *testing.T) {
	w := newWorld(t)
	ours := w.create(w.session, `{"resource":"/","write":true}`)
	theirs := w.create(w.open("other"), `{"resource":"/","write":true}`)
	guarded := New(w.svc, Config{Guarded: "acme"})
	for _, row := range []struct {
		token, account string
		guarded        int
	}{{ours, "acme", 200}, {theirs, "other", 403}} {
		if a := w.as(row.token, "DELETE", "/guard/teams/17", ""); a.status != 200 || a.header.Get("Hallpass-Account") != row.account {
			t.Errorf("of %s: %d, account %q", row.account, a.status, a.header.Get("Hallpass-Account"))
		}
		r := httptest.NewRequest(http.MethodDelete, "/guard/teams/17", nil)
		r.Header.Set("X-API-Token", row.token)
		rec := httptest.NewRecorder()
		guarded.ServeHTTP(rec, r)
		if rec.Code != row.guarded || rec.Code == 403 && rec.Header().Get("Hallpass-Account") != "" {
			t.Errorf("of %s, at the guard of acme: %d %v", row.account, rec.Code, rec.Header())
		}
	}
}

// A secret in a tag is found wherever in a run of digits it begins.
func TestASecretInATagIsFoundAnywhere(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":false}`)
	for _, before := range []string{"", "0", "id", "abcdef"} {
		w.as(w.session, "PATCH", "/tokens/"+a, `{"tags":{"note":"`+before+a+`ff"}}`).is(t, 400, "")
	}
	if got := w.as(w.session, "PATCH", "/tokens/"+a, `{"tags":{"note":"`+strings.Repeat("0", 70)+`"}}`); got.status != 200 {
		t.Errorf("digits that are nobody's: %d %s", got.status, got.body)
	}
}
