package api

import (
	"strings"
	"testing"

	"hallpass/api/wire"
)

func TestLifeOfAToken(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	const path = "/v1/accounts/acme/tokens/thermo-reader"
	a := w.must(w.root, "POST", "/v1/accounts/acme/tokens",
		`{"id":"thermo-reader","permissions":{"allow":[{"resource":"/device/thermo1","actions":["AccessDeviceResources"]}]}}`)
	tok := read[wire.Token](t, a)
	if a.status != 201 || tok.Secret == "" || tok.State != "active" || tok.Generation != 1 || tok.IssuedBy != "root/root" ||
		a.header.Get("Location") != path || a.header.Get("Etag") == "" || a.header.Get("Hallpass-Revision") == "" ||
		a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("issue: %d %v %s", a.status, a.header, a.body)
	}
	const question = `{"action":"AccessDeviceResources","resource":"/device/thermo1"}`
	check := func(want string) {
		t.Helper()
		a := w.as(tok.Secret, "POST", "/v1/check", question)
		if want == "401" {
			refusedWith(t, a, 401, "invalid_token")
			return
		}
		d := read[wire.Decision](t, a)
		if a.status != 200 || d.Code != want || d.Allowed != (want == "granted") || d.Token != "thermo-reader" || d.Account != "acme" {
			t.Fatalf("check: %d %s, want %s", a.status, a.body, want)
		}
	}
	check("granted")
	w.must(w.root, "POST", path+"/disable", "")
	check("401")
	w.must(w.root, "POST", path+"/enable", "{}")
	check("granted")
	w.must(w.root, "PATCH", path, `{"permissions":{"deny":[{"resource":"/device","actions":["*"]}]}}`)
	check("denied")
	w.must(w.root, "PATCH", path, `{"permissions":{"deny":[]}}`)
	check("granted")
	old := tok.Secret
	tok = read[wire.Token](t, w.must(w.root, "POST", path+"/rotate", ""))
	if tok.Secret == "" || tok.Secret == old {
		t.Fatal("rotate answers no new secret")
	}
	check("granted")
	refusedWith(t, w.as(old, "POST", "/v1/check", question), 401, "invalid_token")
	gone := read[wire.Token](t, w.must(w.root, "DELETE", path+"?reason=compromised&reason_text=leaked", ""))
	if gone.State != "revoked" || gone.Reason != "compromised" || gone.ReasonText != "leaked" || gone.Secret != "" {
		t.Errorf("revoke: %+v", gone)
	}
	check("401")
	w.must(w.root, "DELETE", path, "") // again: no error
	again := w.issue("acme", `{"id":"thermo-reader"}`)
	if again.Generation != 2 {
		t.Errorf("issued again: %+v", again)
	}
	check("401") // the old secret opens no new generation
	events := read[wire.List[wire.Event]](t, w.must(w.root, "GET", path+"/events", ""))
	var types []string
	for _, e := range events.Items {
		types = append(types, e.Type)
	}
	const want = "token.issued token.disabled token.enabled token.edited token.edited token.rotated token.revoked token.issued"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("events: %s", got)
	}
	if strings.Contains(w.logs.String(), "hp_") {
		t.Error("a secret is in the log")
	}
}

