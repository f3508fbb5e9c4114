package eventstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// dataDir is a data directory that this process holds exclusively.
type dataDir struct {
	path       string
	serverName string
	lock       *dirLock
}

// claimDir makes the directory if need be, locks it, and finds the name of
// its server: random, but the same at every start.
func claimDir(path string) (*dataDir, error) {
	if path == "" {
		return nil, errors.New("eventstore: the data directory isn't stated")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("eventstore: the data directory %s can't be made: %w", path, err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	name, err := serverName(path)
	if err != nil {
		lock.release()
		return nil, err
	}
	return &dataDir{path: path, serverName: name, lock: lock}, nil
}

func (d *dataDir) release() { d.lock.release() }

func serverName(dir string) (string, error) {
	path := filepath.Join(dir, "server-name")
	b, err := os.ReadFile(path)
	if err == nil && len(b) > 0 {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("eventstore: the server's name in %s can't be read: %w", path, err)
	}
	name := "hallpass-" + rand.Text()
	if err := writeWhole(path, name); err != nil {
		return "", fmt.Errorf("eventstore: the data directory %s can't be written: %w", dir, err)
	}
	return name, nil
}

// writeWhole puts content at path, all of it or nothing, on disk when it
// returns.
func writeWhole(path, content string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// dirLock keeps a data directory for one process. The kernel drops it when
// the process dies, however it dies.
type dirLock struct{ f *flock.Flock }

// lockDir locks dir, or says who has it.
func lockDir(dir string) (*dirLock, error) {
	path := filepath.Join(dir, "lock")
	f := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := f.TryLock()
	if err != nil {
		return nil, fmt.Errorf("eventstore: the data directory %s can't be locked: %w", dir, err)
	}
	if !ok {
		return nil, fmt.Errorf("eventstore: the data directory %s is in use by another hallpass%s", dir, holder(path))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		_ = f.Unlock()
		return nil, fmt.Errorf("eventstore: the data directory %s can't be written: %w", dir, err)
	}
	return &dirLock{f}, nil
}

// holder names the process that holds the lock, if it can be told.
func holder(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}

func (l *dirLock) release() { _ = l.f.Unlock() } // closing the file, which can't be mended if it fails
