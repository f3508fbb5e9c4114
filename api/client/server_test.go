package client_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/api/client"
	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/eventstore"
	"hallpass/projections"
)

// memoryKeeper keeps a root token's secret as long as the test.
type memoryKeeper struct{ secret domain.Secret }

func (k *memoryKeeper) Load() (domain.Secret, error) { return k.secret, nil }
func (k *memoryKeeper) Save(s domain.Secret) error   { k.secret = s; return nil }
func (k *memoryKeeper) Remove() error                { k.secret = domain.Secret{}; return nil }

// start runs a whole node over a log in memory, and returns a client of its
// root token.
func start(t *testing.T) (root *client.Client, url string) {
	quiet := slog.New(slog.DiscardHandler)
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	p := projections.Open(log, projections.Config{Logger: quiet})
	svc := api.NewService(api.ServiceConfig{Log: log, Projection: p, Logger: quiet})
	keep := new(memoryKeeper)
	if _, err := api.Bootstrap(t.Context(), svc, keep, domain.Secret{}); err != nil {
		t.Fatal(err)
	}
	stopping := make(chan struct{})
	srv := httptest.NewServer(api.NewHandler(svc, api.HandlerConfig{Stopping: stopping, Logger: quiet}))
	t.Cleanup(func() {
		close(stopping)
		srv.Close()
		p.Close()
		_ = log.Close()
	})
	return as(t, srv.URL, client.Secret(keep.secret.Reveal())), srv.URL
}

func as(t *testing.T, url string, secret client.Secret) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Server: url, Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func all[T any](t *testing.T, items func(func(T, error) bool)) []T {
	t.Helper()
	var out []T
	for item, err := range items {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, item)
	}
	return out
}

func mustBe(t *testing.T, err error, code string) {
	t.Helper()
	if client.Code(err) != code {
		t.Fatalf("got %v, want a problem with code %q", err, code)
	}
}

