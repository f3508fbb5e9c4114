package thinger

import (
	"strings"
	"testing"
)

// No secret stands in a record, a log line, a metric, a header or a refusal, but
// for a bearer in the answer that makes it.
func TestNoSecretGetsOut(t *testing.T) {
	w := newWorld(t)
	a := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
	b := w.create("t2", `"allow":{"*":{"*":"*"}}`)
	w.native("POST", "/v1/accounts", `{"id":"old"}`)
	const brought = "0123456789abcdeffedcba98765432100f1e2d3c4b5a69788796a5b4c3d2e1f0" // as of the Telenor door: it could be an id
	w.native("POST", "/v1/accounts/old/tokens", `{"secret":"`+brought+`","permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`)
	const uuid = "1f0e2d3c-9b8a-4756-a4b3-c2d1e0f9a8b7" // as of the Crafter door
	w.native("POST", "/v1/accounts/old/tokens", `{"secret":"`+uuid+`"}`)
	secrets := []string{a, b, w.home, w.root, brought, uuid}
	for _, s := range secrets {
		if _, ok := w.svc.Holder(s); !ok {
			t.Fatal("a secret that opens nothing")
		}
	}
	var outside strings.Builder
	refused := 0
	for _, s := range secrets {
		for _, r := range []answer{
			w.as(s+"x", "GET", tokens, ""),
			w.send("GET", tokens+"?authorization="+s+"x", ""),
			w.as(w.home, "GET", "/"+"v1/users/"+s+"/tokens", ""),
			w.as(w.root, "GET", "/"+"v1/users/"+s+"/tokens", ""),
			w.as(w.home, "GET", tokens+"/"+s, ""),
			w.as(w.home, "PUT", tokens+"/"+s, `{}`),
			w.as(w.home, "DELETE", tokens+"/"+s, ""),
			w.as(w.home, "DELETE", tokens, `["`+s+`"]`),
			w.as(w.home, "POST", tokens+"/"+s+"/clone", `{"token":"x"}`),
			w.as(w.home, "POST", tokens, s),
			w.as(w.home, "POST", tokens, `{"`+s+`":1,"token":"x","name":"N","enabled":true}`),
			w.as(w.home, "POST", tokens, `{"token":"`+s+`","name":"N","enabled":true}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"`+s+`","enabled":true}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"description":"the bearer (`+s+`) is `+s+`."}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"expire":"`+s+`"}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"allow":{"`+s+`":{"*":"*"}}}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"allow":{"Device":{"`+s+`":"*"}}}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"deny":{"Device":{"d/`+s+`/x":"*"}}}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"deny":{"Device":{"d":["`+s+`"]}}}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"allow":{"Device":{"d":[{"`+s+`":"x"}]}}}`),
			w.as(w.home, "POST", tokens, `{"token":"x","name":"N","enabled":true,"allow":{"Device":{"d":[{"A":["x","`+s+`"]}]}}}`),
			w.as(w.home, "PUT", tokens+"/t1", `{"description":"`+s+`"}`),
			w.as(w.home, "GET", tokens+"?count="+s, ""),
			w.as(w.home, "GET", tokens+"/.."+s+"/..", ""),
			w.as(a, "GET", "/v1/users/home/guard/Bucket/"+s+"?action="+s, ""),
			w.as(a, "GET", "/v1/users/home/guard/"+s+"?action=x", ""),
			w.send("GET", tokens+"?authorization="+s, "", "Authorization", "Bearer "+s+"x"),
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
		if s != uuid { // which is what request ids look like
			outside.WriteString(w.send("GET", "/v1/server/assets", "", "X-Request-Id", s).header.Get("X-Request-Id"))
		}
	}
	for _, path := range []string{"", "/t1", "/t2"} {
		outside.WriteString(w.as(w.home, "GET", tokens+path, "").body)
	}
	outside.WriteString(w.as(w.home, "PUT", tokens+"/t1", `{"name":"x"}`).body)
	outside.WriteString(w.send("GET", "/metrics", "").body)
	outside.WriteString(w.logs.String())
	outside.WriteString(w.records())
	if !strings.Contains(outside.String(), "thinger") || refused < 100 {
		t.Error("nothing was looked through")
	}
	for i, s := range secrets {
		for _, part := range strings.Split(strings.TrimPrefix(s, "hp_"), ".") {
			if strings.HasPrefix(part, "eyJhbGci") {
				continue // the header is the same in all
			}
			if strings.Contains(outside.String(), part[3:min(40, len(part))]) {
				t.Errorf("secret %d got out", i)
			}
		}
	}
	if got := w.native("GET", "/v1/accounts/home/tokens", "")["items"].([]any); len(got) != 3 {
		t.Errorf("a refused request made something: %d tokens", len(got))
	}
}

// A bearer that a client still has in its object is not looked at in a PUT.
func TestAnAnswerCanBePutBack(t *testing.T) {
	w := newWorld(t)
	made := w.as(w.home, "POST", tokens, `{"token":"t1","name":"N","enabled":true,"allow":{"Device":{"*":"*"}},"expire":4102444800}`)
	if got := w.as(w.home, "PUT", tokens+"/t1", made.body); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := w.types("t1"); got != "issued" {
		t.Errorf("its records are %s", got)
	}
}
