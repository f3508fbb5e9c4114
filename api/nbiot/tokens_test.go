package nbiot

import (
	"fmt"
	"strings"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

const teams = `{"resource":"/teams","write":false}`

// TestEveryRow is the table of operations and their statuses.
func TestEveryRow(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":false,"tags":{"name":"x"}}`)
	foreign := w.create(w.open("other"), teams)
	revoked := w.create(w.session, teams)
	w.as(w.session, "DELETE", "/tokens/"+revoked, "").is(t, 204, "")
	const unknown = "/tokens/7c7a20322b726931bbdee283f41286adc25ce38bd5b0ab0dbf1517cbcd58d70d"
	for _, row := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"POST", "/tokens", ``, 400, "JSON object"},
		{"POST", "/tokens", `{"resource":"/teams","write":false`, 400, "not JSON"},
		{"POST", "/tokens", teams + `x`, 400, "not JSON"},
		{"POST", "/tokens", `[` + teams + `]`, 400, "JSON object"},
		{"POST", "/tokens", `{"write":false}`, 400, "resource is required"},
		{"POST", "/tokens", `{"resource":"/teams"}`, 400, "write is required"},
		{"POST", "/tokens", `{"resource":"","write":false}`, 400, "empty"},
		{"POST", "/tokens", `{"resource":" ","write":false}`, 400, "starts with /"},
		{"POST", "/tokens", `{"resource":"teams","write":false}`, 400, "starts with /"},
		{"POST", "/tokens", `{"resource":"/teams/../x","write":false}`, 400, "segments"},
		{"POST", "/tokens", `{"resource":"/teams/*","write":false}`, 400, "*"},
		{"POST", "/tokens", `{"resource":"//","write":false}`, 400, "empty segment"},
		{"POST", "/tokens", `{"resource":"/teams//","write":false}`, 400, "empty segment"},
		{"POST", "/tokens", `{"resource":"teams/","write":false}`, 400, "starts with /"},
		{"POST", "/tokens", `{"resource":"/teams/*/","write":false}`, 400, "*"},
		{"POST", "/tokens", `{"resource":"/teams%2f","write":false}`, 400, "encoded"},
		{"POST", "/tokens", `{"resource":7,"write":false}`, 400, "a string"},
		{"POST", "/tokens", `{"resource":null,"write":false}`, 400, "resource is required"},
		{"POST", "/tokens", `{"resource":"/teams","write":"false"}`, 400, "true or false"},
		{"POST", "/tokens", `{"resource":"/teams","write":0}`, 400, "true or false"},
		{"POST", "/tokens", `{"resource":"/teams","write":null}`, 400, "write is required"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"Write":true}`, 400, "twice"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":["a"]}`, 400, "JSON object"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":{"a":1}}`, 400, "a string"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":{" ":"v"}}`, 400, "name"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":{"a":"1"," A":"2"}}`, 400, "twice"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":{"` + strings.Repeat("k", 65) + `":"v"}}`, 400, "64 bytes"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":{"a":"` + strings.Repeat("v", 257) + `"}}`, 400, "256 bytes"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"tags":{` + manyTags(65) + `}}`, 400, "64 tags"},
		{"POST", "/tokens", `{"resource":"/teams","write":false,"x":"` + strings.Repeat("v", 1<<20) + `"}`, 400, "1 MiB"},
		{"GET", "/tokens/" + a, ``, 200, `{"resource":"/teams","write":false,"token":"` + a + `","tags":{"name":"x"}}`},
		{"GET", "/tokens/" + a + "/tags", ``, 200, `{"name":"x"}`},
		{"GET", "/tokens/" + a + "/tags/name", ``, 200, `{"value":"x"}`},
		{"GET", "/tokens/" + a + "/tags/%20NAME", ``, 200, `{"value":"x"}`},
		{"GET", "/tokens/" + a + "/tags/none", ``, 404, "no such tag"},
		{"DELETE", "/tokens/" + a + "/tags/none", ``, 404, "no such tag"},
		{"GET", "/tokens/" + a + "/tags/", ``, 404, "no such tag"},
		{"PATCH", "/tokens/" + a, ``, 400, "JSON object"},
		{"PATCH", "/tokens/" + a, `{"resource":"teams"}`, 400, "starts with /"},
		{"PATCH", "/tokens/" + a, `{"write":1}`, 400, "true or false"},
		{"PATCH", "/tokens/" + a + "/tags", `{"a":null}`, 400, "a string"},
		{"PATCH", "/tokens/" + a + "/tags", `"a"`, 400, "JSON object"},
		{"PATCH", "/tokens/" + a + "/tags", `{` + manyTags(64) + `}`, 400, "64 tags"},
		{"PATCH", "/tokens/" + a, `{}`, 200, `{"resource":"/teams","write":false,"token":"` + a + `","tags":{"name":"x"}}`},
		{"PATCH", "/tokens/" + a, `{"resource":null,"write":null,"tags":null}`, 200, `{"resource":"/teams","write":false,"token":"` + a + `","tags":{"name":"x"}}`},
		{"PUT", "/tokens/" + a, teams, 400, "method"},
		{"DELETE", "/tokens", ``, 400, "method"},
		{"POST", "/", ``, 400, "method"},
		{"GET", "/tokens/", ``, 404, "no such token"},
		{"GET", "/tokens/" + strings.ToUpper(a), ``, 404, "no such token"},
		{"GET", "/tokens/" + a + "/x", ``, 404, "path"},
		{"GET", "/tokens/" + a + "/tags/name/x", ``, 404, "path"},
		{"GET", "/teams", ``, 404, "path"},
		{"GET", "/tokens/" + w.session, ``, 404, "no such token"},
		{"GET", "/tokens//tags", ``, 400, "empty segments"},
		{"GET", "/tokens/%2e%2e", ``, 400, "encoded"},
	} {
		t.Run(row.method+" "+strings.ReplaceAll(row.path, a, "TOKEN")+" "+row.body[:min(len(row.body), 60)], func(t *testing.T) {
			w.as(w.session, row.method, row.path, row.body).is(t, row.status, row.answer)
		})
	}
	// Unknown, another account's and revoked ones are told apart by nothing.
	for _, path := range []string{unknown, "/tokens/" + foreign, "/tokens/" + revoked, "/tokens/" + w.root} {
		for _, r := range [][3]string{
			{"GET", "", ""}, {"PATCH", "", `{"write":true}`}, {"DELETE", "", ""},
			{"GET", "/tags", ""}, {"PATCH", "/tags", `{"a":"b"}`}, {"GET", "/tags/name", ""}, {"DELETE", "/tags/name", ""},
		} {
			w.as(w.session, r[0], path+r[1], r[2]).is(t, 404, errNoToken.Message)
		}
	}
	w.as(foreign, "GET", "/guard/teams", "").is(t, 200, `{}`)
	w.as(foreign, "POST", "/guard/teams", "").is(t, 403, "cover")
}

