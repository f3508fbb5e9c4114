package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/projections"
)

func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.open("other")
	reader := w.issue("acme", `{"id":"reader","permissions":{"allow":[{"resource":"/device/a","actions":["read"]}],"deny":[{"resource":"/device/a/secret","actions":["*"]}]}}`)
	inspector := w.issue("acme", `{"id":"inspector","permissions":{"allow":[{"resource":"/token/reader","actions":["IntrospectToken"]}]}}`).Secret
	everyone := w.issue("acme", `{"id":"everyone","permissions":{"allow":[{"resource":"/token","actions":["IntrospectToken"]}]}}`).Secret
	foreign := w.issue("other", `{"id":"foreign",`+everything+`}`).Secret
	for _, row := range []struct{ bearer, body, want string }{
		{reader.Secret, `{"action":"GetDeviceStats","resource":"/device/a"}`,
			`{"allowed":true,"code":"granted","reason":"a grant of the token allows it","grant":{"resource":"/device/a","actions":["read"]},"account":"acme","token":"reader"`},
		{reader.Secret, `{"action":"read","resource":"/device/a/b"}`, `"code":"granted"`},
		{reader.Secret, `{"action":"write","resource":"/device/a/b"}`, `"allowed":false,"code":"no_grant","reason":"no grant of the token covers this","grant":null,"account":"acme","token":"reader"`},
		{reader.Secret, `{"action":"read","resource":"/device/ab"}`, `"code":"no_grant"`},
		{reader.Secret, `{"action":"read","resource":"/device/a/secret"}`, `"code":"denied","reason":"a deny grant of the token forbids it","grant":{"resource":"/device/a/secret","actions":["*"]}`},
		{reader.Secret, `{"action":"Whatever","resource":"/device/a","unverified":true}`, `"code":"no_grant"`},
		{reader.Secret, "\t{ \"resource\" : \"/device/a\" ,\r\n \"action\" : \"read\" } \n", `"code":"granted"`},
		{reader.Secret, `{"action":"read","resource":"\/device\u002fa"}`, `"code":"granted"`},
		{inspector, `{"action":"read","resource":"/device/a","secret":"` + reader.Secret + `"}`, `"code":"granted","reason":"a grant of the token allows it","grant":{"resource":"/device/a","actions":["read"]},"account":"acme","token":"reader"`},
		{everyone, `{"action":"read","resource":"/device/a","secret":"` + reader.Secret + `"}`, `"code":"granted"`},
		{w.root, `{"action":"read","resource":"/device/a","secret":"` + reader.Secret + `"}`, `"code":"granted"`},
		{w.root, `{"action":"read","resource":"/device/a","secret":"` + marker + `"}`, `"code":"unknown_secret"`},
		{w.root, `{"action":"read","resource":"/device/a","secret":"garbage"}`, `"code":"unknown_secret"`},
		// No right over the token found is the same as no token.
		{inspector, `{"action":"read","resource":"/device/a","secret":"` + everyone + `"}`, `"allowed":false,"code":"unknown_secret","reason":"no token has this secret","grant":null,"account":"","token":""`},
		{foreign, `{"action":"read","resource":"/device/a","secret":"` + reader.Secret + `"}`, `"code":"unknown_secret"`},
		{reader.Secret, `{"action":"read","resource":"/device/a","secret":"` + reader.Secret + `"}`, `"code":"unknown_secret"`},
	} {
		a := w.as(row.bearer, "POST", "/v1/check", row.body)
		if a.status != 200 || !strings.Contains(a.body, row.want) || a.header.Get("Cache-Control") != "no-store" ||
			a.header.Get("Hallpass-Revision") == "" || a.header.Get("X-Request-Id") == "" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s, want %s", row.body, a.status, a.header, a.body, row.want)
		}
		// Many at once answer the same, by one revision, which a node's own
		// records may have moved on since.
		many := read[struct{ Results []map[string]any }](t, w.must(row.bearer, "POST", "/v1/checks", `{"checks":[`+row.body+`,`+row.body+`]}`)).Results
		one := read[map[string]any](t, a)
		if len(many) != 2 || !reflect.DeepEqual(many[0], many[1]) || many[0]["revision"].(float64) < one["revision"].(float64) {
			t.Fatalf("in a batch: %v, alone: %v", many, one)
		}
		many[0]["revision"] = one["revision"]
		if !reflect.DeepEqual(many[0], one) {
			t.Errorf("in a batch: %v, alone: %v", many[0], one)
		}
	}
	for _, end := range []struct{ method, path, code string }{
		{"POST", "/v1/accounts/acme/tokens/reader/disable", "disabled"},
		{"DELETE", "/v1/accounts/acme/tokens/reader", "revoked"},
	} {
		w.must(w.root, end.method, end.path, "")
		d := read[wire.Decision](t, w.must(inspector, "POST", "/v1/check", `{"action":"read","resource":"/device/a","secret":"`+reader.Secret+`"}`))
		if d.Code != end.code || d.Allowed || d.Token != "reader" {
			t.Errorf("after %s: %+v", end.path, d)
		}
	}
	w.must(w.root, "POST", "/v1/accounts/acme/suspend", "")
	d := read[wire.Decision](t, w.must(w.root, "POST", "/v1/check", `{"action":"read","resource":"/device/a","secret":"`+everyone+`"}`))
	if d.Code != "account_suspended" {
		t.Errorf("in a suspended account: %+v", d)
	}
}

func TestChecksOfNothing(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{``, `{}`, `{"checks":[]}`, `{"checks":null}`} {
		if a := w.must(w.root, "POST", "/v1/checks", body); a.body != "{\"results\":[]}\n" {
			t.Errorf("%s: %s", body, a.body)
		}
	}
}