func TestEveryCallAgainstAServer(t *testing.T) {
	root, url := start(t)
	ctx := t.Context()
	acme, err := root.OpenAccount(ctx, wire.OpenAccount{ID: "acme", Name: "Acme"})
	if err != nil || acme.State != "open" {
		t.Fatalf("%+v, %v", acme, err)
	}
	_, err = root.OpenAccount(ctx, wire.OpenAccount{ID: "acme"})
	mustBe(t, err, "exists")
	admin, secret, err := root.IssueToken(ctx, "acme", wire.IssueToken{
		ID: "admin", Permissions: &wire.Permissions{Allow: []wire.Grant{{Resource: "/", Actions: []string{"*"}}}},
	})
	if err != nil || admin.Secret != "" || !strings.HasPrefix(secret.Reveal(), "hp_") {
		t.Fatalf("%+v, %v", admin, err)
	}

	// From here on "" is acme.
	c := as(t, url, secret)
	me, err := c.Whoami(ctx)
	if err != nil || me.ID != "admin" || me.AccountState != "open" {
		t.Fatalf("%+v, %v", me, err)
	}
	var reader client.Secret
	for i := range 5 {
		_, reader, err = c.IssueToken(ctx, "", wire.IssueToken{
			ID: "reader-" + strconv.Itoa(i), Tags: map[string]string{"n": strconv.Itoa(i)},
			Permissions: &wire.Permissions{Allow: []wire.Grant{{Resource: "/bucket/b1", Actions: []string{"read"}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tokens := c.Tokens(ctx, "", client.TokenFilter{PageSize: 2})
	for range 2 { // a list may be read again
		if got := all(t, tokens); len(got) != 6 || got[0].ID != "admin" || got[5].ID != "reader-4" {
			t.Fatalf("listed %d tokens", len(got))
		}
	}
	off := false
	if _, err := c.DisableToken(ctx, "", "reader-1"); err != nil {
		t.Fatal(err)
	}
	if got := all(t, c.Tokens(ctx, "", client.TokenFilter{Enabled: &off})); len(got) != 1 || got[0].ID != "reader-1" {
		t.Fatalf("disabled: %v", got)
	}
	if got := all(t, c.Tokens(ctx, "", client.TokenFilter{Tag: "n:3"})); len(got) != 1 || got[0].ID != "reader-3" {
		t.Fatalf("tagged: %v", got)
	}
	if tok, err := c.EnableToken(ctx, "", "reader-1"); err != nil || !tok.Enabled {
		t.Fatalf("%+v, %v", tok, err)
	}

	edited, err := c.EditToken(ctx, "", "reader-2", client.Patch{"name": "R2", "tags": map[string]any{"n": nil, "new": "x"}}, 0)
	if err != nil || edited.Name != "R2" || len(edited.Tags) != 1 || edited.Tags["new"] != "x" {
		t.Fatalf("%+v, %v", edited, err)
	}
	_, err = c.EditToken(ctx, "", "reader-2", client.Patch{"name": "R3"}, edited.Revision-1)
	mustBe(t, err, "precondition_failed")
	_, err = c.EditToken(ctx, "", "reader-2", client.Patch{"title": "R3"}, 0)
	mustBe(t, err, "invalid")
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != 422 || p.Fields[0].Pointer != "/title" || p.RequestID == "" {
		t.Fatalf("%#v", p)
	}

	one := wire.Check{Action: "read", Resource: "/bucket/b1"}
	if d, err := as(t, url, reader).Check(ctx, one); err != nil || !d.Allowed || d.Token != "reader-4" {
		t.Fatalf("%+v, %v", d, err)
	}
	one.Secret = reader.Reveal()
	two := wire.Check{Action: "write", Resource: "/bucket/b1", Secret: reader.Reveal()}
	ds, err := c.Checks(ctx, []wire.Check{one, two})
	if err != nil || !ds[0].Allowed || ds[1].Allowed || ds[1].Code != "no_grant" {
		t.Fatalf("%+v, %v", ds, err)
	}

	_, fresh, err := c.RotateToken(ctx, "", "reader-4", time.Hour)
	if err != nil || fresh == reader {
		t.Fatal(err)
	}
	if _, err := c.RevokeToken(ctx, "", "reader-4", wire.Reason{Reason: "policy", Text: "over"}); err != nil {
		t.Fatal(err)
	}
	_, err = as(t, url, fresh).Whoami(ctx)
	mustBe(t, err, "invalid_token")
	if tok, err := c.Token(ctx, "", "reader-4"); err != nil || tok.State != "revoked" || tok.ReasonText != "over" {
		t.Fatalf("%+v, %v", tok, err)
	}
	var types []string
	for _, e := range all(t, c.TokenEvents(ctx, "", "reader-4")) {
		types = append(types, e.Type)
	}
	if got := strings.Join(types, " "); got != "token.issued token.rotated token.revoked" {
		t.Fatal(got)
	}

	for _, call := range []func(context.Context, string) error{
		func(ctx context.Context, id string) error {
			_, err := root.SuspendAccount(ctx, id, wire.Reason{})
			return err
		},
		func(ctx context.Context, id string) error { _, err := root.ResumeAccount(ctx, id); return err },
		func(ctx context.Context, id string) error {
			_, err := root.CloseAccount(ctx, id, wire.Reason{})
			return err
		},
	} {
		if err := call(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
	}
	if got := all(t, root.Accounts(ctx)); len(got) != 2 || got[1].State != "closed" {
		t.Fatalf("%+v", got)
	}
	if a, err := root.Account(ctx, ""); err != nil || a.ID != "root" {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestWhatTakesNoCredential(t *testing.T) {
	_, url := start(t)
	c := as(t, url, "")
	if err := c.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Ready(t.Context()); err != nil || !r.Ready || r.Phase != "live" {
		t.Fatalf("%+v, %v", r, err)
	}
	if m, err := c.Metrics(t.Context()); err != nil || !strings.Contains(string(m), "# HELP") {
		t.Fatal(err)
	}
	if o, err := c.OpenAPI(t.Context()); err != nil || !strings.Contains(string(o), "openapi") {
		t.Fatal(err)
	}
	_, err := c.Catalog(t.Context())
	mustBe(t, err, "missing_token")
}

// TestAuthorizationCases runs the cases that the domain is held to through a
// client and a server.
func TestAuthorizationCases(t *testing.T) {
	root, url := start(t)
	for i, tc := range domaintest.AuthorizeCases() {
		_, secret, err := root.IssueToken(t.Context(), "", wire.IssueToken{
			ID: "case-" + strconv.Itoa(i), Permissions: permissionsOf(tc.Permissions),
		})
		if err != nil {
			t.Fatalf("%s: %v", tc.Name, err)
		}
		c := as(t, url, secret)
		for _, q := range tc.Checks {
			d, err := c.Check(t.Context(), wire.Check{Action: q.Action, Resource: q.Resource, Unverified: q.Unverified})
			if err != nil || d.Code != string(q.Want) || d.Allowed != (q.Want == domain.Granted) {
				t.Errorf("authorize.txt:%d: %s: got %s, %v, want %s", q.Line, tc.Name, d.Code, err, q.Want)
			}
		}
	}
}

func permissionsOf(p domain.Permissions) *wire.Permissions {
	return &wire.Permissions{Mode: p.Mode.String(), Allow: grantsOf(p.Allow), Deny: grantsOf(p.Deny)}
}

func grantsOf(gs []domain.Grant) []wire.Grant {
	out := []wire.Grant{}
	for _, g := range gs {
		w := wire.Grant{Resource: string(g.Resource), Unverified: g.Unverified}
		for _, a := range g.Actions {
			w.Actions = append(w.Actions, string(a))
		}
		out = append(out, w)
	}
	return out
}

func TestWatchAgainstAServer(t *testing.T) {
	root, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := root.IssueToken(ctx, "", wire.IssueToken{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for e, err := range root.Watch(ctx, client.WatchFilter{Token: "a"}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, e.Type)
		if e.Type == "token.revoked" {
			break
		}
		if _, err := root.RevokeToken(ctx, "", "a", wire.Reason{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(seen, " "); got != "token.issued token.revoked" {
		t.Fatal(got)
	}
	for _, err := range root.Watch(ctx, client.WatchFilter{}, 1000) {
		mustBe(t, err, "revision_unknown")
	}
}
