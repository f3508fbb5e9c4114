package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"hallpass/eventstore"
)

// A real stream is filled until it takes no more tokens; then one of them is
// revoked, everywhere, with what was kept for that.
func TestARevokeFitsIntoAFullStream(t *testing.T) {
	log, err := eventstore.OpenEmbedded(t.Context(), eventstore.EmbedConfig{
		Dir: t.TempDir(), NoSync: true, MaxBytes: 512 << 10, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // it never fails
	w := newWorldOver(t, log, ServiceConfig{})
	const tokens = "/v1/accounts/root/tokens"
	n, status := 0, http.StatusCreated
	for ; status == http.StatusCreated; n++ {
		if n > 2000 {
			t.Fatal("it is never full")
		}
		got := w.as(w.root, "POST", tokens, fmt.Sprintf(`{"id":"t%d","description":%q}`, n, strings.Repeat("x", 1000)))
		if status = got.status; status != http.StatusCreated && !strings.Contains(got.body, "stream_full") {
			t.Fatalf("after %d tokens: %d %s", n, status, got.body)
		}
		w.svc.capacity.mu.Lock()
		w.svc.capacity.asked = w.svc.capacity.asked.Add(-usageFresh) // each looks anew
		w.svc.capacity.mu.Unlock()
	}
	if n < 100 {
		t.Errorf("%d tokens fill half a megabyte", n)
	}
	got := w.must(w.root, "DELETE", tokens+"/t0", "")
	if got.header.Get("Hallpass-Wait") != "all" || !strings.Contains(got.body, `"receipt"`) {
		t.Errorf("the revoke answers %v %s", got.header, got.body)
	}
}