// What appendDecision writes, encoding/json writes.
func TestAppendDecision(t *testing.T) {
	texts := []string{"", "a", `a"b\c`, "\x01\t\n", "é😀", "a<b>&c", "\u2028"}
	for i, s := range texts {
		a := projections.Answer{At: Seq(i)}
		a.Verdict = domain.Granted
		if i > 0 {
			a.Grant = &domain.Grant{Resource: domain.Pattern(s), Actions: []domain.Action{"*", domain.Action(s)}, Unverified: i%2 == 0}
			a.Token = &domain.Token{Account: domain.AccountID(s), ID: "t"}
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(wireDecision(a)); err != nil {
			t.Fatal(err)
		}
		var x, y any
		got := appendDecision(nil, a)
		if err := json.Unmarshal(got, &x); err != nil {
			t.Fatalf("%v in %s", err, got)
		}
		if err := json.Unmarshal(want.Bytes(), &y); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(x, y) || i < 2 && string(got)+"\n" != want.String() {
			t.Errorf("got %s, want %s", got, want.String())
		}
	}
}

// FuzzCheckBody holds the two ways of reading a check to the same answer:
// whatever the short one takes, the general one takes, and reads the same.
func FuzzCheckBody(f *testing.F) {
	for _, s := range []string{
		`{"action":"read","resource":"/a"}`, `{"resource":"/a","action":"read"}`, ` { "action" : "a" , "resource" : "/" } `,
		`{"action":"read","resource":"/a",}`, `{"action":"read","resource":"/a"}}`, `{"action":"read","action":"read"}`,
		`{"action":"","resource":"/a"}`, `{"action":"read","resource":"/a","secret":"x"}`, `{"action":"r\u0065ad","resource":"/a"}`,
		`{"action":"read" "resource":"/a"}`, `{"action":"read","resource":"/é"}`, `{"action":"read", }`, `{`, ``, `[]`, "{\"action\":\"a\x00\",\"resource\":\"b\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, ok := flatCheck(body)
		var in wire.Check
		v, err := parseJSON(body)
		if err == nil {
			err = bindInto(v, &in)
		}
		if !json.Valid(body) && err == nil {
			t.Fatalf("%q is not JSON", body)
		}
		if !ok {
			return
		}
		if err != nil || q != questionOf(new(binder), in) {
			t.Fatalf("%q: %+v, but %+v (%v)", body, q, in, err)
		}
	})
}

// FuzzParseJSON: what parseJSON takes, encoding/json takes; no input panics.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\ud83d\ude00",null,true,{}]}`, `"\ud800"`, `[[[[`, `{"a":1,"a":2}`, `01`, `"\x"`, "\xff", `{"a" 1}`, `1 2`, `{,}`, `[1,]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := parseJSON(body)
		if err == nil && !json.Valid(body) {
			t.Fatalf("%q is not JSON", body)
		}
		if err != nil && domain.CodeOf(err) != codeBadJSON {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

// The short way answers no request that the general way answers otherwise.
func TestPlainCheckIsTaken(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{`{"action":"read","resource":"/a"}`, `{"action":"ReadBucket","resource":"/bucket/b"}`} {
		if _, ok := flatCheck([]byte(body)); !ok {
			t.Errorf("%s goes the long way", body)
		}
	}
	big := fmt.Sprintf(`{"action":"read","resource":"/a"%s}`, strings.Repeat(" ", smallBody))
	if a := w.as(w.root, "POST", "/v1/check", big); a.status != 200 || !strings.Contains(a.body, "granted") {
		t.Errorf("a large one: %d %s", a.status, a.body)
	}
}

// The authorization cases hold over HTTP: for the bearer, for a caller who
// asks about the secret, and for many at once.
func TestAuthorizationCases(t *testing.T) {
	w := newWorld(t)
	for _, c := range domaintest.AuthorizeCases() {
		t.Run(c.Name, func(t *testing.T) {
			body, err := json.Marshal(wire.IssueToken{ID: c.Name, Permissions: ptr(wirePermissions(c.Permissions))})
			if err != nil {
				t.Fatal(err)
			}
			secret := w.issue("root", string(body)).Secret
			var all wire.Checks
			for _, q := range c.Checks {
				ask := wire.Check{Action: q.Action, Resource: q.Resource, Unverified: q.Unverified}
				all.Checks = append(all.Checks, ask)
				body, err := json.Marshal(ask)
				if err != nil {
					t.Fatal(err)
				}
				own := read[wire.Decision](t, w.must(secret, "POST", "/v1/check", string(body)))
				if own.Code != string(q.Want) || own.Allowed != (q.Want == domain.Granted) {
					t.Errorf("line %d: got %s, want %s", q.Line, own.Code, q.Want)
				}
				ask.Secret = secret
				if body, err = json.Marshal(ask); err != nil {
					t.Fatal(err)
				}
				asked := read[wire.Decision](t, w.must(w.root, "POST", "/v1/check", string(body)))
				asked.Revision, own.Revision = 0, 0 // barriers move it on
				if !reflect.DeepEqual(asked, own) {
					t.Errorf("line %d: asked about %+v, asked by itself %+v", q.Line, asked, own)
				}
			}
			if body, err = json.Marshal(all); err != nil {
				t.Fatal(err)
			}
			results := read[wire.Decisions](t, w.must(secret, "POST", "/v1/checks", string(body))).Results
			for i, q := range c.Checks {
				if results[i].Code != string(q.Want) {
					t.Errorf("line %d: in a batch got %s, want %s", q.Line, results[i].Code, q.Want)
				}
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }
