package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

// lockData keeps a data directory for this process alone, where the stream is
// elsewhere: with the embedded stream's own lock, so that the two exclude each
// other too. The kernel drops it when the process dies, however it dies.
func lockData(dir string) (release func(), _ error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "lock")
	f := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := f.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("the data directory %s can't be locked: %w", dir, err)
	case !ok:
		return nil, fmt.Errorf("the data directory %s is in use by another hallpass: give each node its own with --data", dir)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		_ = f.Unlock()
		return nil, fmt.Errorf("the data directory %s can't be written: %w", dir, err)
	}
	return func() { _ = f.Unlock() }, nil
}
