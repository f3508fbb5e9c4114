package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"hallpass/domain"
)

// marker stands in bad values: no answer and no log line may hold it. It has
// the shape of a secret.
var marker = domain.NewSecret([32]byte{42}).Reveal()

func TestBadInput(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.issue("acme", `{"id":"used"}`)
	w.issue("acme", `{"id":"gone"}`)
	w.must(w.root, "DELETE", "/v1/accounts/acme/tokens/gone", "")
	w.open("shut")
	w.issue("shut", `{"id":"t"}`)
	w.must(w.root, "POST", "/v1/accounts/shut/close", "")
	weak := w.issue("acme", `{"id":"weak","permissions":{"allow":[{"resource":"/device","actions":["read"]}]}}`).Secret

	const tokens, used = "/v1/accounts/acme/tokens", "/v1/accounts/acme/tokens/used"
	long := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	grant := func(g string) string { return `{"permissions":{"allow":[` + g + `]}}` }

	rows := []struct {
		name, method, path, body string
		status                   int
		code, pointer            string // pointer: of the first field at fault
		says                     string // a part of the first field's detail, or of the detail
	}{
		{"truncated", "POST", tokens, `{"name":"` + marker, 400, "bad_json", "", "ends in the middle"},
		{"truncated after a name", "POST", tokens, `{"name"`, 400, "bad_json", "", "ends in the middle"},
		{"no JSON", "POST", tokens, marker, 400, "bad_json", "", ""},
		{"a form", "POST", tokens, "access_token=" + marker, 400, "bad_json", "", ""},
		{"trailing garbage", "POST", tokens, `{} {}`, 400, "bad_json", "", "after the JSON value"},
		{"a trailing comma", "POST", tokens, `{"name":"n",}`, 400, "bad_json", "", ""},
		{"a leading byte order mark", "POST", tokens, "\ufeff{}", 400, "bad_json", "", ""},
		{"invalid UTF-8", "POST", tokens, "{\"name\":\"\xff\"}", 400, "bad_json", "", "UTF-8"},
		{"overlong UTF-8", "POST", tokens, "{\"name\":\"\xc0\xaf\"}", 400, "bad_json", "", "UTF-8"},
		{"half a surrogate pair", "POST", tokens, `{"name":"\ud83d"}`, 400, "bad_json", "", "surrogate"},
		{"surrogates the wrong way round", "POST", tokens, `{"name":"\ude00\ud83d"}`, 400, "bad_json", "", "surrogate"},
		{"a name twice", "POST", tokens, `{"name":"a","name":"b"}`, 400, "bad_json", "", "twice"},
		{"a name twice, escaped", "POST", tokens, `{"name":"a","n\u0061me":"b"}`, 400, "bad_json", "", "twice"},
		{"a tag twice", "POST", tokens, `{"tags":{"a":"1","a":"2"}}`, 400, "bad_json", "", "twice"},
		{"nested lists", "POST", tokens, strings.Repeat("[", 100000), 400, "bad_json", "", "nests deeper"},
		{"nested objects", "POST", tokens, strings.Repeat(`{"a":`, 50000) + "1" + strings.Repeat("}", 50000), 400, "bad_json", "", "nests deeper"},
		{"NaN", "POST", used + "/rotate", `{"overlap":NaN}`, 400, "bad_json", "", ""},
		{"a body of 10 MiB", "POST", tokens, `{"name":"` + long(10<<20) + `"}`, 413, "body_too_large", "", "1 MiB"},
		{"a body just too large", "POST", tokens, `{"name":"` + long(1<<20) + `"}`, 413, "body_too_large", "", "1 MiB"},

		{"a list for an object", "POST", tokens, `[]`, 422, "invalid", "", "an object"},
		{"null", "POST", tokens, `null`, 422, "invalid", "", "an object"},
		{"an unknown field", "POST", tokens, `{"nameX":"x"}`, 422, "invalid", "/nameX", "name, not_before"},
		{"an unknown field that is a secret", "POST", tokens, `{"` + marker + `":1}`, 422, "invalid", "/…", ""},
		{"an unknown field far down", "POST", tokens, grant(`{"resource":"/","actions":["*"],"effect":"deny"}`), 422, "invalid", "/permissions/allow/0/effect", ""},
		{"a field in other case", "POST", tokens, `{"Name":"x"}`, 422, "invalid", "/Name", ""},
		{"a read-only field at issue", "POST", tokens, `{"generation":1}`, 422, "invalid", "/generation", ""},
		{"a number for a text", "POST", tokens, `{"name":1}`, 422, "invalid", "/name", "must be a string, not a number"},
		{"null for a text", "POST", tokens, `{"name":null}`, 422, "invalid", "/name", "must be a string, not null"},
		{"a text for a boolean", "POST", tokens, `{"enabled":"yes"}`, 422, "invalid", "/enabled", "true or false"},
		{"a list for tags", "POST", tokens, `{"tags":["a"]}`, 422, "invalid", "/tags", "an object"},
		{"a number for a tag", "POST", tokens, `{"tags":{"a/b":1}}`, 422, "invalid", "/tags/a~1b", "a string"},
		{"two faults at once", "POST", tokens, `{"name":1,"enabled":1}`, 422, "invalid", "/name", ""},
		{"a name too long", "POST", tokens, `{"name":"` + long(256) + `"}`, 422, "invalid", "/name", "255"},
		{"a name with a line break", "POST", tokens, `{"name":"a\nb"}`, 422, "invalid", "/name", ""},
		{"a name with NUL", "POST", tokens, `{"name":"a\u0000b"}`, 422, "invalid", "/name", ""},
		{"a secret for a name", "POST", tokens, `{"name":"` + marker + `"}`, 422, "invalid", "/name", "secret"},
		{"a description too long", "POST", tokens, `{"description":"` + long(1025) + `"}`, 422, "invalid", "/description", "1024"},
		{"too many tags", "POST", tokens, `{"tags":{` + func() string {
			var s []string
			for i := range 65 {
				s = append(s, fmt.Sprintf(`"k%d":""`, i))
			}
			return strings.Join(s, ",")
		}() + `}}`, 422, "invalid", "/tags", "64"},
		{"an empty tag key", "POST", tokens, `{"tags":{"":"x"}}`, 422, "invalid", "/tags", ""},
		{"a tag value too long", "POST", tokens, `{"tags":{"a":"` + long(257) + `"}}`, 422, "invalid", "/tags", "256"},
		{"an id with a slash", "POST", tokens, `{"id":"a/b"}`, 422, "invalid", "/id", "A-Z"},
		{"an id too long", "POST", tokens, `{"id":"` + long(65) + `"}`, 422, "invalid", "/id", "64"},
		{"a secret for an id", "POST", tokens, `{"id":"` + marker + `"}`, 422, "invalid", "/id", ""},
		{"a kind of its own", "POST", tokens, `{"kind":"session"}`, 422, "invalid", "/kind", "api"},
		{"no time", "POST", tokens, `{"expires_at":"tomorrow"}`, 422, "invalid", "/expires_at", "RFC 3339"},
		{"a time before 1970", "POST", tokens, `{"expires_at":"1969-12-31T23:59:59Z"}`, 422, "invalid", "/expires_at", "1970"},
		{"a time that is no date", "POST", tokens, `{"expires_at":"2026-02-30T00:00:00Z"}`, 422, "invalid", "/expires_at", ""},
		{"an end before the start", "POST", tokens, `{"not_before":"2030-01-01T00:00:00Z","expires_at":"2029-01-01T00:00:00Z"}`, 422, "invalid", "/expires_at", "later"},
		{"an unknown mode", "POST", tokens, `{"permissions":{"mode":"any"}}`, 422, "invalid", "/permissions/mode", "union or first_match"},
		{"a relative resource", "POST", tokens, grant(`{"resource":"device","actions":["*"]}`), 422, "invalid", "/permissions/allow/0/resource", ""},
		{"dots in a resource", "POST", tokens, grant(`{"resource":"/device/../x","actions":["*"]}`), 422, "invalid", "/permissions/allow/0/resource", ""},
		{"an encoded slash in a resource", "POST", tokens, grant(`{"resource":"/device%2fx","actions":["*"]}`), 422, "invalid", "/permissions/allow/0/resource", ""},
		{"no resource", "POST", tokens, grant(`{"actions":["*"]}`), 422, "invalid", "/permissions/allow/0/resource", ""},
		{"no actions", "POST", tokens, grant(`{"resource":"/"}`), 422, "invalid", "/permissions/allow/0/actions", ""},
		{"an unknown action", "POST", tokens, grant(`{"resource":"/device","actions":["ListDevice"]}`), 422, "invalid", "/permissions/allow/0/actions/0", "ListDevices"},
		{"an action of another type", "POST", tokens, grant(`{"resource":"/device","actions":["ReadBucket"]}`), 422, "invalid", "/permissions/allow/0/actions/0", "device"},
		{"too many actions", "POST", tokens, grant(`{"resource":"/device","actions":[` + many(65, `"read"`) + `]}`), 422, "invalid", "/permissions/allow/0/actions", "64"},
		{"too many grants", "POST", tokens, grant(many(257, `{"resource":"/device","actions":["read"]}`)), 422, "invalid", "/permissions", "256"},
		{"too large for a record", "POST", tokens, grant(many(250, `{"resource":"/device/`+long(480)+`","actions":["read"]}`)), 422, "too_large", "", "fit"},
		{"an id in use", "POST", tokens, `{"id":"used"}`, 409, "exists", "", "used"},
		{"an account's id in use", "POST", "/v1/accounts", `{"id":"acme"}`, 409, "exists", "", ""},
		{"an account's id of before", "POST", "/v1/accounts", `{"id":"shut"}`, 409, "account_closed", "", ""},
		{"an account without an id", "POST", "/v1/accounts", `{}`, 422, "invalid", "/id", ""},
		{"a secret for an account", "POST", "/v1/accounts", `{"id":"` + marker + `"}`, 422, "invalid", "/id", ""},

		{"an unknown account", "POST", "/v1/accounts/nobody/tokens", `{}`, 404, "not_found", "", ""},
		{"tokens of an unknown account", "GET", "/v1/accounts/nobody/tokens", "", 404, "not_found", "", ""},
		{"an unknown account alone", "GET", "/v1/accounts/nobody", "", 404, "not_found", "", ""},
		{"a closed account", "POST", "/v1/accounts/shut/tokens", `{}`, 409, "account_closed", "", ""},
		{"resuming a closed account", "POST", "/v1/accounts/shut/resume", ``, 409, "account_closed", "", ""},
		{"an unknown token", "GET", tokens + "/nobody", "", 404, "not_found", "", ""},
		{"editing an unknown token", "PATCH", tokens + "/nobody", `{"name":"x"}`, 404, "not_found", "", ""},
		{"revoking an unknown token", "DELETE", tokens + "/nobody", "", 404, "not_found", "", ""},
		{"the events of an unknown token", "GET", tokens + "/nobody/events", "", 404, "not_found", "", ""},
		{"editing a revoked token", "PATCH", tokens + "/gone", `{"name":"x"}`, 409, "revoked", "", "issued again"},
		{"enabling a revoked token", "POST", tokens + "/gone/enable", "", 409, "revoked", "", ""},
		{"rotating a revoked token", "POST", tokens + "/gone/rotate", "", 409, "revoked", "", ""},

		{"a read-only field", "PATCH", used, `{"id":"other"}`, 422, "invalid", "/id", "can't be changed"},
		{"a secret in a patch", "PATCH", used, `{"secret":"` + marker + `"}`, 422, "invalid", "/secret", "can't be changed"},
		{"a revision of before", "PATCH", used, `{"revision":1}`, 422, "invalid", "/revision", "can't be changed"},
		{"an unknown field in a patch", "PATCH", used, `{"nameX":"x"}`, 422, "invalid", "/nameX", "description"},
		{"a list for a patch", "PATCH", used, `[{"op":"remove"}]`, 422, "invalid", "", "an object"},
		{"null for enabled", "PATCH", used, `{"enabled":null}`, 422, "invalid", "/enabled", ""},
		{"a tag that is no text", "PATCH", used, `{"tags":{"a":1}}`, 422, "invalid", "/tags/a", ""},
		{"tags that are no object", "PATCH", used, `{"tags":"a"}`, 422, "invalid", "/tags", ""},
		{"permissions that are no object", "PATCH", used, `{"permissions":[]}`, 422, "invalid", "/permissions", ""},
		{"an unknown mode in a patch", "PATCH", used, `{"permissions":{"mode":"x"}}`, 422, "invalid", "/permissions/mode", ""},
		{"a bad grant in a patch", "PATCH", used, `{"permissions":{"deny":[{"resource":"x","actions":["*"]}]}}`, 422, "invalid", "/permissions/deny/0/resource", ""},
		{"a time in a patch", "PATCH", used, `{"not_before":"x"}`, 422, "invalid", "/not_before", ""},
		{"an overlap below 0", "POST", used + "/rotate", `{"overlap":-1}`, 422, "invalid", "/overlap", ""},
		{"an overlap above 30 days", "POST", used + "/rotate", `{"overlap":2592001}`, 422, "invalid", "/overlap", "2592000"},
		{"an overlap beyond numbers", "POST", used + "/rotate", `{"overlap":1e30}`, 422, "invalid", "/overlap", "whole"},
		{"half an overlap", "POST", used + "/rotate", `{"overlap":0.5}`, 422, "invalid", "/overlap", "whole"},

		{"an unknown reason", "DELETE", used, `{"reason":"fun"}`, 422, "invalid", "/reason", "compromised"},
		{"an unknown reason in the query", "DELETE", used + "?reason=fun", "", 422, "invalid", "/query/reason", "compromised"},
		{"a reason twice", "DELETE", used + "?reason=policy", `{"reason":"policy"}`, 422, "invalid", "/reason", "once"},
		{"a reason too long", "DELETE", used, `{"reason_text":"` + long(513) + `"}`, 422, "invalid", "/reason_text", "512"},
		{"a secret for a reason", "DELETE", used + "?reason_text=" + marker, "", 422, "invalid", "/reason_text", ""},
		{"an unknown wait", "DELETE", used + "?wait=ever", "", 422, "invalid", "/query/wait", "all, commit"},
		{"an unknown wait in the body", "POST", used + "/disable", `{"wait":"ever"}`, 422, "invalid", "/wait", "all or commit"},
		{"a wait twice", "POST", used + "/rotate?wait=all", `{"wait":"all"}`, 422, "invalid", "/wait", "once"},
		{"a body where none has a meaning", "POST", used + "/enable", `{"name":"x"}`, 422, "invalid", "/name", ""},

		{"an unknown parameter", "GET", tokens + "?nameX=x", "", 422, "invalid", "/query/nameX", "name, tag"},
		{"a secret for a parameter", "GET", tokens + "?" + marker + "=1", "", 422, "invalid", "/query/…", ""},
		{"a parameter twice", "GET", tokens + "?limit=1&limit=2", "", 422, "invalid", "/query/limit", "once"},
		{"a limit of 0", "GET", tokens + "?limit=0", "", 422, "invalid", "/query/limit", "1 to 1000"},
		{"a limit above 1000", "GET", tokens + "?limit=1001", "", 422, "invalid", "/query/limit", "1 to 1000"},
		{"a limit that is no number", "GET", tokens + "?limit=ten", "", 422, "invalid", "/query/limit", "1 to 1000"},
		{"a cursor of nobody", "GET", tokens + "?cursor=!", "", 422, "invalid", "/query/cursor", ""},
		{"a cursor of accounts", "GET", "/v1/accounts?cursor=-", "", 422, "invalid", "/query/cursor", ""},
		{"a cursor of events", "GET", used + "/events?cursor=-", "", 422, "invalid", "/query/cursor", ""},
		{"enabled that is neither", "GET", tokens + "?enabled=1", "", 422, "invalid", "/query/enabled", "true, false"},
		{"an unknown state", "GET", tokens + "?state=expired", "", 422, "invalid", "/query/state", "revoked"},
		{"a time in the query", "GET", tokens + "?expires_before=2026", "", 422, "invalid", "/query/expires_before", ""},
		{"a tag without a key", "GET", tokens + "?tag=:x", "", 422, "invalid", "/query/tag", ""},
		{"a broken escape in the query", "GET", tokens + "?name=%zz", "", 400, "bad_query", "", ""},
		{"a semicolon in the query", "GET", tokens + "?name=a;tag=b", "", 400, "bad_query", "", ""},
		{"a parameter where none is known", "GET", "/v1/whoami?x=1", "", 422, "invalid", "/query/x", "none"},

		{"a check without anything", "POST", "/v1/check", ``, 422, "invalid", "/resource", ""},
		{"a check without an action", "POST", "/v1/check", `{"resource":"/"}`, 422, "invalid", "/action", ""},
		{"a check of an unknown action", "POST", "/v1/check", `{"action":"ReadBuckett","resource":"/bucket/b"}`, 422, "invalid", "/action", "ReadBucket"},
		{"a check of a secret as an action", "POST", "/v1/check", `{"action":"` + marker + `","resource":"/"}`, 422, "invalid", "/action", ""},
		{"a check of a wildcard", "POST", "/v1/check", `{"action":"read","resource":"/device/*"}`, 422, "invalid", "/resource", ""},
		{"a check with a field more", "POST", "/v1/check", `{"action":"read","resource":"/","x":1}`, 422, "invalid", "/x", ""},
		{"a check that is a list", "POST", "/v1/check", `[]`, 422, "invalid", "", ""},
		{"a check with a query", "POST", "/v1/check?x=1", `{"action":"read","resource":"/"}`, 422, "invalid", "/query/x", ""},
		{"checks with one that is wrong", "POST", "/v1/checks", `{"checks":[{"action":"read","resource":"/"},{"action":"read","resource":"x"}]}`, 422, "invalid", "/checks/1/resource", ""},
		{"too many checks", "POST", "/v1/checks", `{"checks":[` + many(1001, `{"action":"read","resource":"/"}`) + `]}`, 422, "invalid", "/checks", "1000"},
		{"checks that are no list", "POST", "/v1/checks", `{"checks":{}}`, 422, "invalid", "/checks", ""},

		{"the stream past its end", "GET", "/v1/events?after=99999999", "", 409, "revision_unknown", "", ""},
		{"an unknown type of event", "GET", "/v1/events?type=token.lost", "", 422, "invalid", "/query/type", "token.revoked"},
		{"an account that can't exist", "GET", "/v1/events?account=a/b", "", 422, "invalid", "/query/account", ""},
		{"a token that can't exist", "GET", "/v1/events?token=" + marker, "", 422, "invalid", "/query/token", ""},
		{"a revision that is none", "GET", "/v1/events?after=x", "", 422, "invalid", "/query/after", ""},

		{"nowhere", "GET", "/v1/nothing", "", 404, "not_found", "", "/docs"},
		{"a slash too many", "GET", "/v1/accounts/", "", 404, "not_found", "", ""},
		{"the wrong method", "PUT", used, "{}", 405, "method_not_allowed", "", "Allow"},
		{"a method of nobody", "BREW", "/v1/check", "", 405, "method_not_allowed", "", "Allow"},
		{"an id of 65 characters", "GET", tokens + "/" + long(65), "", 400, "bad_path", "", "64"},
		{"a secret in the path", "GET", tokens + "/" + marker, "", 400, "bad_path", "", ""},
		{"an account id of odd characters", "GET", "/v1/accounts/a.b", "", 400, "bad_path", "", "A-Z"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := w.as(w.root, row.method, row.path, row.body)
			p := refusedWith(t, a, row.status, row.code)
			says := p.Detail
			if row.pointer != "" {
				if len(p.Errors) == 0 || p.Errors[0].Pointer != row.pointer {
					t.Fatalf("fields at fault: %+v, want %s first", p.Errors, row.pointer)
				}
				says = p.Errors[0].Detail
			}
			if !strings.Contains(says, row.says) {
				t.Errorf("it says %q, not %q", says, row.says)
			}
			if strings.Contains(a.body+fmt.Sprint(a.header), marker) {
				t.Errorf("a value is echoed: %s", a.body)
			}
			if row.status == 405 && a.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			// Without the credential, or with a weak one, a body is never judged.
			if row.status == 422 && row.method != "GET" {
				b := w.as("", row.method, row.path, row.body)
				refusedWith(t, b, 401, "missing_token")
				refusedWith(t, w.as(marker, row.method, row.path, row.body), 401, "invalid_token")
			}
			if weakly := w.as(weak, row.method, row.path, row.body); weakly.status >= 500 || strings.Contains(weakly.body, marker) {
				t.Errorf("asked weakly: %d %s", weakly.status, weakly.body)
			}
		})
	}
	if logs := w.logs.String(); strings.Contains(logs, marker) || strings.Contains(logs, "level=ERROR") {
		t.Errorf("the log: %s", logs)
	}
}

