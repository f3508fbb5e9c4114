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

// mode is how a data directory is used: by a server that stands alone (zero),
// or by a node of a cluster. It stays the same for ever: what one wrote the
// other can't read as its own.
type mode struct{ cluster, node string }

func modeOf(c *ClusterConfig) mode {
	if c == nil {
		return mode{}
	}
	return mode{c.Name, c.Node}
}

func (m mode) String() string {
	if m == (mode{}) {
		return "standalone"
	}
	return "cluster " + m.cluster + " node " + m.node
}

// claimDir makes the directory if need be, locks it, and finds the name of
// its server: its node's, or a random one that is the same at every start.
func claimDir(path string, m mode) (*dataDir, error) {
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
	name, err := m.settle(path)
	if err != nil {
		lock.release()
		return nil, err
	}
	return &dataDir{path: path, serverName: name, lock: lock}, nil
}

// settle records the mode in a new directory, or refuses one that was used in
// another, and returns the server's name.
func (m mode) settle(dir string) (string, error) {
	was, err := readMode(dir)
	switch {
	case err != nil:
		return "", err
	case was == "":
		if err := writeWhole(filepath.Join(dir, "mode"), m.String()+"\n"); err != nil {
			return "", fmt.Errorf("eventstore: the data directory %s can't be written: %w", dir, err)
		}
	case was != m.String():
		return "", fmt.Errorf("eventstore: the data directory %s belongs to %q and can't be used as %q; "+
			"start hallpass as it was started before, or state another directory", dir, was, m)
	}
	if m != (mode{}) {
		return m.node, nil
	}
	return serverName(dir)
}

// readMode returns how dir was used so far; "": it is new.
func readMode(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "mode"))
	switch {
	case err == nil && len(b) > 0:
		return strings.TrimSpace(string(b)), nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("eventstore: the mode of the data directory %s can't be read: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "server-name")); err == nil { // older than the mode
		return mode{}.String(), nil
	}
	return "", nil
}

func (d *dataDir) release() { d.lock.release() }

// LockDir keeps a data directory, made with mode 0700 if missing, for this
// process alone, as OpenEmbedded does: for nodes whose stream is elsewhere. The
// kernel drops the lock when the process dies, however it dies.
func LockDir(path string) (release func(), _ error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("eventstore: the data directory %s can't be made: %w", path, err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	return lock.release, nil
}

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
