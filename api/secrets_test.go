package api

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"hallpass/eventstore"
)

// A secret is in the answer that makes it, and nowhere else: no record, log
// line, metric, problem or list, wherever a caller puts it by mistake.
func TestNoSecretGetsOut(t *testing.T) {
	w := newWorld(t)
	made := w.send(req{method: "POST", path: "/v1/accounts/root/tokens", bearer: w.root, body: `{"id":"a","name":"a"}`})
	var first, second struct{ Secret string }
	if err := json.Unmarshal([]byte(made.body), &first); err != nil || first.Secret == "" {
		t.Fatalf("issue: %d %v", made.status, err)
	}
	rotated := w.send(req{method: "POST", path: "/v1/accounts/root/tokens/a/rotate", bearer: w.root, body: `{"overlap":60}`})
	if err := json.Unmarshal([]byte(rotated.body), &second); err != nil || second.Secret == "" {
		t.Fatalf("rotate: %d %v", rotated.status, err)
	}
	var outside strings.Builder
	refused := 0
	for _, secret := range []string{first.Secret, second.Secret, w.root} {
		inQuery := url.QueryEscape(secret)
		for _, r := range []req{
			{method: "GET", path: "/v1/whoami", bearer: secret},
			{method: "GET", path: "/v1/whoami", bearer: secret[:50] + "x"},
			{method: "GET", path: "/v1/whoami?access_token=" + inQuery},
			{method: "GET", path: "/v1/" + secret, bearer: w.root},
			{method: "GET", path: "/v1/accounts/" + secret, bearer: w.root},
			{method: "DELETE", path: "/v1/accounts/root/tokens/" + secret, bearer: w.root},
			{method: "GET", path: "/v1/accounts/root/tokens?name=" + inQuery, bearer: w.root},
			{method: "GET", path: "/v1/accounts/root/tokens?cursor=" + inQuery, bearer: w.root},
			{method: "GET", path: "/v1/accounts/root/tokens?" + inQuery + "=1", bearer: w.root},
			{method: "POST", path: "/v1/accounts", bearer: w.root, body: `{"id":"` + secret + `"}`},
			{method: "POST", path: "/v1/accounts/root/tokens", bearer: w.root, body: `{"name":"my ` + secret + `"}`},
			{method: "POST", path: "/v1/accounts/root/tokens", bearer: w.root, body: `{"tags":{"key":"` + secret + `"}}`},
			{method: "POST", path: "/v1/accounts/root/tokens", bearer: w.root, body: `{"description":"` + secret + `"}`},
			{method: "POST", path: "/v1/accounts/root/tokens", bearer: w.root, body: `{"` + secret + `":1}`},
			{method: "POST", path: "/v1/accounts/root/tokens", bearer: w.root, body: `{"permissions":{"allow":[{"resource":"/` + secret + `","actions":["` + secret + `"]}]}}`},
			{method: "DELETE", path: "/v1/accounts/root/tokens/none?reason=" + inQuery + "&reason_text=" + inQuery, bearer: w.root},
			{method: "POST", path: "/v1/check", bearer: w.root, body: `{"action":"` + secret + `","resource":"/x"}`},
			{method: "POST", path: "/v1/check", bearer: w.root, body: `{"action":"read","resource":"/` + secret + `"}`},
			{method: "POST", path: "/v1/check", bearer: w.root, body: `{"action":"read","resource":"/x","secret":"` + secret + `"}`},
			{method: "POST", path: "/v1/check", bearer: w.root, body: secret},
			{method: "GET", path: "/v1/whoami", bearer: w.root, header: map[string]string{"X-Request-ID": secret}},
			{method: "GET", path: "/v1/whoami", bearer: w.root, header: map[string]string{"If-Match": secret}},
			{method: "GET", path: "/v1/whoami", header: map[string]string{"Authorization": "Basic " + secret}},
			{method: "GET", path: "/v1/accounts/root/tokens", bearer: w.root},
			{method: "GET", path: "/v1/accounts/root/tokens/a/events", bearer: w.root},
		} {
			a := w.send(r)
			if a.status >= 400 {
				refused++
			}
			outside.WriteString(a.body)
			for name, values := range a.header {
				outside.WriteString(name + ": " + strings.Join(values, ",") + "\n")
			}
		}
	}
	if refused < 40 {
		t.Errorf("only %d requests were refused: the mistakes are not made any more", refused)
	}
	outside.WriteString(w.send(req{method: "GET", path: "/metrics"}).body)
	outside.WriteString(w.logs.String())
	outside.WriteString(w.records())
	for _, secret := range []string{first.Secret, second.Secret, w.root} {
		if strings.Contains(outside.String(), secret[3:40]) {
			t.Errorf("a secret got out")
		}
	}
}

// records returns the data of every record of the log, end to end.
func (w *world) records() string {
	r, err := w.log.Read(w.t.Context(), 1)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	var all strings.Builder
	buf := make([]eventstore.Record, 64)
	for seen := eventstore.Seq(0); seen < w.proj.Position.At(); {
		n, err := r.Next(w.t.Context(), buf)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, rec := range buf[:n] {
			seen = rec.Seq
			all.WriteString(string(rec.Subject))
			all.Write(rec.Data)
		}
	}
	return all.String()
}