// What ends in a slash is what is under it, without itself: the prefix of paths
// that it is on the platform. It comes back as it was sent.
func TestAResourceThatEndsInASlash(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams/","write":false}`)
	b := w.create(w.session, `{"resource":"/","write":false}`)
	for path, want := range map[string][2]int{
		"/teams/17": {200, 200}, "/teams/17/devices": {200, 200}, "/teams": {403, 200}, "/teams17": {403, 200}, "/devices/17": {403, 200},
	} {
		for i, token := range []string{a, b} {
			if got := w.as(token, "GET", "/guard"+path, ""); got.status != want[i] {
				t.Errorf("%s by %d: %d", path, i, got.status)
			}
		}
	}
	w.as(w.session, "GET", "/tokens/"+a, "").is(t, 200, `{"resource":"/teams/","write":false,"token":"`+a+`"}`)
	w.as(w.session, "PATCH", "/tokens/"+a, `{"write":true}`).is(t, 200, `{"resource":"/teams/","write":true,"token":"`+a+`"}`)
	w.as(a, "DELETE", "/guard/teams/17", "").is(t, 200, `{}`)
	w.as(a, "DELETE", "/guard/teams", "").is(t, 403, "cover")
	w.as(w.session, "PATCH", "/tokens/"+a, `{"resource":"/devices/17/"}`).is(t, 200, `{"resource":"/devices/17/","write":true,"token":"`+a+`"}`)
	w.as(a, "GET", "/guard/teams/17", "").is(t, 403, "cover")
	w.as(w.session, "GET", "/tokens/"+b, "").is(t, 200, `{"resource":"/","write":false,"token":"`+b+`"}`)
	for p, want := range map[domain.Pattern]string{"/*": "/*", "/a/*/b/*": "/a/*/b/*", "/*/*": "/*/*", "/a/*/b": "/a/*/b", "/a/*": "/a/"} {
		if got := textOfPattern(p); got != want {
			t.Errorf("%s shows as %s", p, got)
		}
	}
}

