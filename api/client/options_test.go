package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"hallpass/api/wire"
)

// What a client asks for beside the matter itself goes where it belongs:
// waiting to changes, revisions to checks and reads.
func TestOptions(t *testing.T) {
	var query, revision string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, revision = r.URL.RawQuery, r.Header.Get("Hallpass-Min-Revision")
		_, _ = io.WriteString(w, `{"id":"t","items":[{"name":"n1"}],"receipt":{"revision":7,"note":"signed"}}`)
	}))
	t.Cleanup(srv.Close)
	plain, err := New(Config{Server: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	c := plain.With(Options{MinRevision: 42, Wait: "all"})
	ctx := t.Context()
	is := func(what, wantQuery, wantRevision string, err error) {
		t.Helper()
		if err != nil || query != wantQuery || revision != wantRevision {
			t.Errorf("%s: query %q, revision %q, %v; want %q and %q", what, query, revision, err, wantQuery, wantRevision)
		}
	}
	tok, err := c.RevokeToken(ctx, "a", "t", wire.Reason{})
	is("revoke", "wait=all", "", err)
	if tok.Receipt == nil || tok.Receipt.Revision != 7 || tok.Receipt.Note != "signed" {
		t.Errorf("the receipt: %+v", tok.Receipt)
	}
	_, err = c.DisableToken(ctx, "a", "t")
	is("disable", "wait=all", "", err)
	_, err = c.SuspendAccount(ctx, "a", wire.Reason{})
	is("suspend", "wait=all", "", err)
	_, err = c.Token(ctx, "a", "t")
	is("show", "", "42", err)
	_, err = c.Check(ctx, wire.Check{})
	is("check", "", "42", err)
	nodes, err := c.Nodes(ctx)
	is("nodes", "", "42", err)
	if len(nodes) != 1 || nodes[0].Name != "n1" {
		t.Errorf("the nodes: %+v", nodes)
	}
	_, err = plain.RevokeToken(ctx, "a", "t", wire.Reason{})
	is("revoke, plainly", "", "", err)
	_, err = plain.Token(ctx, "a", "t")
	is("show, plainly", "", "", err)
}
