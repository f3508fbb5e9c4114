package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequest: no request causes a 5xx, and none gets back a value that has the
// shape of a secret, but where one is issued.
func FuzzRequest(f *testing.F) {
	w := newQuietWorld(f)
	close(w.stop) // event streams end at once
	for _, rt := range w.h.routes {
		path := strings.NewReplacer("{account}", "root", "{token}", "t").Replace(rt.path)
		f.Add(rt.method, path, `{"id":"t","name":"n","tags":{"a":null},"overlap":1,"permissions":{"allow":[{"resource":"/","actions":["*"]}]}}`, `"3"`, true)
		f.Add(rt.method, path+"?wait=all&limit=1&after=1&reason=policy", `{"action":"read","resource":"/","secret":"`+marker+`","reason":"policy","checks":[{}]}`, "", true)
	}
	f.Add("POST", "/v1/accounts/"+marker+"/tokens", `{"`+marker+`":"`+marker+`"}`, marker, false)
	f.Fuzz(func(t *testing.T, method, target, body, header string, known bool) {
		r, ok := request(method, target, body)
		if !ok {
			t.Skip("net/http reads no such request")
		}
		if known {
			r.Header.Set("Authorization", "Bearer "+w.root)
		} else {
			r.Header.Set("Authorization", header)
		}
		for _, name := range []string{"If-Match", "Last-Event-Id", "X-Request-Id", "Content-Encoding"} {
			if header != "" {
				r.Header.Set(name, header)
			}
		}
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		if rec.Code >= 500 && r.URL.Path != "/readyz" && !strings.Contains(rec.Body.String(), `"key_missing"`) { // the one says that the node is stopping, the other that it has no keyring
			t.Fatalf("%s %q: %d %s", method, target, rec.Code, rec.Body)
		}
		if strings.Contains(rec.Body.String(), marker) {
			t.Fatalf("%s %q echoes a secret: %s", method, target, rec.Body)
		}
		if rec.Code >= 400 && rec.Header().Get("Content-Type") != "application/problem+json" && r.URL.Path != "/readyz" {
			t.Fatalf("%s %q: a %d that is no problem", method, target, rec.Code)
		}
	})
}

// request makes a request as net/http would read it; false if it would not.
func request(method, target, body string) (_ *http.Request, ok bool) {
	defer func() { ok = recover() == nil }() // httptest.NewRequest panics on what can't be read
	if method == "" || strings.ContainsAny(method, " \r\n") || strings.ContainsAny(target, " \r\n") {
		panic("not one line")
	}
	return httptest.NewRequest(method, target, strings.NewReader(body)), true
}
