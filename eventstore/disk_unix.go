//go:build linux || darwin

package eventstore

import (
	"errors"
	"syscall"
)

// freeDisk returns how many bytes an ordinary user may still write under dir.
func freeDisk(dir string) (n int64, ok bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, false
	}
	return int64(fs.Bavail) * int64(fs.Bsize), true //nolint:unconvert // Bsize is narrower on darwin
}

// noRoom tells whether err says that the disk, or the user's share, is full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// lastingDiskError tells whether err is one that a stream's store keeps: it
// refuses all further writes in silence, even when the cause is gone.
func lastingDiskError(err error) bool {
	return noRoom(err) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EROFS)
}
