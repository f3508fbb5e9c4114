package nbiot

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// types returns the types of a token's records, oldest first.
func (w *world) types(id string) string {
	w.t.Helper()
	var types []string
	for _, e := range w.native(w.root, "GET", "/v1/accounts/acme/tokens/"+id+"/events", "")["items"].([]any) {
		types = append(types, strings.TrimPrefix(e.(map[string]any)["type"].(string), "token."))
	}
	return strings.Join(types, " ")
}

// One token, seen through both doors.
func TestATokenOfThisDoorIsANativeOne(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":true,"tags":{"name":"x"}}`)
	id := w.id(a)
	at := "/v1/accounts/acme/tokens/" + id
	shown := w.native(w.root, "GET", at, "")
	for name, want := range map[string]any{"id": id, "origin": "nbiot", "kind": "api", "state": "active", "revealable": true, "immutable": nil} {
		if got := shown[name]; got != want && (want != nil || got != false) {
			t.Errorf("%s is %v", name, got)
		}
	}
	if len(id) != 26 || strings.Contains(a, strings.ToLower(id)) {
		t.Errorf("the id %s is no ULID", id)
	}
	permissions, _ := json.Marshal(shown["permissions"])
	if got, want := string(permissions), `{"allow":[{"actions":["read","write"],"resource":"/teams"}],"deny":[{"actions":["*"],"resource":"/token"},{"actions":["*"],"resource":"/account"},{"actions":["*"],"resource":"/audit"},{"actions":["*"],"resource":"/catalog"}],"mode":"union"}`; got != want {
		t.Errorf("its permissions are %s", got)
	}
	listed := w.native(w.root, "GET", "/v1/accounts/acme/tokens?origin=nbiot", "")["items"].([]any)
	if len(listed) != 1 || listed[0].(map[string]any)["id"] != id {
		t.Errorf("natively %d tokens are listed", len(listed))
	}
	w.as(w.session, "GET", "/tokens", "")
	w.as(w.session, "GET", "/tokens/"+a, "")
	w.as(w.session, "PATCH", "/tokens/"+a, `{"write":false}`)
	if got := w.types(id); got != "issued revealed revealed edited" {
		t.Errorf("its records are: %s", got)
	}
	for _, e := range w.native(w.root, "GET", at+"/events", "")["items"].([]any) {
		if actor := e.(map[string]any)["actor"].(map[string]any); actor["account"] != "acme" || actor["token"] != w.id(w.session) {
			t.Errorf("a record was written by %v", actor)
		}
	}

	w.native(w.root, "POST", at+"/disable", "")
	w.as(a, "GET", "/guard/teams", "").is(t, 401, "does not work")
	w.as(w.session, "GET", "/tokens/"+a, "").is(t, 200, `{"resource":"/teams","write":false,"token":"`+a+`","tags":{"name":"x"}}`)
	w.native(w.root, "POST", at+"/enable", "")
	w.as(a, "GET", "/guard/teams", "").is(t, 200, `{}`)

	w.native(w.root, "DELETE", at, "")
	w.as(a, "GET", "/guard/teams", "").is(t, 401, "does not work")
	w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 404, "no such token")
	if got := w.list(w.session); len(got) != 0 {
		t.Errorf("%d tokens are listed", len(got))
	}
}

// A call here is a use of its token there: of a session's as of a guarded one's.
func TestUsesCount(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	w.list(w.session)
	w.as(a, "GET", "/guard/teams", "").is(t, 200, `{}`)
	w.as(a, "POST", "/guard/teams", "").is(t, 403, "")
	for secret, want := range map[string]float64{a: 2, w.session: 2} {
		used, _ := w.native(w.root, "GET", "/v1/accounts/acme/tokens/"+w.id(secret), "")["last_used"].(map[string]any)
		if used["count"] != want {
			t.Errorf("used %v, want %v times", used["count"], want)
		}
	}
}