func TestMergePatch(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	const start = `{"id":"t","name":"n","description":"d","tags":{"a":"1","b":"2"},"not_before":"2020-01-01T00:00:00Z","expires_at":"2030-01-01T00:00:00Z",
		"permissions":{"mode":"first_match","allow":[{"resource":"/device/x","actions":["read"]}],"deny":[{"resource":"/device/x/y","actions":["*"]}]}}`
	rows := []struct{ name, patch, want string }{ // want: a part of the answer
		{"nothing", `{}`, `"name":"n"`},
		{"a name", `{"name":"m"}`, `"name":"m"`},
		{"no name", `{"name":null}`, `"name":""`},
		{"no description", `{"description":null}`, `"description":""`},
		{"a tag more", `{"tags":{"c":"3"}}`, `"tags":{"a":"1","b":"2","c":"3"}`},
		{"a tag less", `{"tags":{"a":null}}`, `"tags":{"b":"2"}`},
		{"a tag changed", `{"tags":{"a":"9"}}`, `"tags":{"a":"9","b":"2"}`},
		{"no tags", `{"tags":null}`, `"tags":{}`},
		{"a tag that isn't there", `{"tags":{"z":null}}`, `"tags":{"a":"1","b":"2"}`},
		{"no end", `{"expires_at":null}`, `"expires_at":null`},
		{"no start", `{"not_before":null}`, `"not_before":null`},
		{"an end", `{"expires_at":"2031-01-01T01:00:00+01:00"}`, `"expires_at":"2031-01-01T00:00:00Z"`},
		{"disabled", `{"enabled":false}`, `"enabled":false,"state":"disabled"`},
		{"deny goes, allow stays", `{"permissions":{"deny":null}}`, `"allow":[{"resource":"/device/x","actions":["read"]}],"deny":[]`},
		{"allow is replaced", `{"permissions":{"allow":[]}}`, `"allow":[],"deny":[{`},
		{"the default mode", `{"permissions":{"mode":null}}`, `"mode":"union","allow":[{`},
		{"no permissions", `{"permissions":null}`, `"permissions":{"mode":"union","allow":[],"deny":[]}`},
		{"read-only, as it is", `{"id":"t","account":"acme","state":"active","kind":"api","immutable":false,"issued_by":"root/root","secret":null,"reason":null,"name":"m"}`, `"name":"m"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w.issue("acme", start)
			a := w.must(w.root, "PATCH", "/v1/accounts/acme/tokens/t", row.patch)
			if !strings.Contains(a.body, row.want) {
				t.Errorf("got %s, want %s", a.body, row.want)
			}
			if row.patch == `{}` && a.header.Get("Hallpass-Revision") == "" {
				t.Error("an edit without a change has no revision")
			}
			w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/t", "")
		})
	}
}

func TestShownTokenCanBeSentBack(t *testing.T) {
	w := newWorld(t)
	w.issue("root", `{"id":"t","expires_at":"2030-01-01T00:00:00Z","tags":{"a":"b"}}`)
	shown := w.must(w.root, "GET", "/v1/accounts/root/tokens/t", "")
	back := w.must(w.root, "PATCH", "/v1/accounts/root/tokens/t", shown.body)
	if back.body != shown.body {
		t.Errorf("sent back:\n%s\ngot:\n%s", shown.body, back.body)
	}
}

func TestIfMatch(t *testing.T) {
	w := newWorld(t)
	tok := w.issue("root", `{"id":"t"}`)
	now := etag(Seq(tok.Revision))
	const path = "/v1/accounts/root/tokens/t"
	edit := func(match, name string) answer {
		return w.send(req{method: "PATCH", path: path, bearer: w.root, body: `{"name":"` + name + `"}`, header: map[string]string{"If-Match": match}})
	}
	for _, match := range []string{`"1"`, `W/` + now, `"abc"`, `"0"`, `""`, `"1", "2"`, `"99999999999999999999999999"`, `"18446744073709551615"`} {
		p := refusedWith(t, edit(match, "x"), 412, "precondition_failed")
		if strings.Contains(p.Detail, "9223372036854775807") {
			t.Errorf("%s: %s", match, p.Detail)
		}
	}
	for _, match := range []string{`abc`, `1`, `"1`, `"a"b"`, `"1",`, `w/"1"`, `*, "1"`} {
		refusedWith(t, edit(match, "x"), 400, "bad_header")
	}
	a := edit(`"1", `+now, "one of two")
	if a.status != 200 {
		t.Fatalf("a list that holds the tag: %d %s", a.status, a.body)
	}
	refusedWith(t, edit(now, "old"), 412, "precondition_failed")
	if b := edit(a.header.Get("Etag"), "new"); b.status != 200 {
		t.Fatalf("the answered ETag: %d %s", b.status, b.body)
	}
	if b := edit("*", "any"); b.status != 200 {
		t.Fatalf("*: %d %s", b.status, b.body)
	}
	refusedWith(t, w.send(req{method: "POST", path: "/v1/check", bearer: w.root, body: `{"action":"read","resource":"/"}`,
		header: map[string]string{"If-Match": now}}), 400, "bad_header")
	for _, suffix := range []string{"/enable", "/disable", "/rotate"} {
		refusedWith(t, w.send(req{method: "POST", path: path + suffix, bearer: w.root, header: map[string]string{"If-Match": now}}), 412, "precondition_failed")
	}
	refusedWith(t, w.send(req{method: "DELETE", path: path, bearer: w.root, header: map[string]string{"If-Match": now}}), 412, "precondition_failed")
}

// Every write takes wait, in the query; those whose body has no other use for
// the key take it there too.
func TestWait(t *testing.T) {
	w := newWorld(t)
	const token = "/v1/accounts/acme/tokens/t"
	for _, r := range []req{
		{method: "POST", path: "/v1/accounts?wait=all", body: `{"id":"acme"}`},
		{method: "POST", path: "/v1/accounts/acme/tokens?wait=commit", body: `{"id":"t"}`},
		{method: "PATCH", path: token + "?wait=all", body: `{"name":"n"}`},
		{method: "POST", path: token + "/disable", body: `{"wait":"all"}`},
		{method: "POST", path: token + "/enable?wait=commit"},
		{method: "POST", path: token + "/rotate", body: `{"overlap":60,"wait":"all"}`},
		{method: "DELETE", path: token, body: `{"reason":"owner_left","reason_text":"gone fishing","wait":"all"}`},
		{method: "POST", path: "/v1/accounts/acme/suspend?wait=all", body: `{"reason":"policy"}`},
		{method: "POST", path: "/v1/accounts/acme/resume", body: `{"wait":"commit"}`},
		{method: "POST", path: "/v1/accounts/acme/close?reason=policy&wait=all"},
	} {
		r.bearer = w.root
		if a := w.send(r); a.status/100 != 2 || a.header.Get("Hallpass-Revision") == "" {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.body)
		}
	}
	shown := read[wire.Token](t, w.must(w.root, "GET", token, ""))
	if shown.Reason != "owner_left" || shown.ReasonText != "gone fishing" {
		t.Errorf("%+v", shown)
	}
}

// Both secrets open a token while they overlap, and the old one ends on time.
func TestOverlap(t *testing.T) {
	w := newWorld(t)
	old := w.issue("root", `{"id":"t"}`).Secret
	now := read[wire.Token](t, w.must(w.root, "POST", "/v1/accounts/root/tokens/t/rotate", `{"overlap":60}`)).Secret
	w.must(old, "GET", "/v1/whoami", "")
	w.must(now, "GET", "/v1/whoami", "")
	w.advance(61_000)
	refusedWith(t, w.as(old, "GET", "/v1/whoami", ""), 401, "invalid_token")
	w.must(now, "GET", "/v1/whoami", "")
}
