package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hallpass/api/client"
	"hallpass/api/wire"
)

func TestRevokeTokens(t *testing.T) {
	root, _ := start(t)
	ctx := t.Context()
	if _, err := root.OpenAccount(ctx, wire.OpenAccount{ID: "acme"}); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if _, _, err := root.IssueToken(ctx, "acme", wire.IssueToken{ID: fmt.Sprint("x-", i), Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	dry, err := root.RevokeTokens(ctx, "acme", wire.RevokeTokens{Name: "x", DryRun: true}, nil)
	if err != nil || dry.Matched != 30 || len(dry.IDs) != 30 || !dry.DryRun {
		t.Fatalf("%+v, %v", dry, err)
	}
	n := int64(29)
	_, err = root.RevokeTokens(ctx, "acme", wire.RevokeTokens{Name: "x", Expect: &n}, nil)
	mustBe(t, err, "count_differs")
	_, err = root.RevokeTokens(ctx, "acme", wire.RevokeTokens{}, nil)
	mustBe(t, err, "invalid")
	n = 30
	var seen []wire.Progress
	done, err := root.RevokeTokens(ctx, "acme", wire.RevokeTokens{Name: "x", Expect: &n}, func(p wire.Progress) { seen = append(seen, p) })
	if err != nil || done.Revoked != 30 || done.Receipt == nil {
		t.Fatalf("%+v, %v", done, err)
	}
	if len(seen) < 2 || seen[0] != (wire.Progress{Of: 30}) || seen[len(seen)-1] != (wire.Progress{Revoked: 30, Of: 30}) {
		t.Errorf("progress was %v", seen)
	}
	if left := all(t, root.Tokens(ctx, "acme", client.TokenFilter{})); len(left) != 0 {
		t.Errorf("%d tokens are left", len(left))
	}
}

// However an answer in lines ends, it is told what it was.
func TestRevokeTokensBrokenOff(t *testing.T) {
	const line = `{"revoked":500,"of":1000}` + "\n"
	const over = `{"status":503,"code":"incomplete","detail":"500 of 1000 tokens are revoked"}` + "\n"
	for what, row := range map[string]struct{ body, code, says string }{
		"a problem at the end": {line + over, "incomplete", "500 of 1000"},
		"no end":               {line, "", "broke off: run the same again"},
		"half a line":          {line + `{"revo`, "", "not what hallpass would say"},
		"something else":       {"<html>", "", "not what hallpass would say"},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept"), "application/x-ndjson") || r.URL.Query().Get("wait") != "commit" {
				t.Errorf("asked with %v, %s", r.Header, r.URL)
			}
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, row.body)
		})
		told := 0
		_, err := c.With(client.Options{Wait: "commit"}).RevokeTokens(t.Context(), "acme", wire.RevokeTokens{Name: "x"}, func(p wire.Progress) { told += p.Revoked })
		if err == nil || client.Code(err) != row.code || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", what, err)
		}
		if strings.HasPrefix(row.body, line) != (told == 500) {
			t.Errorf("%s: told of %d", what, told)
		}
	}
}

// The time-out is for silence, and not for the whole.
func TestRevokeTokensTakesItsTime(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"revoked":1,"of":2}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the client goes away
	})
	quick, err := client.New(client.Config{Server: c.Server(), Token: bearer, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = quick.RevokeTokens(t.Context(), "acme", wire.RevokeTokens{Name: "x"}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "run the same again") {
		t.Errorf("%v", err)
	}
}
