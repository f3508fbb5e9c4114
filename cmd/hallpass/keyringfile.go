package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"hallpass/api"
)

// keyringName is the keyring's place under the data directory.
const keyringName = "keyring"

// maxKeyring bounds the file, in bytes: thousands of keys.
const maxKeyring = 1 << 20

// keyringFile is the file that holds the keys of secrets that may be shown
// again. It is there whole or not at all, mode 0600. Whoever has it and the
// stream has those secrets.
type keyringFile struct{ path string }

// load returns the keyring, and what the file was like; nil when there is none.
// Its errors say what is wrong with the file and nothing of what is in it.
func (f keyringFile) load() (*api.Keyring, fs.FileInfo, error) {
	info, err := os.Stat(f.path)
	switch {
	case missing(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading the keyring: %w", err)
	case !info.Mode().IsRegular():
		return nil, nil, fmt.Errorf("the keyring %s is no file", f.path)
	case info.Size() > maxKeyring:
		return nil, nil, fmt.Errorf("the keyring %s is larger than any keyring", f.path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0: // where modes say nothing
		return nil, nil, fmt.Errorf("the keyring %s can be read by others than its owner (mode %04o): run 'chmod 600' on it, and if others may have seen it, 'hallpass keyring rotate'", f.path, info.Mode().Perm())
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the keyring: %w", err)
	}
	defer clear(data)
	k, err := api.ParseKeyring(data)
	if err != nil {
		return nil, nil, fmt.Errorf("the keyring %s can't be used: %w", f.path, err)
	}
	return k, info, nil
}

// missing tells whether err says that there is no file at that path.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// absent tells whether there is nothing at path.
func absent(path string) bool {
	_, err := os.Stat(path)
	return missing(err)
}

// none is the error of who needs the file where there is none.
func (f keyringFile) none() error {
	return fmt.Errorf("there is no keyring at %s: give the server's --data or --keyring", f.path)
}

// change puts what edit makes of the keyring in its place; it is on the disk
// when change returns nil. edit gets nil when there is no file. Of several
// processes each waits for the others. With erase the old file's bytes are
// overwritten where they lay.
func (f keyringFile) change(ctx context.Context, erase bool, edit func(*api.Keyring) (*api.Keyring, error)) error {
	if path, err := filepath.EvalSymlinks(f.path); err == nil {
		f.path = path
	}
	if dir := filepath.Dir(f.path); absent(dir) {
		return fmt.Errorf("there is no folder %s for a keyring: give the server's --data or --keyring, or make the folder", dir)
	}
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("locking the keyring: %w", err)
	}
	defer lock.Close() //nolint:errcheck // it ends with the process at the latest
	k, was, err := f.load()
	if err != nil {
		return err
	}
	if was != nil {
		_ = sameOwner(lock.Path(), was) // else the owner's next try says that it may not lock
	}
	if k, err = edit(k); err != nil || k == nil {
		return err
	}
	var old *os.File
	if erase {
		if old, err = os.OpenFile(f.path, os.O_WRONLY, 0); err != nil {
			return fmt.Errorf("opening the keyring to overwrite it: %w", err)
		}
		defer old.Close() //nolint:errcheck // it was synced
	}
	data := k.Encode()
	defer clear(data)
	if err := writeFile(f.path, data); err != nil {
		return fmt.Errorf("writing the keyring: %w", err)
	}
	if was == nil {
		return nil
	}
	if err := sameOwner(f.path, was); err != nil {
		return fmt.Errorf("the keyring is written, but not its former owner's: %w", err)
	}
	if erase {
		return overwrite(old, was.Size())
	}
	return nil
}

// overwrite puts zeros where the file's bytes were, as far as the file system
// and the disk keep them in place.
func overwrite(f *os.File, size int64) error {
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		return fmt.Errorf("the key is out of the keyring, but the old file's place was not overwritten: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("the key is out of the keyring, but the old file's place was not overwritten: %w", err)
	}
	return nil
}

// liveKeyring is the keyring of a running server: it follows the file.
type liveKeyring struct {
	file   keyringFile
	logger *slog.Logger

	mu   sync.Mutex // guards what follows
	is   *api.Keyring
	seen fs.FileInfo // of the file that is was read from; nil: there was none
	told string      // the last error that was logged
}

// openKeyring reads the file, which may be missing.
func openKeyring(f keyringFile, logger *slog.Logger) (*liveKeyring, error) {
	k, seen, err := f.load()
	return &liveKeyring{file: f, logger: logger, is: k, seen: seen}, err
}

// now returns the keyring as the file has it, which costs a look at the file's
// times, or as it was when the file could last be read. Without a file there is
// none. The same file gives the same *Keyring.
func (l *liveKeyring) now() *api.Keyring {
	info, err := os.Stat(l.file.path)
	if missing(err) {
		info, err = nil, nil
	}
	is, seen := l.known()
	if err == nil && sameFile(info, seen) {
		return is
	}
	k, seen, err := l.file.load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if l.told != err.Error() {
			l.told = err.Error()
			l.logger.Error("the keyring has changed and can't be read: the one before stays in use", "error", err)
		}
		return l.is
	}
	l.is, l.seen, l.told = k, seen, ""
	l.logger.Info("the keyring was read again", "current", k.Current(), "keys", len(k.Keys()))
	return k
}

func (l *liveKeyring) known() (*api.Keyring, fs.FileInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.is, l.seen
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}
