package api

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// newUsageWorld is a world whose node gathers uses, and flushes when told.
func newUsageWorld(t *testing.T, log eventstore.Log) *world {
	t.Helper()
	w := newQuietWorldOver(t, log, ServiceConfig{})
	logger := slog.New(slog.NewTextHandler(w.logs, nil))
	w.proj = projections.Open(log, projections.Config{
		Logger: logger, Now: func() domain.Instant { return domain.Instant(w.now.Load()) },
		UsageEvery: 1000 * time.Hour, Node: projections.NodeConfig{Name: "gathers"},
	})
	t.Cleanup(w.proj.Close)
	w.svc = NewService(ServiceConfig{Log: log, Projection: w.proj, Logger: logger})
	ctx := eventstoretest.Context(t)
	if err := w.svc.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.proj.Current(ctx); err != nil {
		t.Fatal(err)
	}
	w.h = NewHandler(w.svc, HandlerConfig{Stopping: w.stop}).(*handler)
	w.doc = sync.OnceValue(w.h.document)
	srv := httptest.NewServer(w.h)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

const reader = `{"id":"reader","permissions":{"allow":[{"resource":"/bucket","actions":["read"]}]}}`

// lastUsed asks for the token and returns what it says of its use.
func (w *world) lastUsed(token string) *wire.LastUsed {
	w.t.Helper()
	return read[wire.Token](w.t, w.must(w.root, "GET", "/v1/accounts/acme/tokens/"+token, "")).LastUsed
}

func TestATokenShowsItsLastUse(t *testing.T) {
	w := newUsageWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}))
	w.open("acme")
	issued := w.issue("acme", reader)
	if u := w.lastUsed("reader"); u != nil {
		t.Errorf("a token that was never used was used %+v", u)
	}
	const check = `{"action":"read","resource":"/bucket/b1"}`
	uses := []func(){
		func() { w.must(issued.Secret, "POST", "/v1/check", check) },
		func() { w.must(issued.Secret, "POST", "/v1/check", `{"action":"write","resource":"/bucket/b1"}`) },
		func() {
			w.must(issued.Secret, "POST", "/v1/check", `{"action":"read","resource":"/bucket/b1","unverified":true}`)
		},
		func() { w.must(issued.Secret, "POST", "/v1/checks", `{"checks":[`+check+`,`+check+`]}`) },
		func() { w.must(issued.Secret, "GET", "/v1/whoami", "") },
		func() {
			w.must(w.root, "POST", "/v1/check", `{"action":"read","resource":"/bucket/b1","secret":"`+issued.Secret+`"}`)
		},
	}
	for i, use := range uses {
		use()
		u := w.lastUsed("reader")
		if u == nil || u.Count != uint64(i+1) {
			t.Fatalf("after use %d the token shows %+v", i+1, u)
		}
		if i < 5 && (u.Address == nil || *u.Address != "127.0.0.0/24") {
			t.Errorf("use %d came from %v", i+1, u.Address)
		}
		if age := w.now.Load() - u.At.UnixMilli(); age < -5000 || age > 120_000 {
			t.Errorf("use %d was at %v", i+1, u.At)
		}
	}
	if me := read[wire.Whoami](t, w.must(issued.Secret, "GET", "/v1/whoami", "")); me.LastUsed == nil || me.LastUsed.Count != 7 {
		t.Errorf("whoami shows %+v", me.LastUsed)
	}
	w.as("hp_wrong", "GET", "/v1/whoami", "")
	before := w.must(w.root, "GET", "/v1/accounts/acme/tokens/reader", "")
	w.must(issued.Secret, "POST", "/v1/check", check)
	if after := w.must(w.root, "GET", "/v1/accounts/acme/tokens/reader", ""); after.header.Get("Etag") != before.header.Get("Etag") {
		t.Error("a use changed the ETag")
	}
	w.must(w.root, "PATCH", "/v1/accounts/acme/tokens/reader", `{"name":"n","last_used":null}`)
	list := read[wire.List[wire.Token]](t, w.must(w.root, "GET", "/v1/accounts/acme/tokens", ""))
	if len(list.Items) != 1 || list.Items[0].LastUsed == nil || list.Items[0].LastUsed.Count != 8 {
		t.Errorf("the list shows %+v", list.Items)
	}
}

func TestTokensUnusedSince(t *testing.T) {
	w := newUsageWorld(t, eventstore.NewMemory(eventstore.MemoryConfig{}))
	w.open("acme")
	issued := w.issue("acme", reader)
	w.issue("acme", strings.Replace(reader, `"reader"`, `"idle"`, 1))
	if err := w.proj.Usage.Flush(eventstoretest.Context(t)); err != nil {
		t.Fatal(err)
	}
	w.must(issued.Secret, "GET", "/v1/whoami", "")
	ids := func(since string) (ids []string) {
		for _, item := range read[wire.List[wire.Token]](t, w.must(w.root, "GET", "/v1/accounts/acme/tokens?unused_since="+since, "")).Items {
			ids = append(ids, item.ID)
		}
		return ids
	}
	if got := strings.Join(ids("2020-01-01T00:00:00Z"), " "); got != "idle" {
		t.Errorf("unused since long ago: %s", got)
	}
	if got := strings.Join(ids("2200-01-01T00:00:00Z"), " "); got != "reader idle" {
		t.Errorf("unused since a time to come: %s", got)
	}
	refusedWith(t, w.as(w.root, "GET", "/v1/accounts/acme/tokens?unused_since=yesterday", ""), 422, "invalid")
	metrics := w.as("", "GET", "/metrics", "").body
	for _, name := range []string{"hallpass_usage_flushes_total", "hallpass_usage_errors_total 0", "hallpass_usage_flush_age_seconds"} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("the metrics lack %s", name)
		}
	}
}

// A node that can't know must not list tokens as unused.
func TestUnusedSinceIsNotGuessed(t *testing.T) {
	off := newWorld(t)
	off.open("acme")
	refusedWith(t, off.as(off.root, "GET", "/v1/accounts/acme/tokens?unused_since=2020-01-01T00:00:00Z", ""), 422, "invalid")
	shut := newUsageWorld(t, shelfless{eventstore.NewMemory(eventstore.MemoryConfig{})})
	shut.open("acme")
	refusedWith(t, shut.as(shut.root, "GET", "/v1/accounts/acme/tokens?unused_since=2020-01-01T00:00:00Z", ""), 503, "not_ready")
	issued := shut.issue("acme", reader)
	shut.must(issued.Secret, "POST", "/v1/check", `{"action":"read","resource":"/bucket/b1"}`)
	if u := shut.lastUsed("reader"); u == nil || u.Count != 1 {
		t.Errorf("what this node saw itself shows as %+v", u)
	}
}

// shelfless is a log whose shelf is out of reach.
type shelfless struct{ *eventstore.Memory }

func (shelfless) Shelf() eventstore.Shelf {
	m := eventstore.NewMemory(eventstore.MemoryConfig{})
	_ = m.Close() // never fails
	return m.Shelf()
}