func manyTags(n int) string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	return strings.Join(tags, ",")
}

// Whoever is no session gets 401, at each path, whatever his grants.
func TestTokensAreForSessions(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/","write":true}`)
	admin := w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`)["secret"].(string)
	for name, token := range map[string]string{"none": "", "unknown": strings.Repeat("0", 64), "its own": a, "an admin's": admin, "root's": w.root} {
		for _, r := range [][3]string{
			{"GET", "", ""}, {"POST", "", `{"resource":"/","write":true}`}, {"POST", "", `{`},
			{"GET", "/" + a, ""}, {"PATCH", "/" + a, `{"write":false}`}, {"DELETE", "/" + a, ""},
			{"GET", "/" + a + "/tags", ""}, {"PATCH", "/" + a + "/tags", `{"a":"b"}`}, {"GET", "/" + a + "/tags/a", ""}, {"DELETE", "/" + a + "/tags/a", ""},
		} {
			if got := w.as(token, r[0], "/tokens"+r[1], r[2]); got.status != 401 {
				t.Errorf("%s, %s: %d %s", name, r[0], got.status, got.body)
			} else {
				got.is(t, 401, "")
			}
		}
	}
	if got := w.list(w.session); len(got) != 1 || got[0].Token != a || !got[0].Write {
		t.Errorf("the list is %d long", len(got))
	}
	// A session may come as a bearer, and one credential alone counts.
	w.send("GET", "/nbiot/tokens/"+a+"/tags", "", "Authorization", "bearer "+w.session).is(t, 200, `{}`)
	w.send("GET", "/nbiot/tokens/"+a+"/tags", "", "X-API-Token", w.session, "Authorization", "Bearer "+w.session).is(t, 200, `{}`)
	w.send("GET", "/nbiot/tokens/"+a+"/tags", "", "X-API-Token", w.session, "Authorization", "Basic eA==").is(t, 200, `{}`)
	w.send("GET", "/nbiot/tokens", "", "X-API-Token", w.session, "Authorization", "Bearer "+w.root).is(t, 401, "one token")
	w.send("GET", "/nbiot/tokens", "", "X-API-Token", w.session, "X-API-Token", a).is(t, 401, "one token")
	w.send("GET", "/nbiot/tokens?X-API-Token="+w.session, "").is(t, 401, "send a token")

	w.native(w.session, "POST", "/v1/self/revoke", "")
	w.as(w.session, "GET", "/tokens", "").is(t, 401, "does not work")
}

func TestTagsMergeFoldAndEmpty(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"Resource":"/teams","WRITE":false,"token":"`+strings.Repeat("0", 64)+`","other":[1],"Tags":{" Name ":"one","gone":"","KEEP":" v "}}`)
	w.as(w.session, "GET", "/tokens/"+a, "").is(t, 200, `{"resource":"/teams","write":false,"token":"`+a+`","tags":{"keep":" v ","name":"one"}}`)
	w.as(w.session, "PATCH", "/tokens/"+a, `{"tags":{"NAME":"two","new":"<&>","none":""}}`).is(t, 200,
		`{"resource":"/teams","write":false,"token":"`+a+`","tags":{"keep":" v ","name":"two","new":"<&>"}}`)
	w.as(w.session, "PATCH", "/tokens/"+a+"/tags", `{"old":"","Keep":"","more":"x"}`).is(t, 200, `{"more":"x","name":"two","new":"<&>"}`)
	w.as(w.session, "DELETE", "/tokens/"+a+"/tags/New", "").is(t, 204, "")
	w.as(w.session, "PATCH", "/tokens/"+a, `{"tags":{"more":"","name":""}}`).is(t, 200, `{"resource":"/teams","write":false,"token":"`+a+`"}`)
	w.as(w.session, "GET", "/tokens/"+a+"/tags", "").is(t, 200, `{}`)

	// Tags that the native door wrote in its own way are the same ones here.
	w.native(w.root, "PATCH", "/v1/accounts/acme/tokens/"+w.id(a), `{"tags":{"Site":"x"}}`)
	w.as(w.session, "GET", "/tokens/"+a+"/tags/site", "").is(t, 200, `{"value":"x"}`)
	w.as(w.session, "PATCH", "/tokens/"+a+"/tags", `{"site":"y"}`).is(t, 200, `{"site":"y"}`)
}

