package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hallpass/api/wire"
)

// RFC 6750, and that a refused credential never says why.
func TestBearer(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	dead := map[string]string{"unknown": marker, "not ours": "abc", "cut": w.root[:30]}
	for _, id := range []string{"revoked", "disabled", "expired", "early", "suspended"} {
		account := "acme"
		body := `{"id":"` + id + `","permissions":{"allow":[{"resource":"/","actions":["*"]}]}`
		switch id {
		case "expired":
			body += `,"expires_at":"2000-01-01T00:00:00Z"`
		case "early":
			body += `,"not_before":"2999-01-01T00:00:00Z"`
		case "suspended":
			w.open("halted")
			account = "halted"
		}
		dead[id] = w.issue(account, body+"}").Secret
	}
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/revoked", "")
	w.must(w.root, "POST", "/v1/accounts/acme/tokens/disabled/disable", "")
	w.must(w.root, "POST", "/v1/accounts/halted/suspend", "")

	const plain, invalid = `Bearer realm="hallpass"`, `Bearer realm="hallpass", error="invalid_token", error_description="the bearer token does not work"`
	malformed := plain + `, error="invalid_request"`
	routes := []req{
		{method: "POST", path: "/v1/check", body: `{"action":"read","resource":"/"}`},
		{method: "POST", path: "/v1/check", body: `{"bad":`},
		{method: "POST", path: "/v1/checks", body: `{"checks":[]}`},
		{method: "GET", path: "/v1/whoami"},
		{method: "GET", path: "/v1/catalog"},
		{method: "GET", path: "/v1/events"},
		{method: "GET", path: "/v1/accounts"},
		{method: "POST", path: "/v1/accounts", body: `{`},
		{method: "PATCH", path: "/v1/accounts/acme/tokens/x", body: `[`},
		{method: "GET", path: "/v1/accounts/acme/tokens?limit=0"},
	}
	for _, r := range routes {
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			try := func(auth string, status int, code, challenge string) {
				t.Helper()
				r := r
				if auth != "" {
					r.header = map[string]string{"Authorization": auth}
				}
				a := w.send(r)
				refusedWith(t, a, status, code)
				if got := a.header.Get("WWW-Authenticate"); got != challenge {
					t.Errorf("%.12s…: WWW-Authenticate: %s", auth, got)
				}
			}
			try("", 401, "missing_token", plain)
			try("Basic dTpw", 401, "missing_token", plain)
			try("Bearer", 400, "invalid_request", malformed)
			try("Bearer ", 400, "invalid_request", malformed)
			try("Bearer a b", 400, "invalid_request", malformed)
			try("Bearer "+w.root+", Basic x", 400, "invalid_request", malformed)
			try("Bearer a\x80b", 400, "invalid_request", malformed)
			for why, secret := range dead {
				r := r
				r.bearer = secret
				a := w.send(r)
				p := refusedWith(t, a, 401, "invalid_token")
				if a.header.Get("WWW-Authenticate") != invalid || p.Detail != "the bearer token does not work" || len(p.Errors) != 0 {
					t.Errorf("%s: %s %s", why, a.header.Get("WWW-Authenticate"), a.body)
				}
			}
		})
	}
	t.Run("in the query", func(t *testing.T) {
		for _, bearer := range []string{"", w.root} {
			a := w.as(bearer, "GET", "/v1/whoami?access_token="+w.root, "")
			refusedWith(t, a, 400, "invalid_request")
			if strings.Contains(a.body, "hp_") {
				t.Error(a.body)
			}
		}
	})
	t.Run("twice", func(t *testing.T) {
		a := w.raw("GET /v1/whoami HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + w.root + "\r\nAuthorization: Bearer " + w.root + "\r\nConnection: close\r\n\r\n")
		refusedWith(t, a, 400, "invalid_request")
	})
	t.Run("in other case", func(t *testing.T) {
		a := w.send(req{method: "GET", path: "/v1/whoami", header: map[string]string{"Authorization": "bEARER  " + w.root}})
		if who := read[wire.Whoami](t, a); who.ID != "root" || who.AccountState != "open" || who.Secret != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("without the right", func(t *testing.T) {
		weak := w.issue("acme", `{"id":"weak"}`).Secret
		for _, r := range []req{
			{method: "GET", path: "/v1/accounts"},
			{method: "GET", path: "/v1/accounts/acme"},
			{method: "POST", path: "/v1/accounts", body: `{"id":"new"}`},
			{method: "POST", path: "/v1/accounts", body: `{"id":"acme"}`},
			{method: "POST", path: "/v1/accounts/nobody/suspend"},
			{method: "GET", path: "/v1/accounts/acme/tokens"},
			{method: "GET", path: "/v1/accounts/nobody/tokens"},
			{method: "GET", path: "/v1/accounts/acme/tokens/weak"},
			{method: "GET", path: "/v1/accounts/acme/tokens/nobody"},
			{method: "GET", path: "/v1/accounts/acme/tokens/weak/events"},
			{method: "PATCH", path: "/v1/accounts/acme/tokens/nobody", body: `{"name":1}`},
			{method: "DELETE", path: "/v1/accounts/acme/tokens/nobody"},
			{method: "POST", path: "/v1/accounts/acme/tokens/nobody/rotate"},
			{method: "GET", path: "/v1/events"},
			{method: "GET", path: "/v1/events?account=root"},
		} {
			r.bearer = weak
			a := w.send(r)
			refusedWith(t, a, 403, "forbidden")
			if got := a.header.Get("WWW-Authenticate"); got != plain+`, error="insufficient_scope"` {
				t.Errorf("%s %s: %s", r.method, r.path, got)
			}
		}
	})
}

func TestRightsOverAccounts(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.open("other")
	admin := w.issue("acme", `{"id":"admin","permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`).Secret
	list := func(bearer string) (ids []string) {
		for _, a := range read[wire.List[wire.Account]](t, w.must(bearer, "GET", "/v1/accounts", "")).Items {
			ids = append(ids, a.ID)
		}
		return ids
	}
	if got := strings.Join(list(w.root), " "); got != "root acme other" {
		t.Errorf("root sees %s", got)
	}
	if got := strings.Join(list(admin), " "); got != "acme" {
		t.Errorf("an admin of acme sees %s", got)
	}
	w.must(admin, "GET", "/v1/accounts/acme", "")
	refusedWith(t, w.as(admin, "GET", "/v1/accounts/other", ""), 403, "forbidden")
	refusedWith(t, w.as(admin, "GET", "/v1/accounts/nobody", ""), 403, "forbidden")
	refusedWith(t, w.as(admin, "GET", "/v1/accounts/other/tokens", ""), 403, "forbidden")
	refusedWith(t, w.as(admin, "POST", "/v1/accounts/acme/suspend", ""), 403, "forbidden")
	page := read[wire.List[wire.Account]](t, w.must(w.root, "GET", "/v1/accounts?limit=2", ""))
	if len(page.Items) != 2 || page.NextCursor == nil {
		t.Fatalf("a page: %+v", page)
	}
	rest := read[wire.List[wire.Account]](t, w.must(w.root, "GET", "/v1/accounts?limit=2&cursor="+*page.NextCursor, ""))
	if len(rest.Items) != 1 || rest.NextCursor != nil || rest.Items[0].ID != "other" {
		t.Errorf("the rest: %+v", rest)
	}
}

func TestListTokens(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.issue("acme", `{"id":"a","name":"reader one","tags":{"env":"prod"},"expires_at":"2030-01-01T00:00:00Z"}`)
	w.issue("acme", `{"id":"b","name":"reader two","tags":{"env":"test"},"enabled":false}`)
	w.issue("acme", `{"id":"c","name":"writer","tags":{"env":"prod","x":""}}`)
	w.issue("acme", `{"id":"d","name":"gone"}`)
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/d", "")
	for query, want := range map[string]string{
		"":                                     "a b c",
		"?name=reader":                         "a b",
		"?tag=env":                             "a b c",
		"?tag=env:prod":                        "a c",
		"?tag=x:":                              "c",
		"?enabled=false":                       "b",
		"?enabled=true":                        "a c",
		"?state=disabled":                      "b",
		"?state=revoked":                       "d",
		"?state=active":                        "a c",
		"?limit=1000":                          "a b c",
		"?name=reader&tag=env:test":            "b",
		"?expires_before=2030-01-01T00:00:01Z": "a",
		"?expires_before=2030-01-01T00:00:00Z": "",
	} {
		var ids []string
		a := w.must(w.root, "GET", "/v1/accounts/acme/tokens"+query, "")
		list := read[wire.List[wire.Token]](t, a)
		for _, tok := range list.Items {
			ids = append(ids, tok.ID)
			if tok.Secret != "" {
				t.Error("a list shows a secret")
			}
		}
		if got := strings.Join(ids, " "); got != want || list.NextCursor != nil || a.header.Get("Hallpass-Revision") == "" {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if !strings.Contains(a.body, `"items":[`) || !strings.Contains(a.body, `"next_cursor":null`) {
			t.Errorf("the shape: %s", a.body)
		}
	}
}

func TestOddRequests(t *testing.T) {
	w := newWorld(t)
	tok := w.issue("root", `{"id":"t"}`)
	t.Run("HEAD", func(t *testing.T) {
		a := w.as(w.root, "HEAD", "/v1/accounts/root/tokens/t", "")
		if a.status != 200 || a.body != "" || a.header.Get("Etag") != etag(Seq(tok.Revision)) || a.header.Get("Content-Length") == "0" {
			t.Errorf("%d %v %q", a.status, a.header, a.body)
		}
		if b := w.as("", "HEAD", "/v1/accounts", ""); b.status != 401 || b.body != "" {
			t.Errorf("%d %q", b.status, b.body)
		}
	})
	t.Run("OPTIONS", func(t *testing.T) {
		a := w.as("", "OPTIONS", "/v1/accounts/root/tokens/t", "")
		if a.status != 204 || a.header.Get("Allow") != "GET, HEAD, PATCH, DELETE, OPTIONS" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
	t.Run("Content-Encoding", func(t *testing.T) {
		for _, path := range []string{"/v1/check", "/v1/accounts"} {
			body := `{"action":"read","resource":"/"}`
			a := w.send(req{method: "POST", path: path, bearer: w.root, body: body, header: map[string]string{"Content-Encoding": "gzip"}})
			refusedWith(t, a, 415, "unsupported_encoding")
			b := w.send(req{method: "POST", path: path, bearer: w.root, body: body, header: map[string]string{"Content-Encoding": "identity"}})
			if b.status == 415 {
				t.Errorf("identity: %s", b.body)
			}
		}
	})
	t.Run("Content-Type doesn't matter", func(t *testing.T) {
		for _, typ := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", "no type at all"} {
			a := w.send(req{method: "PATCH", path: "/v1/accounts/root/tokens/t", bearer: w.root, body: `{}`, header: map[string]string{"Content-Type": typ}})
			if a.status != 200 {
				t.Errorf("%s: %d %s", typ, a.status, a.body)
			}
		}
	})
	t.Run("a body shorter than said", func(t *testing.T) {
		a := w.rawHalf("POST /v1/accounts HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + w.root + "\r\nContent-Length: 100\r\n\r\n{\"id\":")
		refusedWith(t, a, 400, "bad_json")
		b := w.rawHalf("POST /v1/check HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + w.root + "\r\nContent-Length: 100\r\n\r\n{\"action\":")
		refusedWith(t, b, 400, "bad_json")
	})
	t.Run("a chunked check", func(t *testing.T) {
		a := w.raw("POST /v1/check HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + w.root + "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
			"21\r\n{\"action\":\"read\",\"resource\":\"/a\"}\r\n0\r\n\r\n")
		if a.status != http.StatusOK || !read[wire.Decision](t, a).Allowed {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("X-Request-ID", func(t *testing.T) {
		for id, kept := range map[string]bool{
			"abc-123":                true,
			"a/b:c.d=e+f@g_h":        true,
			strings.Repeat("x", 128): true,
			strings.Repeat("x", 129): false,
			"a b":                    false,
			"<script>":               false,
			marker:                   false,
			"x" + marker:             false,
			"eyJhbGciOiJIUzI1NiJ9":   false,
			strings.Repeat("0", 64):  false,

			"req-eyJhbGciOiJIUzI1NiJ9.e30.x":              false,
			"x-" + strings.Repeat("0a", 32):               false,
			strings.Repeat("F", 63) + "fz":                false,
			strings.Repeat("0a", 31) + "0-" + "abc":       true,
			strings.Repeat("ab", 16):                      true,
			"3c1f0a9e-7d42-4b8a-9e55-d0a6f1b87c24":        true,
			"00-" + strings.Repeat("ab", 16) + "-00f0-01": true,
		} {
			a := w.send(req{method: "GET", path: "/v1/nothing", bearer: w.root, header: map[string]string{"X-Request-Id": id}})
			got := a.header.Get("X-Request-Id")
			if (got == id) != kept || got == "" || problem(t, a).RequestID != got {
				t.Errorf("%q: answered %q", id, got)
			}
		}
		w.send(req{method: "DELETE", path: "/v1/accounts/root/tokens/t", bearer: w.root, header: map[string]string{"X-Request-Id": "from-me"}})
		events := w.must(w.root, "GET", "/v1/accounts/root/tokens/t/events", "")
		if !strings.Contains(events.body, `"request_id":"from-me"`) {
			t.Errorf("the record does not name the request: %s", events.body)
		}
	})
}

// A body that does not come in time is the client's fault.
func TestSlowBody(t *testing.T) {
	w := newQuietWorld(t)
	w.url = newServer(t, w.h, 200*time.Millisecond, time.Minute).URL
	for _, path := range []string{"/v1/accounts", "/v1/check"} {
		a := w.raw("POST " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + w.root + "\r\nContent-Length: 100\r\n\r\n{")
		refusedWith(t, a, 408, "request_timeout")
	}
}
