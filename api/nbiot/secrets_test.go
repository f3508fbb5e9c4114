package nbiot

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// Lists show every secret, in the order in which the tokens were made; a record
// stands behind each.
func TestListsShowSecrets(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 40 {
		want = append(want, w.create(w.session, fmt.Sprintf(`{"resource":"/teams/%d","write":false}`, i)))
	}
	var got []string
	for _, made := range w.list(w.session) {
		got = append(got, made.Token)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d tokens, or in another order", len(got))
	}
	for _, secret := range want {
		if got := w.types(w.id(secret)); got != "issued revealed" {
			t.Errorf("the records of one are: %s", got)
		}
	}
}

// A token that is revoked while a list is made is not in it.
func TestATokenThatGoesWhileItIsListed(t *testing.T) {
	w := newWorld(t)
	a, b := w.create(w.session, teams), w.create(w.session, teams)
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, "token.revealed") && strings.HasSuffix(string(e.Subject), w.id(a)) {
			w.log.OnAppend(nil)
			w.as(w.session, "DELETE", "/tokens/"+a, "").is(t, 204, "")
		}
		return eventstoretest.None
	})
	if got := w.list(w.session); len(got) != 1 || got[0].Token != b {
		t.Errorf("the list is %d long", len(got))
	}
}

// Without a keyring nothing can be made or shown; what is there works on.
func TestANodeWithoutItsKey(t *testing.T) {
	w := newWorldWith(t, nil)
	w.as(w.session, "POST", "/tokens", teams).is(t, 503, "key")
	w.as(w.session, "GET", "/tokens", "").is(t, 200, `{"tokens":[]}`)
}

// No secret stands in a record, a log line, a metric, a header or a refusal.
func TestNoSecretGetsOut(t *testing.T) {
	w := newWorld(t)
	a := w.create(w.session, `{"resource":"/teams","write":false,"tags":{"name":"x"}}`)
	b := w.create(w.session, teams)
	foreign := w.create(w.open("other"), teams)
	secrets := []string{a, b, foreign, w.session, w.root}
	var outside strings.Builder
	refused := 0
	for _, s := range secrets {
		for _, r := range []answer{
			w.as(s, "GET", "/tokens/"+s+"x", ""),
			w.as(w.session, "GET", "/"+s, ""),
			w.as(w.session, "GET", "/tokens/"+s+"/"+s, ""),
			w.as(w.session, "GET", "/tokens/"+s+"/tags/"+s, ""),
			w.as(w.session, "PUT", "/tokens/"+s, ""),
			w.as(w.session, "GET", "/tokens/"+s+"/..", ""),
			w.as(w.session, "POST", "/tokens", s),
			w.as(w.session, "POST", "/tokens", `{"`+s+`":1,"resource":"`+s+`","write":"`+s+`"}`),
			w.as(w.session, "POST", "/tokens", `{"resource":"/teams","write":"`+s+`"}`),
			w.as(w.session, "POST", "/tokens", `{"resource":"/x/`+s+`","write":false}`),
			w.as(w.session, "POST", "/tokens", `{"resource":"/x","write":false,"tags":{"a":"is `+s+`"}}`),
			w.as(w.session, "POST", "/tokens", `{"resource":"/x","write":false,"tags":{"`+s+`":"a"}}`),
			w.as(w.session, "PATCH", "/tokens/"+a, `{"resource":"/`+s+`"}`),
			w.as(w.session, "PATCH", "/tokens/"+a, `{"tags":{"a":"`+s+`"}}`),
			w.as(w.session, "PATCH", "/tokens/"+a+"/tags", `{"a":"`+s+`"}`),
			w.as(s+"x", "GET", "/", ""),
			w.as(a, "GET", "/guard/"+s, ""),
			w.send("GET", "/nbiot/tokens", "", "X-API-Token", s, "Authorization", "Bearer "+s+"x"),
		} {
			if r.status < 400 {
				t.Errorf("%d %s", r.status, r.body)
			}
			refused++
			outside.WriteString(r.body)
			for name, values := range r.header {
				outside.WriteString(name + ": " + strings.Join(values, ",") + "\n")
			}
		}
		r := w.send("GET", "/nbiot/", "", "X-API-Token", s, "X-Request-Id", s)
		r.is(t, 200, `{}`)
		outside.WriteString(r.header.Get("X-Request-Id"))
	}
	w.list(w.session)
	w.as(w.session, "GET", "/tokens/"+a, "")
	w.as(w.session, "DELETE", "/tokens/"+b, "").is(t, 204, "")
	outside.WriteString(w.send("GET", "/metrics", "").body)
	outside.WriteString(w.logs.String())
	outside.WriteString(w.records())
	if !strings.Contains(outside.String(), "nbiot") || refused < 80 {
		t.Error("nothing was looked through")
	}
	for i, s := range secrets {
		if strings.Contains(outside.String(), s[3:40]) {
			t.Errorf("secret %d got out", i)
		}
	}
	if got := w.list(w.session); len(got) != 1 || len(got[0].Tags) != 1 {
		t.Error("a refused request changed something")
	}
}
