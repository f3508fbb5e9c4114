package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// collectLater makes the garbage collector wait while a log is replayed into
// memory that mostly stays: to look through it again and again as it grows takes
// as long as folding it. Collecting begins when a fifth of the memory that this
// process may take is used, or half of GOMEMLIMIT, and is rarer than usual from
// then on. The returned function ends that.
func collectLater() (collectAgain func()) {
	if os.Getenv("GOGC") != "" {
		return func() {} // somebody knows better
	}
	percent, limit := debug.SetGCPercent(seldom), debug.SetMemoryLimit(-1)
	room := min(memory()/5, limit/2)
	if room <= 0 {
		return func() { debug.SetGCPercent(percent) }
	}
	var begun sync.Once
	begin := func() {
		begun.Do(func() {
			debug.SetGCPercent(seldom)
			debug.SetMemoryLimit(limit)
		})
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(room)
	// The first collection finds that nothing leads to this. It is set up last: a
	// collection before is not because the room is taken.
	runtime.AddCleanup(&struct{ _ [8]*byte }{}, func(struct{}) { begin() }, struct{}{})
	return func() {
		begin()
		debug.SetGCPercent(percent)
	}
}

// seldom is the GC percentage during a replay: a quarter more memory than with
// 100.
const seldom = 200
