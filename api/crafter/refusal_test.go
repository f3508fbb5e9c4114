package crafter

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hallpass/domain"
)

const (
	missing = "Access token ID param missing from request"
	day     = 24 * 60 * 60 * 1000
)

func noToken(id string) string { return `No access token found for ID "` + id + `"` }

// Each row of the platform's table of refusals, at each operation.
func TestRefusedCallers(t *testing.T) {
	w := newWorld(t)
	plain := w.create(w.master, `{"application":"crafterengine","tenantPermissions":[{"allowedActions":["*"]}]}`)
	past := w.create(w.master, `{"application":"Old \"app\"","master":true,"expiresOn":"2024-01-01T23:59:59.999Z","tenantPermissions":[{"allowedActions":["*"]}]}`)
	dead := w.create(w.master, `{"application":"dead","master":true}`)
	w.as(w.master, "POST", "/"+dead+"/delete", "").is(t, 200, "")
	gone := `Access token "` + past + `" for application "Old "app"" expired on 01/01/2024`
	for _, op := range []struct{ method, path, action string }{
		{"POST", "/create", "CREATE_TOKEN"}, {"GET", "/all", "READ_TOKEN"}, {"GET", "/" + plain, "READ_TOKEN"}, {"GET", "/" + chosen, "READ_TOKEN"},
		{"POST", "/" + plain + "/delete", "DELETE_TOKEN"}, {"POST", "/" + chosen + "/delete", "DELETE_TOKEN"},
	} {
		for _, suffix := range []string{"", ".json"} {
			path, body := op.path+suffix, `{"application":"x"}`
			w.send(op.method, tokens+path, body).refuses(t, 403, "ACCESS_DENIED", missing)
			w.as("", op.method, path, body).refuses(t, 403, "ACCESS_DENIED", missing)
			w.send(op.method, tokens+path, body, "accessTokenId", w.master, "Authorization", "Bearer "+w.master, "Cookie", "accessTokenId="+w.master).refuses(t, 403, "ACCESS_DENIED", missing)
			for _, id := range []string{"x", "hp_x", chosen, w.master[:35], strings.ToUpper(w.master), w.master + " ", "\x00", "ü", dead} {
				w.as(id, op.method, path, body).refuses(t, 403, "ACCESS_DENIED", noToken(id))
			}
			w.as(past, op.method, path, body).refuses(t, 403, "ACCESS_DENIED", gone)
			w.as(plain, op.method, path, body).says(t, 403, "ACTION_DENIED", op.action)
			w.send(op.method, tokens+path+"?accessTokenId="+w.master+"&accessTokenId="+plain, body).says(t, 403, "ACCESS_DENIED", "twice")
		}
	}
	if got := len(w.list(w.master)); got != 3 {
		t.Errorf("%d tokens are listed", got)
	}
	w.filter("", "a", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", missing)
	w.filter("x", "a", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", noToken("x"))
	w.filter(dead, "a", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", noToken(dead))
	w.filter(past, "a", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", gone)
}

// A token ends when expiresOn has come, and one that is born expired is there
// and opens nothing.
func TestExpiry(t *testing.T) {
	w := newWorld(t)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	id := w.create(w.master, `{"application":"studio","expiresOn":"`+end.Format(time.RFC3339Nano)+`","tenantPermissions":[{"allowedActions":["*"]}]}`)
	w.filter(id, "a", "READ_TENANT").is(t, 200, "")
	w.advance(time.Hour.Milliseconds())
	w.filter(id, "a", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", `Access token "`+id+`" for application "studio" expired on `+end.Format("01/02/2006"))
	born := w.create(w.master, `{"application":"born","expiresOn":"1999-12-31"}`)
	w.filter(born, "", "X").refuses(t, 403, "ACCESS_DENIED", `Access token "`+born+`" for application "born" expired on 12/31/1999`)
	if got := len(w.list(w.master)); got != 3 {
		t.Errorf("%d tokens are listed", got)
	}
	w.as(w.master, "POST", "/create", `{"application":"x","id":"`+born+`"}`).says(t, 409, "ACCESS_TOKEN_EXISTS")
	w.as(w.master, "POST", "/"+born+"/delete", "").is(t, 200, "")
	// A native token tells nothing of its end.
	native := w.native(w.root, "POST", "/v1/accounts/crafter/tokens", `{"name":"n","expires_at":"2001-01-01T00:00:00Z"}`)["secret"].(string)
	w.filter(native, "a", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", noToken(native))
}

func TestTheAccountAtOnce(t *testing.T) {
	w := newWorld(t)
	w.native(w.root, "POST", "/v1/accounts/crafter/suspend", "")
	w.as(w.master, "GET", "/all", "").refuses(t, 403, "ACCESS_DENIED", noToken(w.master))
	w.filter(w.root, "a", "READ_TENANT").says(t, 403, "ACTION_DENIED", "READ_TENANT")
	w.native(w.root, "POST", "/v1/accounts/crafter/resume", "")
	w.filter(w.root, "a", "READ_TENANT").is(t, 200, "")
	if got := len(w.list(w.master)); got != 1 {
		t.Errorf("%d tokens are listed", got)
	}
	w.native(w.root, "POST", "/v1/accounts/crafter/close", "")
	w.filter(w.root, "a", "READ_TENANT").says(t, 403, "ACTION_DENIED", "READ_TENANT")
	w.as(w.root, "POST", "/create", `{"application":"x"}`).says(t, 403, "ACCESS_DENIED", "closed")
}

// Masters manage tokens and nothing else; what is none does not, whatever it
// may do elsewhere.
func TestWhoManages(t *testing.T) {
	w := newWorld(t)
	w.filter(w.master, "a", "READ_TENANT").says(t, 403, "ACTION_DENIED", "READ_TENANT", `"a"`)
	w.filter(w.master, "", "CREATE_TENANT").says(t, 403, "ACTION_DENIED", "CREATE_TENANT", `"*"`)
	wide := w.create(w.master, `{"application":"wide","tenantPermissions":[{"allowedActions":["*"]}]}`)
	w.filter(wide, "a", "DELETE_TENANT").is(t, 200, "")
	second := w.create(w.master, `{"application":"second","master":true}`)
	w.create(second, `{"application":"third","master":true,"tenantPermissions":[{"allowedActions":["*"]}]}`)
	w.create(w.root, `{"application":"by root"}`)

	w.native(w.root, "POST", "/v1/accounts", `{"id":"acme"}`)
	all := `{"permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`
	foreign := w.native(w.root, "POST", "/v1/accounts/acme/tokens", all)["secret"].(string)
	narrow := w.native(w.root, "POST", "/v1/accounts/crafter/tokens", `{"permissions":{"allow":[{"resource":"/token","actions":["CreateToken","ListTokens","ReadTokenConfig"]}]}}`)["secret"].(string)
	for id, status := range map[string]int{foreign: 403, narrow: 200} {
		a := w.as(id, "POST", "/create", `{"application":"x"}`)
		if a.status != status {
			t.Errorf("create: %d %s", a.status, a.body)
		}
		w.as(id, "POST", "/create", `{"application":"x","tenantPermissions":[{"allowedActions":["X"]}]}`).says(t, 403, "ACTION_DENIED", "CREATE_TOKEN")
		w.as(id, "POST", "/create", `{"application":"x","master":true}`).says(t, 403, "ACTION_DENIED", "CREATE_TOKEN")
		w.as(id, "GET", "/all", "").says(t, 403, "ACTION_DENIED", "READ_TOKEN")
		w.as(id, "GET", "/"+wide, "").says(t, 403, "ACTION_DENIED", "READ_TOKEN")
		w.as(id, "POST", "/"+wide+"/delete", "").says(t, 403, "ACTION_DENIED", "DELETE_TOKEN")
		w.filter(id, "a", "READ_TENANT").says(t, 403, "ACTION_DENIED", "READ_TENANT")
	}
	// A master is not a manager natively: it can't edit or issue wider by name.
	for _, r := range [][3]string{
		{"GET", "/v1/accounts/acme/tokens", ""}, {"POST", "/v1/accounts/acme/tokens", all}, {"POST", "/v1/accounts/crafter/suspend", ""}, {"GET", "/v1/accounts/crafter/tokens/" + w.nativeID(wide) + "/events", ""},
	} {
		if a := w.send(r[0], r[1], r[2], "Authorization", "Bearer "+w.master); a.status != 403 {
			t.Errorf("natively %s %s: %d %s", r[0], r[1], a.status, a.body)
		}
	}
}

// Deleting the last master that works would lock everyone out.
func TestTheLastMasterStays(t *testing.T) {
	w := newWorld(t)
	past := w.create(w.master, `{"application":"past","master":true,"expiresOn":1}`)
	soon := w.create(w.master, `{"application":"soon","master":true,"expiresOn":`+msAfter(day)+`}`)
	dead := w.create(w.master, `{"application":"dead","master":true}`)
	w.as(w.master, "POST", "/"+dead+"/delete", "").is(t, 200, "")
	w.advance(2 * day)
	for _, by := range []string{w.master, w.root} {
		w.as(by, "POST", "/"+w.master+"/delete", "").says(t, 403, "ACTION_DENIED", "DELETE_TOKEN", "master")
	}
	w.as(w.master, "POST", "/"+past+"/delete", "").is(t, 200, "")
	w.as(w.master, "POST", "/"+soon+"/delete", "").is(t, 200, "")
	if got := w.list(w.master); len(got) != 1 || *got[0].ID != w.master {
		t.Errorf("%d tokens are listed", len(got))
	}
	next := w.create(w.master, `{"application":"next","master":true}`)
	w.as(w.master, "POST", "/"+w.master+"/delete", "").is(t, 200, "")
	w.as(next, "POST", "/"+next+"/delete", "").says(t, 403, "ACTION_DENIED", "DELETE_TOKEN")
}

func msAfter(ms int64) string {
	return time.UnixMilli(time.Now().UnixMilli() + ms).UTC().Format(`"2006-01-02T15:04:05.000Z"`)
}

// Ids that could be guessed are refused, unless the operator allows them; those
// that no path names, always.
func TestChosenIDs(t *testing.T) {
	w := newWorld(t)
	lax := newWorldWith(t, setup{ring: keyring(t), weak: true})
	lax.master = lax.create(lax.root, `{"application":"m","master":true,"id":"m"}`)
	for _, id := range []string{"x", "studio", "2ba3ac10-c43e-11e3-9c1a", "e8f5170c877b416f", strings.Repeat("0", 64)} {
		body := `{"application":"x","id":"` + id + `"}`
		w.as(w.master, "POST", "/create", body).says(t, 400, "PARAM_DESERIALIZATION_ERROR", "guess")
		lax.create(lax.master, body)
		lax.as("m", "GET", "/"+id, "").is(t, 200, `{"application":"x","master":false,"tenantPermissions":[],"expiresOn":null,"id":"`+id+`"}`)
		lax.as("m", "POST", "/"+id+"/delete", "").is(t, 200, "")
	}
	w.create(w.master, `{"application":"x","id":"e8f5170c877b416fb70f4b09772f8e2d"}`)
	shipped := `{"application":"x","id":"2ba3ac10-c43e-11e3-9c1a-0800200c9a66"}`
	w.as(w.master, "POST", "/create", shipped).says(t, 400, "PARAM_DESERIALIZATION_ERROR", "everybody")
	lax.create(lax.master, shipped)
	for _, id := range []string{"a/b", `a\\b`, "a;b", "a?b", "a#b", "a%b", "a b", "ü", "a\\u0000", "all", "create", "..", "a.json", strings.Repeat("x", 513), "hp_x"} {
		lax.as("m", "POST", "/create", `{"application":"x","id":"`+id+`"}`).says(t, 400, "PARAM_DESERIALIZATION_ERROR", "id")
	}
	// Words that happen to be weak ids may stand in names.
	lax.create("m", `{"application":"m and x","tenantPermissions":[{"tenant":"m","allowedActions":["x"]}],"id":"x"}`)
}

func TestPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"", "/", "/x/y", "/create/x", "/all/delete/x", "/x/delete/", "/all/"} {
		for _, method := range []string{"GET", "POST"} {
			if a := w.as(w.master, method, path, ""); a.status != 404 && a.status != 405 {
				t.Errorf("%s %q: %d %s", method, path, a.status, a.body)
			}
		}
	}
	for path, allowed := range map[string]string{"/create": "POST", "/all": "GET", "/" + chosen: "GET", "/" + chosen + "/delete": "POST"} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if method == allowed {
				continue
			}
			a := w.as(w.master, method, path, "")
			a.says(t, 405, "OTHER", "method")
			if a.header.Get("Allow") != allowed {
				t.Errorf("%s allows %q", path, a.header.Get("Allow"))
			}
		}
	}
	w.as(w.master, "GET", "/a%2fb", "").says(t, 400, "OTHER", "path")
	w.send("GET", tokens+"/all?accessTokenId=%zz", "").says(t, 400, "PARAM_DESERIALIZATION_ERROR", "parameters")
	w.form(tokens+"/"+chosen+"/delete", "accessTokenId", w.master).is(t, 200, "")
	w.form(tokens+"/"+chosen+"/delete?accessTokenId="+w.master, "accessTokenId", w.master).is(t, 200, "")
	w.form(tokens+"/"+chosen+"/delete?accessTokenId="+w.master, "accessTokenId", chosen).says(t, 403, "ACCESS_DENIED", "twice")
	w.send("GET", "/crafter-profile/api/1/profile", "").says(t, 404, "OTHER", "path")
	a := w.as(w.master, "POST", "/create", `{"application":"`+strings.Repeat("x", 1<<20)+`"}`)
	a.says(t, 400, "PARAM_DESERIALIZATION_ERROR", "1 MiB")
}

// The same handler serves at the root of a listener of its own, for another
// account.
func TestTheRootOfAListener(t *testing.T) {
	w := newWorld(t)
	srv := httptest.NewServer(New(w.svc, Config{Account: "profile"}))
	defer srv.Close()
	w.url = srv.URL
	at := "/api/1/access_token"
	w.send("GET", at+"/all?accessTokenId="+w.root, "").is(t, 200, `[]`)
	w.send("POST", at+"/"+chosen+"/delete?accessTokenId="+w.root, "").is(t, 200, ``)
	made := w.created(w.send("POST", at+"/create?accessTokenId="+w.root, `{"application":"x","tenantPermissions":[{"allowedActions":["*"]}]}`))
	if at, _ := w.svc.Holder(*made.ID); at.Account != domain.AccountID("profile") {
		t.Errorf("the token is in the account %q", at.Account)
	}
	w.send("GET", "/api/1/filter?action=X&accessTokenId="+*made.ID, "").is(t, 200, "")
	w.send("GET", "/api/1/filter?action=X&accessTokenId="+w.root, "").is(t, 200, "")
	w.send("GET", at+"/all?accessTokenId="+w.master, "").says(t, 403, "ACTION_DENIED", "READ_TOKEN")
}

// A node that can't vouch for being current says so, and lets nobody pass.
func TestANodeThatIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.proj.Close()
	w.filter(w.master, "a", "READ_TENANT").says(t, 503, "OTHER", "current")
	w.as(w.master, "GET", "/all", "").says(t, 503, "OTHER", "current")
	w.as(w.master, "POST", "/"+chosen+"/delete", "").says(t, 503, "OTHER", "current")
	w.as("x", "GET", "/all", "").says(t, 503, "OTHER", "current")
}

// Without a keyring nothing can be made or shown; what is there works on.
func TestANodeWithoutItsKey(t *testing.T) {
	w := newWorldWith(t, setup{})
	w.as(w.root, "POST", "/create", `{"application":"x"}`).says(t, 503, "OTHER", "key")
	w.as(w.root, "GET", "/all", "").is(t, 200, "[]")
}
