package projections

import (
	"errors"
	"io/fs"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What callClock calls has the page of stack that is kept for it, on any
// goroutine: its stack begins above that, beside the caller's.
func TestClockHasStack(t *testing.T) {
	var at unix.Timespec
	if callClock(stackProbe(), unix.CLOCK_BOOTTIME, &at) != 0 {
		t.Fatal("it failed")
	}
	if below := uintptr(unsafe.Pointer(&at)) - uintptr(at.Sec); below > 256 {
		t.Errorf("it begins %d bytes below the caller's", below)
	}
}

func TestFastClockIsFound(t *testing.T) {
	f, err := findClock()
	if errors.Is(err, errNoLibrary) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) { // of /proc/self/mem
		t.Logf("the kernel is entered for each reading: %v", err)
		return
	}
	if err != nil || fastClock() != f {
		t.Errorf("at %#x, %v; used is %#x", f, err, fastClock())
	}
}
