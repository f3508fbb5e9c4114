package thinger

import (
	"strings"
	"testing"
)

// types returns the types of the records of a token of home, oldest first.
func (w *world) types(id string) string {
	w.t.Helper()
	var types []string
	for _, e := range w.native("GET", "/v1/accounts/home/tokens/"+id+"/events", "")["items"].([]any) {
		types = append(types, strings.TrimPrefix(e.(map[string]any)["type"].(string), "token."))
	}
	return strings.Join(types, " ")
}

// One token, seen through both doors.
func TestATokenOfThisDoorIsANativeOne(t *testing.T) {
	w := newWorld(t)
	bearer := w.create("t1", `"description":"D","allow":{"Device":{"d1":["GetDeviceStats","CloneToken"]}},"deny":{"Bucket":{"*":"*"}}`)
	shown := w.native("GET", "/v1/accounts/home/tokens/t1", "")
	for name, want := range map[string]any{"id": "t1", "origin": "thinger", "kind": "api", "state": "active", "name": "Name of t1", "description": "D"} {
		if got := shown[name]; got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if shown["revealable"] == true {
		t.Error("it can be shown again")
	}
	if got := text(t, shown["permissions"]); !strings.Contains(got, `"/device/d1"`) || !strings.Contains(got, `"unverified":true`) || !strings.Contains(got, `"/bucket"`) {
		t.Errorf("its permissions are %s", got)
	}
	by := w.as(bearer, "GET", "/v1/whoami", "")
	if by.status != 200 || !strings.Contains(by.body, `"t1"`) {
		t.Errorf("natively it is %d %s", by.status, by.body)
	}
	w.native("PATCH", "/v1/accounts/home/tokens/t1", `{"permissions":{"allow":[{"resource":"/device/*","actions":["read"]}],"deny":[{"resource":"/device/*","actions":["ListDevices"]}]}}`)
	got := w.done("GET", tokens+"/t1", "")
	if text(t, got.Allow) != `{"Device":{"*":["read"]}}` || got.Deny != nil {
		t.Errorf("edited natively, it shows as %+v", got)
	}
	w.done("PUT", tokens+"/t1", `{"allow":{"Device":{"*":["read"]},"Bucket":{"b":"*"}},"deny":{"Endpoint":{"*":"*"}}}`)
	after := text(t, w.native("GET", "/v1/accounts/home/tokens/t1", "")["permissions"])
	if strings.Count(after, `"/device/*"`) != 2 || !strings.Contains(after, `"/bucket/b"`) || !strings.Contains(after, `"/endpoint"`) {
		t.Errorf("what could not be said here did not stay: %s", after)
	}
	w.done("PUT", tokens+"/t1", `{"enabled":false}`)
	w.done("PUT", tokens+"/t1", `{"enabled":true,"name":"x"}`)
	w.as(w.home, "DELETE", tokens+"/t1", "").is(t, 200, `{}`)
	if got := w.types("t1"); got != "issued edited edited disabled edited revoked" {
		t.Errorf("its records are %s", got)
	}
}

// A first-match list shows as a union, and is one once it is changed here.
func TestAFirstMatchToken(t *testing.T) {
	w := newWorld(t)
	bearer := w.issue("home", "t1", `{"mode":"first_match","allow":[{"resource":"/device/d1","actions":["GetDeviceStats"]},{"resource":"/device","actions":["ListDevices"]}]}`)
	const shown = `{"Device":{"*":["ListDevices"],"d1":["GetDeviceStats"]}}`
	if got := w.done("PUT", tokens+"/t1", `{"name":"x","allow":`+shown+`}`); text(t, got.Allow) != shown {
		t.Errorf("got %s", text(t, got.Allow))
	}
	if got := w.may(bearer, "Device/d1", "ListDevices"); got != 403 {
		t.Errorf("put back as it was: %d", got)
	}
	w.done("PUT", tokens+"/t1", `{"allow":{"Device":{"*":["ListDevices"],"d1":["GetDeviceStats","UpdateDevice"]}}}`)
	for _, action := range []string{"ListDevices", "GetDeviceStats", "UpdateDevice"} {
		if got := w.may(bearer, "Device/d1", action); got != 200 {
			t.Errorf("%s: %d", action, got)
		}
	}
}

// A credential of another door is one here too, and may what it may.
func TestNativeCredentials(t *testing.T) {
	w := newWorld(t)
	session := w.native("POST", "/v1/sessions", `{"account":"home"}`)["secret"].(string)
	w.as(session, "POST", tokens, `{"token":"s1","name":"N","enabled":true,"allow":{"*":{"*":"*"}}}`)
	w.as(w.root, "POST", tokens, `{"token":"r1","name":"N","enabled":true,"allow":{"*":{"*":"*"}}}`)
	for _, id := range []string{"s1", "r1"} {
		if got := w.done("GET", tokens+"/"+id, ""); got.Token != id {
			t.Errorf("got %+v", got)
		}
	}
	if got := w.may(w.root, "Device/d1", "ListDevices"); got != 200 {
		t.Errorf("root at the guard of home: %d", got)
	}
	sessions := w.native("GET", "/v1/accounts/home/tokens?kind=session", "")["items"].([]any)
	id := sessions[0].(map[string]any)["id"].(string)
	w.as(w.home, "GET", tokens+"/"+id, "").is(t, 404, "no such token")
	w.as(w.home, "PUT", tokens+"/"+id, `{"name":"x"}`).is(t, 404, "no such token")
	w.as(w.home, "POST", tokens+"/"+id+"/clone", `{"token":"x"}`).is(t, 404, "no such token")
	w.as(w.home, "DELETE", tokens+"/"+id, "").is(t, 404, "no such token")
	w.as(w.home, "DELETE", tokens, `["`+id+`"]`).is(t, 404, "no such token")
	w.as(w.create("clerk", ""), "DELETE", tokens+"/"+id, "").is(t, 403, "may not")
	w.as(session, "GET", "/v1/users/home/guard/Device/d1?action=ListDevices", "").is(t, 200, `{}`)
}

// Each operation takes its Token action, and nobody hands out what he may not.
func TestRightsOnTokens(t *testing.T) {
	w := newWorld(t)
	w.create("t1", `"allow":{"Device":{"d1":["GetDeviceStats"]}}`)
	w.create("t2", "")
	const allow = `"allow":{"Device":{"d1":["GetDeviceStats"]}}`
	body := `{"token":"made","name":"N","enabled":true,` + allow + `}`
	operations := []struct{ method, path, body, takes string }{
		{"GET", tokens, "", "ListTokens"},
		{"POST", tokens, body, "CreateToken"},
		{"GET", tokens + "/t1", "", "ReadTokenConfig"},
		{"PUT", tokens + "/t1", `{"name":"x"}`, "UpdateToken"},
		{"PUT", tokens + "/t1", `{"allow":{}}`, "UpdateToken"},
		{"POST", tokens + "/t1/clone", `{"token":"made"}`, "ReadTokenConfig CreateToken"},
		{"DELETE", tokens + "/t1", "", "DeleteToken"},
		{"DELETE", tokens, `["t2"]`, "DeleteToken"},
	}
	names := strings.Fields(seed[4].actions)
	for i, o := range operations {
		takes := strings.Fields(o.takes)
		id := string(rune('a' + i))
		none := w.create("not_"+id, `"allow":{"*":{"*":"*"}},"deny":{"Token":{"*":["`+takes[len(takes)-1]+`"]}}`)
		w.as(none, o.method, o.path, o.body).is(t, 403, "may not")
		for _, name := range names {
			if strings.Contains(o.takes, name) {
				continue
			}
			other := w.create("other_"+name+id, `"allow":{"Token":{"*":["`+name+`"]},"Device":{"*":"*"}}`)
			if got := w.as(other, o.method, o.path, o.body); got.status != 403 {
				t.Errorf("%s %s with %s: %d", o.method, o.path, name, got.status)
			}
		}
	}
	for i, o := range operations {
		id := string(rune('a' + i))
		right := w.create("just_"+id, `"allow":{"Token":{"*":["`+strings.Join(strings.Fields(o.takes), `","`)+`"]},"Device":{"d1":["GetDeviceStats"]}}`)
		if got := w.as(right, o.method, o.path, o.body); got.status != 200 {
			t.Errorf("%s %s with %s: %d %s", o.method, o.path, o.takes, got.status, got.body)
		}
		w.as(w.home, "DELETE", tokens+"/made", "")
	}
}

func TestNobodyHandsOutMoreThanHeHas(t *testing.T) {
	w := newWorld(t)
	clerk := w.create("clerk", `"allow":{"Token":{"*":"*"},"Device":{"d1":"*"}},"deny":{"Device":{"d1":["DeleteDevice"]}}`)
	w.create("t1", `"allow":{"Device":{"d1":["GetDeviceStats"]}}`)
	w.create("big", `"allow":{"*":{"*":"*"}}`)
	create := func(allow string) answer {
		return w.as(clerk, "POST", tokens, `{"token":"made","name":"N","enabled":true,"allow":`+allow+`}`)
	}
	for _, allow := range []string{`{"*":{"*":"*"}}`, `{"Device":{"*":"*"}}`, `{"Device":{"d1":"*","d2":["GetDeviceStats"]}}`, `{"Bucket":{"b":["ReadBucket"]}}`} {
		create(allow).is(t, 403, "hand this out")
		w.as(clerk, "PUT", tokens+"/t1", `{"allow":`+allow+`}`).is(t, 403, "hand this out")
	}
	w.as(clerk, "POST", tokens+"/big/clone", `{"token":"made"}`).is(t, 403, "hand this out")
	if a := w.as(clerk, "PUT", tokens+"/clerk", `{"deny":{}}`); a.status == 200 && property(t, a.body, "deny") != `{"Device":{"d1":["DeleteDevice"]}}` {
		t.Errorf("it takes from itself what it is denied: %s", a.body)
	}

	// What he has he may give, and what he is denied goes with it.
	a := create(`{"Device":{"d1":"*"}}`)
	if a.status != 200 || property(t, a.body, "deny") != `{"Device":{"d1":["DeleteDevice"]}}` {
		t.Errorf("%d, deny %s", a.status, property(t, a.body, "deny"))
	}
	if got := w.may(w.done("POST", tokens+"/made/clone", `{"token":"again"}`).AccessToken, "Device/d1", "DeleteDevice"); got != 403 {
		t.Errorf("what was denied to the issuer: %d", got)
	}
}
