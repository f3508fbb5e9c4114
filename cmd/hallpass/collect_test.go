package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestCollectLaterLeavesTheCollectorAsItWas(t *testing.T) {
	t.Setenv("GOGC", "")
	percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	again := collectLater()
	if memory() > 0 {
		during := debug.SetMemoryLimit(-1)
		if during >= limit || during <= 0 {
			t.Errorf("during a replay the limit is %d, before it %d", during, limit)
		}
	}
	again()
	if p, l := debug.SetGCPercent(77), debug.SetMemoryLimit(-1); p != 77 || l != limit {
		t.Errorf("afterwards %d %%, limit %d; want 77 %%, %d", p, l, limit)
	}
}

// The first collection is the last of its kind.
func TestCollectingBeginsByItself(t *testing.T) {
	t.Setenv("GOGC", "")
	if memory() == 0 {
		t.Skip("how much memory there is can't be told on this system")
	}
	limit := debug.SetMemoryLimit(-1)
	defer collectLater()()
	for deadline := time.Now().Add(time.Minute); debug.SetMemoryLimit(-1) != limit; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("the limit is still %d, want %d", debug.SetMemoryLimit(-1), limit)
		}
	}
}

func TestCollectLaterHeedsGOGC(t *testing.T) {
	t.Setenv("GOGC", "100")
	percent := debug.SetGCPercent(77)
	defer debug.SetGCPercent(percent)
	again := collectLater()
	if p := debug.SetGCPercent(77); p != 77 {
		t.Errorf("GOGC is set, and yet it is %d %% now", p)
	}
	again()
}
