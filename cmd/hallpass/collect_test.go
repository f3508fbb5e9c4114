package main

import (
	"runtime/debug"
	"testing"
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