// A delete here is a revoke there.
func TestADeletedTokenIsRevoked(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	id := w.id(a)
	w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 204, "")
	w.as(a, "GET", "/guard/teams", "").is(t, 401, "does not work")
	if got := w.native(w.root, "GET", "/v1/accounts/acme/tokens/"+id, "")["state"]; got != "revoked" {
		t.Errorf("natively it is %v", got)
	}
}

// Of two deletes at once one finds the token.
func TestTwoDeletesAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, "token.revoked") {
			w.log.OnAppend(nil)
			w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 204, "")
		}
		return eventstoretest.None
	})
	w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 404, "no such token")
}

// Native tokens and sessions are no tokens of this door.
func TestOtherTokensAreNotHere(t *testing.T) {
	w := newWorld(t)
	native := w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"id":"n","permissions":{"allow":[{"resource":"/teams","actions":["read"]}]}}`)["secret"].(string)
	const brought = "9f2c4b8e7d1a0563b7c9e2f4a6d8013579bdf02468ace1357f8e6d4c2b0a9183"
	w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"id":"b","secret":"`+brought+`","permissions":{"allow":[{"resource":"/teams","actions":["read"]}]}}`)
	for _, secret := range []string{native, brought, w.session} {
		w.as(w.session, "GET", "/tokens/"+secret, "").is(t, 404, "no such token")
		w.as(w.session, "DELETE", "/tokens/"+secret, "").is(t, 404, "no such token")
		w.as(secret, "GET", "/guard/teams", "").is(t, 200, `{}`)
	}
	if got := w.list(w.session); len(got) != 0 {
		t.Errorf("%d tokens are listed", len(got))
	}
}

// What was edited natively into more than this form can say is shown, and its
// tags changed; its rights are left alone.
func TestWhatThisFormCannotSay(t *testing.T) {
	for name, allow := range map[string]string{
		"two grants": `{"resource":"/teams","actions":["read"]},{"resource":"/devices","actions":["read"]}`,
		"a name":     `{"resource":"/bucket","actions":["ReadBucket"]}`,
		"write only": `{"resource":"/teams","actions":["write"]}`,
		"nothing":    ``,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.create(w.session, teams)
			at := "/v1/accounts/acme/tokens/" + w.id(a)
			w.native(w.root, "PATCH", at, `{"permissions":{"allow":[`+allow+`]}}`)
			before, _ := json.Marshal(w.native(w.root, "GET", at, "")["permissions"])
			w.as(w.session, "PATCH", "/tokens/"+a, `{"write":true}`).is(t, 409, "edit them where")
			if got := w.as(w.session, "PATCH", "/tokens/"+a, `{"tags":{"a":"b"}}`); got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
			if got := w.list(w.session); len(got) != 1 || got[0].Tags["a"] != "b" {
				t.Errorf("the list is %d long", len(got))
			}
			if after, _ := json.Marshal(w.native(w.root, "GET", at, "")["permissions"]); string(after) != string(before) {
				t.Errorf("from %s to %s", before, after)
			}
		})
	}
}

