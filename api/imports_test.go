package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
)

const brought1 = "9f2c4b8e7d1a0563b7c9e2f4a6d8013579bdf02468ace1357f8e6d4c2b0a9183"

func digestOf(secret string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(secret))) }

func TestImport(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	a := w.must(w.root, "POST", acmeTokens, `{"id":"clear","secret":"`+brought1+`",`+device+`}`)
	b := w.must(w.root, "POST", acmeTokens, `{"id":"digest","digest":"`+digestOf(brought1+"b")+`",`+device+`}`)
	for _, made := range []answer{a, b} {
		tok := read[wire.Token](t, made)
		if !tok.Imported || tok.Secret != "" || strings.Contains(made.body, brought1) {
			t.Errorf("the answer: %s", made.body)
		}
	}
	for _, secret := range []string{brought1, brought1 + "b"} {
		if got := w.asks(secret, askThermo); got != "granted" {
			t.Errorf("a secret that was brought is answered %s", got)
		}
	}
	for name, body := range map[string]string{
		"in clear, again":            `{"secret":"` + brought1 + `"}`,
		"as a digest":                `{"digest":"` + digestOf(brought1) + `"}`,
		"one of hallpass's own":      `{"digest":"` + digestOf(w.root) + `"}`,
		"of a token in this account": `{"id":"x","digest":"` + digestOf(brought1+"b") + `"}`,
	} {
		before := w.svc.Revision()
		refusedWith(t, w.as(w.root, "POST", acmeTokens, body), 409, "conflict")
		if w.svc.Revision() != before {
			t.Errorf("%s: something was written", name)
		}
	}
	// The token's own next generation may have it again, and no other one.
	w.must(w.root, "DELETE", acmeTokens+"/clear", "")
	refusedWith(t, w.as(w.root, "POST", acmeTokens, `{"id":"another","secret":"`+brought1+`"}`), 409, "conflict")
	w.must(w.root, "POST", acmeTokens, `{"id":"clear","secret":"`+brought1+`",`+device+`}`)
	if got := w.asks(brought1, askThermo); got != "granted" {
		t.Errorf("the next generation is answered %s", got)
	}
	if strings.Contains(w.logs.String(), brought1) {
		t.Error("a secret is in the log")
	}
}

func TestImportRefuses(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	for _, row := range []struct{ name, body, pointer string }{
		{"a weak one", `{"secret":"password-password-password"}`, "/secret"},
		{"a short one", `{"secret":"abc"}`, "/secret"},
		{"spaces", `{"secret":"9f2c4b8e7d1a0563 b7c9e2f4a6d8013579bdf02468ace1357"}`, "/secret"},
		{"one of ours, cut", `{"secret":"` + marker[:40] + `"}`, "/secret"},
		{"both", `{"secret":"` + brought1 + `","digest":"` + digestOf("x") + `"}`, "/digest"},
		{"no digest", `{"digest":"sha256:abc"}`, "/digest"},
		{"a digest without its name", `{"digest":"` + brought1 + `"}`, "/digest"},
		{"a digest that is too long", `{"digest":"` + digestOf("x") + `00"}`, "/digest"},
		{"a digest that is none", `{"digest":"sha256:` + strings.Repeat("0", 64) + `"}`, "/digest"},
		{"a digest to be shown", `{"revealable":true,"digest":"` + digestOf("x") + `"}`, "/revealable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := w.as(w.root, "POST", acmeTokens, row.body)
			p := refusedWith(t, a, 422, "invalid")
			if len(p.Errors) == 0 || p.Errors[0].Pointer != row.pointer {
				t.Errorf("%+v", p.Errors)
			}
			for _, part := range []string{brought1, "password-", marker[:20]} {
				if strings.Contains(a.body, part) || strings.Contains(w.logs.String(), part) {
					t.Errorf("the secret shows: %s", a.body)
				}
			}
		})
	}
	weak := newWorldOver(t, eventstore.NewMemory(eventstore.MemoryConfig{}), ServiceConfig{AllowWeakSecrets: true})
	weak.open("acme")
	weak.must(weak.root, "POST", acmeTokens, `{"secret":"password-password-password",`+device+`}`)
	if got := weak.asks("password-password-password", askThermo); got != "granted" {
		t.Errorf("where the operator allows it: %s", got)
	}
}

// A node that does not know yet that a secret is another token's learns it from
// the record, and says so.
func TestImportThatLosesItsSecret(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	w := newWorldOver(t, log, ServiceConfig{})
	w.open("acme")
	there, release := w.hold("token.issued")
	body := `{"id":"late","secret":"` + brought1 + `"}`
	got := w.meanwhile(req{method: "POST", path: acmeTokens, bearer: w.root, body: body})
	<-there
	w.must(w.root, "POST", acmeTokens, `{"id":"first","secret":"`+brought1+`"}`)
	release()
	refusedWith(t, <-got, 409, "conflict")
	owner, ok := w.proj.Index.Owner(domain.Digest(sha256.Sum256([]byte(brought1))))
	if !ok || owner.Token != "first" {
		t.Errorf("it is %v's", owner)
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if strings.Contains(rec.Body.String(), brought1) {
		t.Error("a secret is in the metrics")
	}
}

// What an Import says is what the token then is.
func TestImportBody(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	secret, err := domain.ParseBearer(brought1)
	if err != nil {
		t.Fatal(err)
	}
	want := Import{Secret: secret, IssueToken: domain.IssueToken{
		Token: "x", Name: "n", Description: "d", Origin: "nbiot", Disabled: true, Immutable: true,
		Tags: []domain.Tag{{Key: "a", Value: "b"}}, NotBefore: 1_000_001, ExpiresAt: 1_704_067_200_123,
		Permissions: domain.Permissions{
			Mode:  domain.FirstMatch,
			Allow: []domain.Grant{{Resource: "/made-up/one", Actions: []domain.Action{"Some", "read"}, Unverified: true}},
			Deny:  []domain.Grant{{Resource: "/token", Actions: []domain.Action{"*"}}},
		},
	}}
	body, err := json.Marshal(want.Body())
	if err != nil {
		t.Fatal(err)
	}
	w.must(w.root, "POST", acmeTokens, string(body))
	state, _ := w.proj.Directory.State(domain.Target{Account: "acme", Token: "x"})
	got := state.Token
	if got.Name != want.Name || got.Description != want.Description || got.Origin != want.Origin || got.Enabled || !got.Immutable || !got.Imported ||
		!reflect.DeepEqual(got.Tags, want.Tags) || got.NotBefore != want.NotBefore || got.ExpiresAt != want.ExpiresAt ||
		!reflect.DeepEqual(got.Permissions, want.Permissions) || got.Secrets[0].Digest != secret.Digest() {
		t.Errorf("got %+v\nwant %+v", got, want.IssueToken)
	}
}