func TestBadPaths(t *testing.T) {
	w := newWorld(t)
	rows := []struct {
		path   string
		status int
		code   string
	}{
		{"//v1/whoami", 400, "bad_path"},
		{"/v1//whoami", 400, "bad_path"},
		{"/v1/whoami//", 400, "bad_path"},
		{"/v1/./whoami", 400, "bad_path"},
		{"/v1/../v1/whoami", 400, "bad_path"},
		{"/..", 400, "bad_path"},
		{"/.", 400, "bad_path"},
		{"/v1/accounts/..", 400, "bad_path"},
		{"/v1/accounts/.", 400, "bad_path"},
		{"/v1/%2e%2e/v1/whoami", 400, "bad_path"},
		{"/v1/accounts/a%2fb", 400, "bad_path"},
		{"/v1/accounts/a%2Fb", 400, "bad_path"},
		{"/v1/accounts/a%5cb", 400, "bad_path"},
		{`/v1/accounts/a\b`, 400, "bad_path"},
		{"/v1/accounts/a%00b", 400, "bad_path"},
		{"/v1/accounts/a%0ab", 400, "bad_path"},
		{"/v1/accounts/a%7fb", 400, "bad_path"},
		{"/v1/accounts/a;b", 400, "bad_path"},
		{"/v1/accounts/a%3bb", 400, "bad_path"},
		{"/v1/accounts/a%252fb", 400, "bad_path"},
		{"/v1/accounts/%c0%af", 400, "bad_path"},
		{"/v1/accounts/caf%C3%A9", 400, "bad_path"},
		{"/v1/accounts/a%20b", 400, "bad_path"},
		{"/v1/accounts/a#b", 400, "bad_path"},
		{"/" + strings.Repeat("x", 2048), 400, "bad_path"},
		{"/...", 404, "not_found"},
		{"/.well-known/nothing", 404, "not_found"},
		{"/v1/accounts/" + strings.Repeat("x", 65), 400, "bad_path"},
		{"/%76%31/whoami", 200, ""},
		{"/v1/whoami", 200, ""},
		{"http://elsewhere/v1/whoami", 200, ""},
		{"http://elsewhere/v1//whoami", 400, "bad_path"},
	}
	for _, row := range rows {
		t.Run(row.path[:min(40, len(row.path))], func(t *testing.T) {
			a := w.raw("GET " + row.path + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + w.root + "\r\nConnection: close\r\n\r\n")
			if row.code != "" {
				refusedWith(t, a, row.status, row.code)
			} else if a.status != row.status {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if a.header.Get("Location") != "" {
				t.Error("it is redirected")
			}
		})
	}
}

// raw sends text as it is and reads one answer.
func (w *world) raw(text string) answer {
	w.t.Helper()
	return w.rawThen(text, func(*net.TCPConn) error { return nil })
}

// rawHalf is raw for a request that stops in its middle: nothing more is sent.
func (w *world) rawHalf(text string) answer {
	w.t.Helper()
	return w.rawThen(text, (*net.TCPConn).CloseWrite)
}

func (w *world) rawThen(text string, then func(*net.TCPConn) error) answer {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		w.t.Fatal(err)
	}
	if err := then(conn.(*net.TCPConn)); err != nil {
		w.t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}
