package projections_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/internal/hook"
	"hallpass/projections/projectionstest"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// unleased is a node that takes no part in the stream.
var unleased = &hook.Hook{Unleased: true}

// within returns a context that ends when a test has waited too long.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), projectionstest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// acme is a story with the account acme in it, and a node that follows it.
func acme(t *testing.T) (*projectionstest.Story, *projectionstest.Node) {
	t.Helper()
	story := newStory(t)
	n := projectionstest.StartNode(t, story.Log, projections.Config{})
	n.WaitLive(story.Model.At)
	return story, n
}

func newStory(t *testing.T) *projectionstest.Story {
	t.Helper()
	log := eventstore.NewMemory(eventstore.MemoryConfig{Now: projectionstest.T0.Time})
	story := projectionstest.NewStory(t, log)
	story.Do("acme", "", domain.AccountOpened{Name: "Acme"})
	return story
}

func wantVerdict(t *testing.T, n *projectionstest.Node, secret int, want string) {
	t.Helper()
	if got := n.Verdict(secret, projectionstest.ReadBucket); got != want {
		t.Errorf("a check by secret %d answers %s, want %s", secret, got, want)
	}
}

const (
	granted = string(domain.Granted)
	revoked = string(domain.WasRevoked)
	unknown = string(domain.UnknownSecret)
	stale   = string(domain.CodeStale)
)