// A PATCH takes no deny away, and puts this door's own back.
func TestPatchKeepsWhatIsDenied(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/","write":true}`)
	at := "/v1/accounts/acme/tokens/" + w.id(a)
	w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`)
	w.native(w.root, "PATCH", at, `{"permissions":{"allow":[{"resource":"/","actions":["*"]}],"deny":[{"resource":"/teams/secret","actions":["*"]}]}}`)
	w.as(w.session, "PATCH", "/tokens/"+a, `{"write":true}`).is(t, 200, `{"resource":"/","write":true,"token":"`+a+`"}`)
	w.as(a, "GET", "/guard/teams", "").is(t, 200, `{}`)
	w.as(a, "GET", "/guard/teams/secret/x", "").is(t, 403, "cover")
	w.as(a, "GET", "/guard/token/x", "").is(t, 403, "cover")
}

// A session hands out no more than it may do itself.
func TestASessionThatMayNot(t *testing.T) {
	w := newWorld(t)
	narrow := w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"permissions":{"allow":[{"resource":"/","actions":["*"]}],"deny":[{"resource":"/teams","actions":["*"]},{"resource":"/token","actions":["RevealToken","DeleteToken"]}]}}`)["secret"].(string)
	session := w.native(narrow, "POST", "/v1/sessions", "")["secret"].(string)
	a := w.create(session, `{"resource":"/","write":true}`)
	w.as(a, "GET", "/guard/teams", "").is(t, 403, "cover") // what the session is denied, its tokens are
	w.as(a, "GET", "/guard/devices", "").is(t, 200, `{}`)
	w.as(session, "PATCH", "/tokens/"+a, `{"resource":"/teams"}`).is(t, 200, `{"resource":"/teams","write":true,"token":"`+a+`"}`)
	w.as(a, "GET", "/guard/teams", "").is(t, 403, "cover")
	w.as(session, "DELETE", "/tokens/"+a, "").is(t, 403, "may not")
	w.as(session, "GET", "/tokens/"+a, "").is(t, 403, "may not")
	// It sees that they are there, and not what opens them.
	got := w.list(session)
	if len(got) != 1 || slices.ContainsFunc(got, func(t token) bool { return t.Token != "" }) {
		t.Errorf("%d tokens are listed, or with secrets", len(got))
	}

	narrow = w.native(w.root, "POST", "/v1/accounts/acme/tokens", `{"permissions":{"allow":[{"resource":"/","actions":["*"]}],"deny":[{"resource":"/token","actions":["UpdateToken","ListTokens","ReadTokenConfig"]}]}}`)["secret"].(string)
	session = w.native(narrow, "POST", "/v1/sessions", "")["secret"].(string)
	for _, r := range [][3]string{{"GET", "", ""}, {"GET", "/" + a, ""}, {"PATCH", "/" + a, `{"write":false}`}, {"GET", "/" + a + "/tags", ""}, {"PATCH", "/" + a + "/tags", `{"a":"b"}`}} {
		w.as(session, r[0], "/tokens"+r[1], r[2]).is(t, 403, "may not")
	}
}

// A secret that was made natively is shown and taken as any other.
func TestARotatedToken(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, teams)
	second := w.native(w.root, "POST", "/v1/accounts/acme/tokens/"+w.id(a)+"/rotate", `{"overlap":3600}`)["secret"].(string)
	for _, secret := range []string{a, second} {
		w.as(w.session, "GET", "/tokens/"+secret, "").is(t, 200, `{"resource":"/teams","write":false,"token":"`+second+`"}`)
		w.as(secret, "GET", "/guard/teams", "").is(t, 200, `{}`)
	}
	if got := w.list(w.session); len(got) != 1 || got[0].Token != second {
		t.Errorf("the list is %d long", len(got))
	}
}

// Every code that a domain refusal may have comes out as a status of the
// platform, with a message.
func TestRefusals(t *testing.T) {
	for code, r := range refusals {
		if !slices.Contains([]int{400, 401, 403, 404, 409, 429, 500, 503}, r.Status) {
			t.Errorf("%s is answered with %d", code, r.Status)
		}
		if r.Message == "" && r.Status != 400 {
			t.Errorf("%s is answered with a detail of the domain", code)
		}
	}
	for _, code := range []domain.Code{
		domain.CodeStale, domain.CodeNotReady, domain.CodeUnknown, domain.CodeNotFenced, domain.CodeHistoryDiffers,
		domain.CodeReplicaDamaged, domain.CodeStreamFull, domain.CodeUpgrading, domain.CodeKeyMissing,
	} {
		if refusals[code].Status != 503 {
			t.Errorf("%s is answered with %d", code, refusals[code].Status)
		}
	}
}
