package projections

import (
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is what the kernel says when it is asked before and after, on
// goroutines whose stacks are about to grow, while the collector looks at them
// and signals come.
func TestBootTimeIsTheKernels(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err == nil { // else the test is being profiled already
		defer pprof.StopCPUProfile()
	}
	var over atomic.Bool
	var collector, readers sync.WaitGroup
	collector.Go(func() {
		for !over.Load() {
			runtime.GC()
		}
	})
	for range 8 {
		readers.Go(func() {
			for depth := range 300 {
				var done sync.WaitGroup
				done.Go(func() { compareAt(t, depth) }) // a new stack is a small one
				done.Wait()
			}
		})
	}
	readers.Wait()
	over.Store(true)
	collector.Wait()
}

func compareAt(t *testing.T, depth int) (sum byte) {
	var frame [64]byte
	if depth > 0 {
		return compareAt(t, depth-1) + frame[depth%len(frame)]
	}
	for range 50 {
		before := entered(t)
		is := bootTime()
		if after := entered(t); is < before || is > after {
			t.Errorf("%v, and the kernel said %v before and %v after", is, before, after)
		}
	}
	return 0
}

// entered reads the clock as slowly as can be.
func entered(t *testing.T) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		t.Error(err)
	}
	return time.Duration(now.Nano())
}
