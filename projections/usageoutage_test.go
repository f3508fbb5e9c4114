package projections_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hallpass/eventstore"
	"hallpass/projections"
)

// outOfReach is a log whose shelf answers only when it may.
type outOfReach struct {
	eventstore.Log
	open atomic.Bool
}

var errShut = errors.New("the shelf is shut")

func (l *outOfReach) Shelf() eventstore.Shelf { return &shutShelf{l.Log.Shelf(), l} }

type shutShelf struct {
	eventstore.Shelf
	log *outOfReach
}

func (s *shutShelf) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	if !s.log.open.Load() {
		return 0, errShut
	}
	return s.Shelf.Put(ctx, key, value)
}

func (s *shutShelf) Since(ctx context.Context, after uint64, f func(string, []byte)) (uint64, error) {
	if !s.log.open.Load() {
		return after, errShut
	}
	return s.Shelf.Since(ctx, after, f)
}

func TestAnOutageOfTheShelfLosesNothing(t *testing.T) {
	story := two(t)
	before := newUser(t, story.Log, "n1", story.Model.At)
	before.check(1, 10, "")
	before.flush()
	before.Close()
	log := &outOfReach{Log: story.Log}
	var told bytes.Buffer
	var mu sync.Mutex
	n := newUserWith(t, log, story.Model.At, projections.Config{
		Node: projections.NodeConfig{Name: "n1"}, Logger: slog.New(slog.NewTextHandler(&locked{&mu, &told}, nil)),
	})
	n.check(1, 1, "")
	for range 3 {
		if err := n.Usage.Flush(within(t)); !errors.Is(err, errShut) {
			t.Fatal(err)
		}
	}
	if n.Usage.Known() {
		t.Error("it takes what it couldn't read for known")
	}
	n.want("a", 1, "")
	log.open.Store(true)
	n.check(1, 1, "")
	n.flush()
	if !n.Usage.Known() {
		t.Error("what was read is not known")
	}
	n.want("a", 12, "")
	log.open.Store(false)
	n.check(1, 1, "")
	if err := n.Usage.Flush(within(t)); err == nil {
		t.Fatal("a shelf that is shut took it")
	}
	n.want("a", 13, "")
	log.open.Store(true)
	n.flush()
	newUser(t, story.Log, "n2", story.Model.At).wantSoon("a", 13)
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Count(told.String(), "level=WARN msg=\"what tokens were used can't be kept"); got != 2 {
		t.Errorf("two outages were told %d times:\n%s", got, told.String())
	}
	if s := n.Usage.Status(); s.Errors < 4 || s.Flushes < 2 || s.Last == 0 {
		t.Errorf("%+v", s)
	}
}

// nearlyFull is a log whose disk has so much left.
type nearlyFull struct {
	eventstore.Log
	free atomic.Uint64
	puts atomic.Int64
}

func (l *nearlyFull) Usage(ctx context.Context) (eventstore.Usage, error) {
	u, err := l.Log.Usage(ctx)
	u.Free, u.FreeTold = l.free.Load(), true
	return u, err
}

func (l *nearlyFull) Shelf() eventstore.Shelf { return countedShelf{l.Log.Shelf(), l} }

type countedShelf struct {
	eventstore.Shelf
	log *nearlyFull
}

func (s countedShelf) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	s.log.puts.Add(1)
	return s.Shelf.Put(ctx, key, value)
}

// Uses don't take the room that is left for what takes rights away, and are
// put there once there is some again.
func TestUsesLeaveTheLastOfTheDisk(t *testing.T) {
	story := two(t)
	log := &nearlyFull{Log: story.Log}
	log.free.Store(64<<20 - 1)
	var told bytes.Buffer
	var mu sync.Mutex
	n := newUserWith(t, log, story.Model.At, projections.Config{
		Node: projections.NodeConfig{Name: "n1"}, Logger: slog.New(slog.NewTextHandler(&locked{&mu, &told}, nil)),
	})
	n.check(1, 3, "")
	for range 3 {
		if err := n.Usage.Flush(within(t)); err == nil {
			t.Error("a disk that is nearly full took it")
		}
	}
	if puts := log.puts.Load(); puts != 0 {
		t.Errorf("%d values were put", puts)
	}
	if got := n.Usage.Status().Errors; got < 3 { // the node itself may have tried once
		t.Errorf("%d errors are counted", got)
	}
	n.want("a", 3, "")
	log.free.Store(64 << 20)
	n.flush()
	newUser(t, story.Log, "n2", story.Model.At).wantSoon("a", 3)
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Count(told.String(), "level=WARN msg=\"what tokens were used can't be kept"); got != 1 {
		t.Errorf("the outage was told %d times:\n%s", got, told.String())
	}
}
