package api

import (
	"strings"
	"testing"
	"time"

	"hallpass/api/wire"
)

func TestSession(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	boss := w.issue("acme", `{"id":"boss",`+everything+`}`).Secret
	a := w.must(boss, "POST", "/v1/sessions", `{"account":"acme","expires_in":60,"name":"alice"}`)
	s := read[wire.Token](t, a)
	if a.status != 201 || s.Kind != "session" || s.Secret == "" || s.Account != "acme" || s.Name != "alice" || !s.Immutable || s.IssuedBy != "acme/boss" ||
		s.ExpiresAt == nil || s.ExpiresAt.Sub(s.CreatedAt) > time.Minute || a.header.Get("Location") != acmeTokens+"/"+s.ID {
		t.Fatalf("opened: %d %s", a.status, a.body)
	}
	me := read[wire.Whoami](t, w.must(s.Secret, "GET", "/v1/whoami", ""))
	if me.Kind != "session" || me.ExpiresAt == nil || me.AccountState != "open" {
		t.Errorf("whoami: %+v", me)
	}
	w.must(s.Secret, "POST", acmeTokens, `{"id":"made",`+device+`}`)
	refusedWith(t, w.as(s.Secret, "POST", "/v1/sessions", `{}`), 403, "forbidden") // it would last for ever
	for query, want := range map[string]string{"": "boss made", "?kind=api": "boss made", "?kind=session": s.ID, "?kind=all": "boss " + s.ID + " made"} {
		list := read[wire.List[wire.Token]](t, w.must(boss, "GET", acmeTokens+query, ""))
		var ids []string
		for _, tok := range list.Items {
			ids = append(ids, tok.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s lists %s, want %s", query, got, want)
		}
	}
	w.advance(61_000)
	refusedWith(t, w.as(s.Secret, "GET", "/v1/whoami", ""), 401, "invalid_token")
}

func TestSessionRefuses(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.open("other")
	boss := w.issue("acme", `{"id":"boss",`+everything+`}`).Secret
	maker := w.issue("acme", `{"id":"maker","permissions":{"allow":[{"resource":"/token","actions":["*"]}]}}`).Secret
	reader := w.issue("acme", `{"id":"reader",`+device+`}`).Secret
	for _, row := range []struct {
		name, bearer, body string
		status             int
		code, pointer      string
	}{
		{"no right to make tokens", reader, `{}`, 403, "forbidden", ""},
		{"less than all rights", maker, `{}`, 403, "forbidden", ""},
		{"another account", boss, `{"account":"other"}`, 403, "forbidden", ""},
		{"no account", w.root, `{"account":"nobody"}`, 404, "not_found", ""},
		{"no id", w.root, `{"account":"a b"}`, 422, "invalid", "/account"},
		{"too long", boss, `{"expires_in":43201}`, 422, "invalid", "/expires_in"},
		{"over already", boss, `{"expires_in":-1}`, 422, "invalid", "/expires_in"},
		{"half a second", boss, `{"expires_in":0.5}`, 422, "invalid", "/expires_in"},
		{"a field of tokens", boss, `{"permissions":{}}`, 422, "invalid", "/permissions"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := refusedWith(t, w.as(row.bearer, "POST", "/v1/sessions", row.body), row.status, row.code)
			if row.pointer != "" && p.Errors[0].Pointer != row.pointer {
				t.Errorf("%+v", p.Errors)
			}
		})
	}
	refusedWith(t, w.as(boss, "POST", acmeTokens, `{"kind":"session"}`), 422, "invalid")
	s := read[wire.Token](t, w.must(w.root, "POST", "/v1/sessions", `{"account":"acme","expires_in":43200}`))
	refusedWith(t, w.as(w.root, "POST", acmeTokens+"/"+s.ID+"/rotate", ""), 409, "immutable")
}

// Anyone may end the own token, and nothing else by that.
func TestRevokeSelf(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	boss := w.issue("acme", `{"id":"boss",`+everything+`}`).Secret
	reader := w.issue("acme", `{"id":"reader",`+device+`}`).Secret
	twin := w.issue("acme", `{"id":"twin",`+device+`}`).Secret
	a := w.must(reader, "POST", "/v1/self/revoke", `{"reason":"no_longer_needed"}`)
	gone := read[wire.Token](t, a)
	if gone.ID != "reader" || gone.State != "revoked" || gone.Reason != "no_longer_needed" || a.header.Get("Hallpass-Wait") != "all" {
		t.Errorf("%v %s", a.header, a.body)
	}
	refusedWith(t, w.as(reader, "GET", "/v1/whoami", ""), 401, "invalid_token")
	refusedWith(t, w.as(reader, "POST", "/v1/self/revoke", ""), 401, "invalid_token")
	refusedWith(t, w.as(twin, "DELETE", acmeTokens+"/boss", ""), 403, "forbidden")
	w.must(twin, "DELETE", acmeTokens+"/twin", "")
	refusedWith(t, w.as(boss, "POST", "/v1/self/revoke", ""), 409, "last_manager")
	s := read[wire.Token](t, w.must(boss, "POST", "/v1/sessions", `{}`))
	w.must(s.Secret, "POST", "/v1/self/revoke?reason=unspecified", "")
	w.must(boss, "POST", "/v1/self/revoke?force=true", "")
}

