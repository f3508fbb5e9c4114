package nbiot

import (
	"strings"
	"testing"
)

// The faults of the open ancestor of the platform's token service.

func TestAResourceEndsAtASegment(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams/17","write":true}`)
	for path, status := range map[string]int{
		"/teams/17": 200, "/teams/17/members/1": 200,
		"/teams/171": 403, "/teams/171/members": 403, "/teams/17x": 403, "/teams/1": 403, "/teams": 403, "/": 403, "": 403, "/team": 403,
	} {
		for _, method := range []string{"GET", "POST"} {
			if got := w.as(a, method, "/guard"+path, ""); got.status != status {
				t.Errorf("%s %s: %d, want %d", method, path, got.status, status)
			}
		}
	}
}

func TestOnlyGetHeadAndOptionsRead(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	for method, status := range map[string]int{
		"GET": 200, "HEAD": 200, "OPTIONS": 200,
		"PUT": 403, "POST": 403, "PATCH": 403, "DELETE": 403, "TRACE": 403, "PROPFIND": 403, "get": 403,
	} {
		if got := w.as(a, method, "/guard/teams/1", ""); got.status != status {
			t.Errorf("%s: %d, want %d", method, got.status, status)
		}
	}
	// It can't make itself one that writes, by whatever method.
	for _, method := range []string{"PUT", "PATCH", "POST"} {
		if got := w.as(a, method, "/tokens/"+a, `{"resource":"/teams","write":true}`); got.status < 400 {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	w.as(a, "POST", "/guard/teams/1", "").is(t, 403, "cover")
}

func TestATokenReadsNoSecrets(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/","write":true}`)
	other := w.create(w.session, teams)
	for _, path := range []string{"/tokens", "/tokens/" + other, "/tokens/" + a} {
		got := w.as(a, "GET", path, "")
		got.is(t, 401, "login session")
		if strings.Contains(got.body, other) || strings.Contains(got.body, a) {
			t.Errorf("%s shows a secret", path)
		}
	}
	// Nor can it at the native door, nor what stands there of management.
	for _, r := range [][3]string{
		{"GET", "/v1/accounts/acme/tokens", ""},
		{"POST", "/v1/accounts/acme/tokens", `{"permissions":{"allow":[{"resource":"/teams","actions":["read"]}]}}`},
		{"GET", "/v1/accounts/acme/tokens/" + w.id(other), ""},
		{"POST", "/v1/accounts/acme/tokens/" + w.id(other) + "/reveal", ""},
		{"POST", "/v1/sessions", ""},
		{"GET", "/v1/accounts/acme/tokens/" + w.id(other) + "/events", ""},
	} {
		if got := w.send(r[0], r[1], r[2], "Authorization", "Bearer "+a); got.status != 403 {
			t.Errorf("%s %s: %d %s", r[0], r[1], got.status, got.body)
		}
	}
	for _, path := range []string{"/token", "/token/x", "/account/acme", "/audit", "/catalog"} {
		w.as(a, "GET", "/guard"+path, "").is(t, 403, "cover")
	}
}

func TestTagsAreTheOwners(t *testing.T) {
	w := newWorld(t)
	other := w.open("other")
	a := w.create(w.session, `{"resource":"/teams","write":false,"tags":{"name":"mine"}}`)
	for _, r := range [][3]string{
		{"GET", "/tags", ""}, {"GET", "/tags/name", ""}, {"PATCH", "/tags", `{"name":"theirs"}`}, {"DELETE", "/tags/name", ""}, {"GET", "", ""}, {"PATCH", "", `{"tags":{"name":""}}`}, {"DELETE", "", ""},
	} {
		got := w.as(other, r[0], "/tokens/"+a+r[1], r[2])
		got.is(t, 404, "no such token")
		if strings.Contains(got.body, "mine") {
			t.Errorf("%s %s shows the tag", r[0], r[1])
		}
	}
	if got := w.list(other); len(got) != 0 {
		t.Errorf("another account lists %d tokens", len(got))
	}
	w.as(w.session, "GET", "/tokens/"+a+"/tags", "").is(t, 200, `{"name":"mine"}`)
}

func TestCreateKeepsTagsAndTakesNoRelativeResource(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":false,"tags":{"name":"x"}}`)
	if got := w.list(w.session); len(got) != 1 || got[0].Tags["name"] != "x" {
		t.Errorf("the tags of %d tokens got lost", len(got))
	}
	before := w.svc.Revision()
	for _, resource := range []string{"teams", "teams/17", "./teams", "", "  ", "*", `\\teams`} {
		w.as(w.session, "POST", "/tokens", `{"resource":"`+resource+`","write":false}`).is(t, 400, "resource")
		w.as(w.session, "PATCH", "/tokens/"+a, `{"resource":"`+resource+`"}`).is(t, 400, "resource")
	}
	if w.svc.Revision() != before {
		t.Error("something was written")
	}
}
