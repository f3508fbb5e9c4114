package projections

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// callClock calls f, the kernel's clock_gettime for user space (vdso(7)).
//
//go:noescape
func callClock(f uintptr, clock int32, t *unix.Timespec) (failed int32)

// stackProbe is the address of a function for callClock that says where its stack
// begins, in place of the time. A test needs it.
func stackProbe() uintptr

// readFast reads a clock without entering the kernel; false if that can't be
// had here. A check reads one last of all, and entering the kernel takes up to as
// long as the rest of the check. Go reads its own clocks in this way, but
// CLOCK_BOOTTIME is none of them.
func readFast(clock int32) (time.Duration, bool) {
	f := fastClock()
	if f == 0 {
		return 0, false
	}
	var t unix.Timespec
	if callClock(f, clock, &t) != 0 {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// fastClock is the address of the kernel's function, which doesn't change
// while the process lives; 0 if it isn't there, or disagrees with the kernel.
var fastClock = sync.OnceValue(func() uintptr {
	f, err := findClock()
	if err != nil || !agrees(f) {
		return 0
	}
	return f
})

// agrees compares f with entering the kernel, in turns.
func agrees(f uintptr) bool {
	for _, clock := range []int32{unix.CLOCK_BOOTTIME, unix.CLOCK_MONOTONIC} {
		var before, t, after unix.Timespec
		if unix.ClockGettime(clock, &before) != nil || callClock(f, clock, &t) != 0 || unix.ClockGettime(clock, &after) != nil ||
			t.Nano() < before.Nano() || t.Nano() > after.Nano() {
			return false
		}
	}
	return true
}

// findClock looks the function up in the library that the kernel maps into
// every process.
func findClock() (uintptr, error) {
	values, err := unix.Auxv()
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(values, func(v [2]uintptr) bool { return v[0] == whereLibrary })
	if at < 0 {
		return 0, errNoLibrary
	}
	start := values[at][1]
	own, err := unix.Open("/proc/self/mem", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("/proc/self/mem: %w", err)
	}
	defer func() { _ = unix.Close(own) }()
	library, err := elf.NewFile(memory{own, int64(start)})
	if err != nil {
		return 0, err
	}
	symbols, err := library.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, p := range library.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		for _, s := range symbols {
			if s.Name == "__vdso_clock_gettime" && s.Value >= p.Vaddr && s.Value-p.Vaddr < p.Filesz {
				return start + uintptr(s.Value-p.Vaddr+p.Off), nil
			}
		}
	}
	return 0, errors.New("the kernel's library has no __vdso_clock_gettime")
}

// whereLibrary is AT_SYSINFO_EHDR of getauxval(3).
const whereLibrary = 33

var errNoLibrary = errors.New("the kernel maps no library into this process")

// memory is this process's memory from start on. What isn't mapped can't be read,
// which is an error.
type memory struct {
	file  int
	start int64
}

// ReadAt implements io.ReaderAt.
func (m memory) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		k, err := unix.Pread(m.file, p[n:], m.start+at+int64(n))
		if err != nil {
			return n, err
		}
		if k == 0 {
			return n, io.ErrUnexpectedEOF
		}
		n += k
	}
	return n, nil
}
