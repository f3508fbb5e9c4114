//go:build !linux && !darwin

package eventstore

// freeDisk can't be told here.
func freeDisk(string) (n int64, ok bool) { return 0, false }

// What a full disk answers isn't known here.
func noRoom(error) bool           { return false }
func lastingDiskError(error) bool { return false }
