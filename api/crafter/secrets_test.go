package crafter

import (
	"net/url"
	"strings"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// A token that is revoked while a list is made is not in it.
func TestATokenThatGoesWhileItIsListed(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"x"}`)
	native := w.nativeID(id)
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, "token.revealed") && strings.HasSuffix(string(e.Subject), native) {
			w.log.OnAppend(nil)
			w.as(w.root, "POST", "/"+id+"/delete", "").is(t, 200, "")
		}
		return eventstoretest.None
	})
	if got := w.list(w.master); len(got) != 1 {
		t.Errorf("%d tokens are listed", len(got))
	}
}

// No id stands in a record, a log line, a metric or a request id. In answers it
// stands where the platform has it: in the object, and in messages that name it.
func TestNoSecretGetsOut(t *testing.T) {
	w := newWorld(t)
	w.create(w.master, `{"application":"x","id":"`+chosen+`","tenantPermissions":[{"tenant":"a","allowedActions":["X"]}]}`)
	old := w.create(w.master, `{"application":"old","expiresOn":1}`)
	dead := w.create(w.master, `{"application":"dead"}`)
	w.as(w.master, "POST", "/"+dead+"/delete", "").is(t, 200, "")
	ids := []string{w.master, w.root, chosen, old, dead}
	for _, s := range ids {
		for _, r := range []answer{
			w.as(s, "GET", "/"+s+"x", ""),
			w.as(s, "PUT", "/"+s, ""),
			w.as(s, "GET", "/"+s+"/..", ""),
			w.as(s+"x", "GET", "/all", ""),
			w.as(w.master, "POST", "/create", s),
			w.as(w.master, "POST", "/create", `{"`+s+`":1}`),
			w.as(w.master, "POST", "/create", `{"application":"x","id":["`+s+`"]}`),
			w.as(w.master, "POST", "/create", `{"application":"x","expiresOn":"`+s+`"}`),
			w.as(w.master, "POST", "/create", `{"application":"x","id":"hp_`+s+`"}`),
			w.filter(s, s, s),
			w.send("GET", "/crafter-profile/"+s+"?accessTokenId="+s, ""),
			w.form(tokens+"/"+s+"x/y", "accessTokenId", s),
		} {
			if r.status < 400 {
				t.Errorf("%d %s", r.status, r.body)
			}
		}
		for _, body := range []string{
			`{"application":"` + s + `"}`, `{"application":"the token ` + s + ` of x"}`, `{"application":"x","tenantPermissions":[{"tenant":"` + s + `","allowedActions":["*"]}]}`,
			`{"application":"x","tenantPermissions":[{"tenant":"a","allowedActions":["` + s + `"]}]}`,
		} {
			w.as(w.master, "POST", "/create", body).says(t, 400, "PARAM_DESERIALIZATION_ERROR", "hold")
		}
		for _, given := range []string{s, "req-" + s} {
			for _, a := range []answer{
				w.send("GET", "/crafter-profile/api/1/filter?action=X&tenant=a&accessTokenId="+url.QueryEscape(s), "", "X-Request-Id", given),
				w.send("POST", tokens+"/"+s+"/delete?accessTokenId="+w.root+"x", "", "X-Request-Id", given),
				w.send("POST", tokens+"/create?accessTokenId="+w.master, `{"application":"x"}`, "X-Request-Id", given),
			} {
				if strings.Contains(a.header.Get("X-Request-Id"), s) {
					t.Errorf("a secret as a request id: %v", a.header)
				}
			}
		}
	}
	fresh := "0f7a3c55-0b5f-4d43-9a0e-6c1d2e8b94f7"
	ids = append(ids, fresh)
	w.as(w.master, "POST", "/create", `{"application":"`+fresh+`","id":"`+fresh+`"}`).says(t, 400, "PARAM_DESERIALIZATION_ERROR", "hold")
	a := w.send("POST", tokens+"/create?accessTokenId="+w.master, `{"application":"x","id":"`+fresh+`"}`, "X-Request-Id", "r:"+fresh)
	if w.created(a); a.header.Get("X-Request-Id") != "" {
		t.Error("the new secret is the request's id")
	}
	if a := w.send("GET", tokens+"/all?accessTokenId="+w.master, "", "X-Request-Id", "mine-1"); a.header.Get("X-Request-Id") != "mine-1" {
		t.Error("a request id got lost")
	}
	w.as(w.master, "POST", "/"+fresh+"/delete", "").is(t, 200, "")
	outside := w.send("GET", "/metrics", "").body + w.logs.String() + w.records()
	if !strings.Contains(outside, "crafter") || !strings.Contains(outside, "mine-1") {
		t.Error("nothing was looked through")
	}
	for i, s := range ids {
		if strings.Contains(outside, s[3:30]) {
			t.Errorf("secret %d got out", i)
		}
	}
}