func TestEditAccount(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	const path = "/v1/accounts/acme"
	boss := w.issue("acme", `{"id":"boss",`+everything+`}`).Secret
	for _, row := range []struct{ patch, want string }{
		{`{"name":"Acme"}`, `"name":"Acme"`},
		{`{"tokens_managed_by":"sessions"}`, `"tokens_managed_by":"sessions"`},
		{`{"id":"acme","state":"open","name":null}`, `"name":"","state":"open"`},
		{`{}`, `"tokens_managed_by":"sessions"`},
	} {
		if a := w.must(w.root, "PATCH", path, row.patch); !strings.Contains(a.body, row.want) || a.header.Get("Hallpass-Revision") == "" {
			t.Errorf("%s: %s", row.patch, a.body)
		}
	}
	refusedWith(t, w.as(boss, "POST", acmeTokens, `{}`), 403, "forbidden")
	refusedWith(t, w.as(boss, "GET", acmeTokens, ""), 403, "forbidden")
	refusedWith(t, w.as(boss, "POST", "/v1/sessions", `{}`), 403, "forbidden")
	if got := w.asks(boss, `{"action":"ListTokens","resource":"/token"}`); got != "sessions_only" {
		t.Errorf("a check about tokens: %s", got)
	}
	if got := w.asks(boss, askThermo); got != "granted" {
		t.Errorf("a check about a device: %s", got)
	}
	s := read[wire.Token](t, w.must(w.root, "POST", "/v1/sessions", `{"account":"acme"}`))
	w.must(s.Secret, "POST", acmeTokens, `{"id":"made"}`)
	w.must(w.root, "PATCH", path, `{"tokens_managed_by":null}`)
	w.must(boss, "GET", acmeTokens, "")
	for _, row := range []struct {
		bearer, path, patch string
		status              int
		code                string
	}{
		{w.root, path, `{"tokens_managed_by":"nobody"}`, 422, "invalid"},
		{w.root, path, `{"tokens_managed_by":7}`, 422, "invalid"},
		{w.root, path, `{"name":7}`, 422, "invalid"},
		{w.root, path, `{"state":"closed"}`, 422, "invalid"},
		{w.root, path, `{"owner":"x"}`, 422, "invalid"},
		{w.root, path, `[]`, 422, "invalid"},
		{w.root, "/v1/accounts/root", `{"tokens_managed_by":"sessions"}`, 422, "invalid"},
		{w.root, "/v1/accounts/nobody", `{"name":"x"}`, 404, "not_found"},
		{boss, path, `{"name":"x"}`, 403, "forbidden"},
		{boss, path, `{"owner":"x"}`, 403, "forbidden"},
	} {
		refusedWith(t, w.as(row.bearer, "PATCH", row.path, row.patch), row.status, row.code)
	}
	opened := w.must(w.root, "POST", "/v1/accounts", `{"id":"strict","tokens_managed_by":"sessions"}`)
	if !strings.Contains(opened.body, `"tokens_managed_by":"sessions"`) {
		t.Errorf("opened so: %s", opened.body)
	}
	refusedWith(t, w.as(w.root, "POST", "/v1/accounts", `{"id":"odd","tokens_managed_by":"x"}`), 422, "invalid")
	w.must(w.root, "POST", path+"/close", "")
	refusedWith(t, w.as(w.root, "PATCH", path, `{"name":"x"}`), 409, "account_closed")
}

func TestRotationTellsHowLongTheOldSecretsWork(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	path := acmeTokens + "/t/rotate"
	w.issue("acme", `{"id":"t"}`)
	a := read[wire.Token](t, w.must(w.root, "POST", path, `{"overlap":60}`))
	if a.Previous == nil || a.Previous.Sub(a.ModifiedAt) != time.Minute || a.Retires {
		t.Errorf("an overlap of a minute: %+v", a)
	}
	b := read[wire.Token](t, w.must(w.root, "POST", path, `{"retire_on_first_use":true}`))
	if b.Previous == nil || !b.Retires {
		t.Errorf("until it is used: %+v", b)
	}
	if c := read[wire.Token](t, w.must(w.root, "POST", path, "")); c.Previous != nil || c.Retires {
		t.Errorf("without overlap: %+v", c)
	}
	end := w.svc.now().Time().Add(time.Hour).UTC()
	w.must(w.root, "PATCH", acmeTokens+"/t", `{"expires_at":"`+end.Format(time.RFC3339Nano)+`"}`)
	if d := read[wire.Token](t, w.must(w.root, "POST", path, `{"overlap":86400}`)); d.Previous == nil || d.Previous.After(end) {
		t.Errorf("beyond the end of the token: %+v", d)
	}
	refusedWith(t, w.as(w.root, "POST", path, `{"retire_on_first_use":"yes"}`), 422, "invalid")
}
