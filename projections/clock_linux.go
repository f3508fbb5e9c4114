package projections

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is CLOCK_BOOTTIME: time since the machine started, the time in which
// it slept included. It panics where there is no such clock (before Linux
// 2.6.39), since nothing else can be trusted with a lease.
func bootTime() time.Duration {
	if t, ok := readFast(unix.CLOCK_BOOTTIME); ok {
		return t
	}
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("projections: reading CLOCK_BOOTTIME: " + err.Error())
	}
	return time.Duration(t.Nano())
}