// PATCH changes what a token may do at once, and never its secret.
func TestPatchChangesTheTokenInPlace(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":true,"tags":{"a":"b"}}`)
	w.as(a, "POST", "/guard/teams/1", "").is(t, 200, `{}`)
	w.as(w.session, "PATCH", "/tokens/"+a, `{"write":false}`).is(t, 200, `{"resource":"/teams","write":false,"token":"`+a+`","tags":{"a":"b"}}`)
	w.as(a, "POST", "/guard/teams/1", "").is(t, 403, "cover")
	w.as(a, "GET", "/guard/teams/1", "").is(t, 200, `{}`)
	w.as(w.session, "PATCH", "/tokens/"+a, `{"RESOURCE":"/devices/%61","token":"x"}`).is(t, 200, `{"resource":"/devices/a","write":false,"token":"`+a+`","tags":{"a":"b"}}`)
	w.as(a, "GET", "/guard/teams/1", "").is(t, 403, "cover")
	w.as(a, "GET", "/guard/devices/a", "").is(t, 200, `{}`)
	w.as(w.session, "PATCH", "/tokens/"+a, `{"resource":"/","write":true,"tags":{"a":""}}`).is(t, 200, `{"resource":"/","write":true,"token":"`+a+`"}`)
	w.as(a, "DELETE", "/guard/teams/1", "").is(t, 200, `{}`)
	if got := w.list(w.session); len(got) != 1 || got[0].Token != a || got[0].Resource != "/" || !got[0].Write {
		t.Errorf("the list shows %d tokens", len(got))
	}
}

// A PATCH that meets another one is made again of what that one left.
func TestPatchesThatMeetBothCount(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w, other := newNode(t, "n1", log, keyring(t)), newNode(t, "n2", log, keyring(t))
	session := w.open("acme")
	a := w.create(session, teams)
	if err := other.proj.Position.Wait(t.Context(), w.svc.Revision()); err != nil {
		t.Fatal(err)
	}
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, "token.edited") {
			w.log.OnAppend(nil)
			other.as(session, "PATCH", "/tokens/"+a, `{"write":true,"tags":{"second":"x"}}`).is(t, 200,
				`{"resource":"/teams","write":true,"token":"`+a+`","tags":{"second":"x"}}`)
		}
		return eventstoretest.None
	})
	w.as(session, "PATCH", "/tokens/"+a, `{"resource":"/devices","tags":{"first":"x"}}`).is(t, 200,
		`{"resource":"/devices","write":true,"token":"`+a+`","tags":{"first":"x","second":"x"}}`)
}
