package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hallpass/api/client"
	"hallpass/api/wire"
)

func TestRemoteChecksAgainstAServer(t *testing.T) {
	root, url := start(t)
	issued, secret, err := root.IssueToken(t.Context(), "", wire.IssueToken{
		ID: "reader", Permissions: &wire.Permissions{Allow: []wire.Grant{{Resource: "/bucket/b1", Actions: []string{"read"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	remote := as(t, url, "").Remote(client.RemoteConfig{}) // the client's own token takes no part
	need := client.Need{Action: "read", Resource: "/bucket/b1", MinRevision: issued.Revision}
	d, err := remote.Check(t.Context(), secret, need)
	if err != nil || !d.Allowed || !d.Works || d.Code != "granted" || d.Account != "root" || d.Token != "reader" || d.Revision < issued.Revision {
		t.Fatalf("%+v, %v", d, err)
	}
	need.Action = "write"
	if d, err := remote.Check(t.Context(), secret, need); err != nil || d.Allowed || !d.Works || d.Code != "no_grant" {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, bad := range []client.Secret{"", "a\r\nb", "hp_unknown", secret[:len(secret)-1] + "~"} {
		if d, err := remote.Check(t.Context(), bad, need); err != nil || !reflect.DeepEqual(d, client.Decision{Code: client.CodeInvalidToken}) {
			t.Errorf("%+v, %v", d, err)
		}
	}
	_, err = remote.Check(t.Context(), secret, client.Need{Action: "read", Resource: "bucket"})
	mustBe(t, err, "invalid")
	if _, err := root.RevokeToken(t.Context(), "", "reader", wire.Reason{}); err != nil {
		t.Fatal(err)
	}
	if d, err := remote.Check(t.Context(), secret, need); err != nil || d.Works || d.Allowed {
		t.Fatalf("%+v, %v", d, err)
	}
}

// What a server is told of where a secret is used, and what it says of a
// derived token, arrives.
func TestRemotePassesOn(t *testing.T) {
	var from []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from = r.Header["X-Forwarded-For"]
		_, _ = io.WriteString(w, `{"allowed":true,"code":"granted","account":"a","token":"t","ancestors":["p","g"],"revision":7}`)
	}))
	defer s.Close()
	remote := as(t, s.URL, "").Remote(client.RemoteConfig{})
	d, err := remote.Check(t.Context(), "hp_x", client.Need{From: netip.MustParseAddr("192.0.2.4")})
	if err != nil || !slices.Equal(d.Ancestors, []string{"p", "g"}) || !slices.Equal(from, []string{"192.0.2.4"}) {
		t.Errorf("%+v, %v, from %q", d, err, from)
	}
	if _, err := remote.Check(t.Context(), "hp_x", client.Need{}); err != nil || from != nil {
		t.Errorf("%v, from %q although nobody said", err, from)
	}
}

func TestRemoteBelievesNoAnswerThatMakesNoSense(t *testing.T) {
	const good = `{"allowed":true,"code":"granted","account":"a","token":"t","revision":7}`
	for answer, want := range map[string]string{
		"200 " + good: "", // from before revision 8, see below
		"200 " + strings.Replace(good, "7", "8", 1):                     "allowed",
		`200 {"allowed":true}`:                                          "",
		`200 {"allowed":true,"code":"no_grant"}`:                        "",
		`200 hello`:                                                     "",
		"401 nginx says no":                                             "",
		`401 {"code":"invalid_token"}`:                                  "refused",
		`403 {"code":"invalid_token"}`:                                  "",
		`503 {"code":"stale"}`:                                          "",
		"302 " + strings.Replace(good, "7", "9", 1):                     "",
		strings.Replace("201 "+good, `"revision":7`, `"revision":9`, 1): "",
	} {
		status, body, _ := strings.Cut(answer, " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			t.Fatal(err)
		}
		var least string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			least = r.Header.Get("Hallpass-Min-Revision")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		})
		d, err := c.Remote(client.RemoteConfig{}).Check(t.Context(), "hp_other", client.Need{Action: "read", Resource: "/", MinRevision: 8})
		got := ""
		switch {
		case err == nil && d.Allowed:
			got = "allowed"
		case err == nil:
			got = "refused"
		}
		if got != want || least != "8" {
			t.Errorf("%s: got %q (%+v, %v), want %q", answer, got, d, err, want)
		}
	}
}
