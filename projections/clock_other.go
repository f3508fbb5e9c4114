//go:build !linux

package projections

import "time"

var processStart = time.Now()

// bootTime is the monotonic clock. Where it stands still while the machine
// sleeps, the wall clock, which a lease is judged by as well, ends the lease.
func bootTime() time.Duration { return time.Since(processStart) }
