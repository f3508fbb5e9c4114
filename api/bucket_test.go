package api

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBucket(10*time.Second, 3)
	b.now = func() time.Time { return now }
	take := func(want time.Duration) {
		t.Helper()
		if got := b.take(); got != want {
			t.Errorf("at %v: wait %v, want %v", now.Unix(), got, want)
		}
	}
	for range 3 {
		take(0)
	}
	take(10 * time.Second)
	now = now.Add(4 * time.Second)
	take(6 * time.Second) // asking costs nothing
	now = now.Add(6 * time.Second)
	take(0)
	take(10 * time.Second)
	now = now.Add(time.Hour)
	for range 3 { // no more is saved up than fits
		take(0)
	}
	take(10 * time.Second)

	b.giveBack(1)
	take(0)
	now = now.Add(10 * time.Second)
	if wait := b.takeMany(5); wait != 0 { // there is room for one
		t.Errorf("many at once: wait %v", wait)
	}
	take(50 * time.Second)
	if wait := b.takeMany(5); wait != 50*time.Second {
		t.Errorf("many more: wait %v", wait)
	}
}
