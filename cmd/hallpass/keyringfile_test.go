package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/domain"
)

func rotated(t *testing.T, f keyringFile) {
	t.Helper()
	if err := f.change(t.Context(), false, newKey); err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, f keyringFile) *api.Keyring {
	t.Helper()
	k, _, err := f.load()
	if err != nil || k == nil {
		t.Fatalf("%v, %v", k, err)
	}
	return k
}

func TestAKeyringIsMadeOnceForItsOwnerAlone(t *testing.T) {
	f := keyringFile{filepath.Join(t.TempDir(), "keyring")}
	if k, _, err := f.load(); k != nil || err != nil {
		t.Fatalf("without a file: %v, %v", k, err)
	}
	first, made, err := makeKeyring(t.Context(), f)
	if err != nil || !made || loaded(t, f).Current() != first {
		t.Fatalf("%q, %v, %v", first, made, err)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if again, made, err := makeKeyring(t.Context(), f); again != first || made || err != nil || loaded(t, f).Current() != first {
		t.Errorf("made again: %q, %v, %v", again, made, err)
	}
}

func TestRotationsAtOnceLoseNoKey(t *testing.T) {
	f := keyringFile{filepath.Join(t.TempDir(), "keyring")}
	const n = 12
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := f.change(t.Context(), false, newKey); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(loaded(t, f).Keys()); got != n {
		t.Errorf("%d keys of %d are there", got, n)
	}
}

func TestAKeyringFileIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		make func(path string) error
		want string
		unix bool
	}{
		"open to its group": {func(p string) error { return os.Chmod(p, 0o640) }, "can be read by others", true},
		"open to all":       {func(p string) error { return os.Chmod(p, 0o604) }, "can be read by others", true},
		"cut short":         {func(p string) error { return os.Truncate(p, 40) }, "can't be used: it is not a keyring", false},
		"empty":             {func(p string) error { return os.Truncate(p, 0) }, "can't be used", false},
		"too large":         {func(p string) error { return os.Truncate(p, maxKeyring+1) }, "larger than any keyring", false},
		"a directory":       {func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, "is no file", false},
	} {
		t.Run(name, func(t *testing.T) {
			if row.unix && runtime.GOOS == "windows" {
				t.Skip("modes say nothing here")
			}
			f := keyringFile{filepath.Join(t.TempDir(), "keyring")}
			rotated(t, f)
			if err := row.make(f.path); err != nil {
				t.Fatal(err)
			}
			if k, _, err := f.load(); k != nil || err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("reading gives %v, %v", k, err)
			}
			if err := f.change(t.Context(), false, newKey); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("rotating gives %v", err)
			}
			if _, made, err := makeKeyring(t.Context(), f); made || err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("making gives %v, %v", made, err)
			}
			if _, err := openKeyring(f, slog.New(slog.DiscardHandler)); err == nil {
				t.Error("a server starts with it")
			}
		})
	}
}

func TestADestroyedKeyIsOverwrittenWhereItLay(t *testing.T) {
	dir := t.TempDir()
	f := keyringFile{filepath.Join(dir, "keyring")}
	rotated(t, f)
	first := loaded(t, f).Current()
	rotated(t, f)
	old := filepath.Join(dir, "the-same-place")
	if err := os.Link(f.path, old); err != nil {
		t.Skip("no links here:", err)
	}
	err := f.change(t.Context(), true, func(k *api.Keyring) (*api.Keyring, error) { return k.Without(first) })
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(old); err != nil || len(data) == 0 || len(bytes.Trim(data, "\x00")) != 0 {
		t.Errorf("the old place holds %d bytes that are not zero, %v", len(bytes.Trim(data, "\x00")), err)
	}
	if k := loaded(t, f); k.Has(first) || len(k.Keys()) != 1 {
		t.Errorf("the keys are %v", k.Keys())
	}
}

// What is refused changes nothing, on the disk either.
func TestARefusedChangeLeavesTheFile(t *testing.T) {
	f := keyringFile{filepath.Join(t.TempDir(), "keyring")}
	rotated(t, f)
	before, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	current := loaded(t, f).Current()
	for _, id := range []domain.KeyID{current, "none"} {
		if err := f.change(t.Context(), true, func(k *api.Keyring) (*api.Keyring, error) { return k.Without(id) }); err == nil {
			t.Errorf("%s was taken out", id)
		}
	}
	if after, err := os.ReadFile(f.path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
}

func TestAChangeFollowsALinkAndKeepsTheOwner(t *testing.T) {
	dir := t.TempDir()
	f := keyringFile{filepath.Join(dir, "real")}
	rotated(t, f)
	link := keyringFile{filepath.Join(dir, "link")}
	if err := os.Symlink(f.path, link.path); err != nil {
		t.Skip("no links here:", err)
	}
	const other = 12345
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(f.path, other, other); err != nil {
			t.Fatal(err)
		}
	}
	rotated(t, link)
	if info, err := os.Lstat(link.path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if got := len(loaded(t, f).Keys()); got != 2 {
		t.Errorf("the file behind the link has %d keys", got)
	}
	if info, err := os.Stat(f.path); root && (err != nil || !strings.Contains(fmt.Sprintf("%+v", info.Sys()), fmt.Sprintf("Uid:%d Gid:%d", other, other))) {
		t.Errorf("its owner is another one: %+v, %v", info.Sys(), err)
	}
}

func TestALiveKeyringFollowsItsFile(t *testing.T) {
	f := keyringFile{filepath.Join(t.TempDir(), "keyring")}
	var logs bytes.Buffer
	l, err := openKeyring(f, slog.New(slog.NewTextHandler(&logs, nil)))
	if err != nil || l.now() != nil {
		t.Fatalf("without a file: %v", err)
	}
	rotated(t, f)
	one := l.now()
	if one == nil || one != l.now() {
		t.Fatal("the same file gives another keyring")
	}
	rotated(t, f)
	two := l.now()
	if two == one || len(two.Keys()) != 2 {
		t.Errorf("after a rotation: %v", two.Keys())
	}

	// A file that can't be used leaves the one before in use, and is told of once.
	whole, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if l.now() != two {
			t.Error("half a file was taken for a keyring")
		}
	}
	if got := strings.Count(logs.String(), "can't be read"); got != 1 {
		t.Errorf("it is told of %d times", got)
	}
	if err := os.WriteFile(f.path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if k := l.now(); k == nil || k.Current() != two.Current() {
		t.Error("the whole file is not read again")
	}

	// The same size at the same place, changed later.
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(f.path, later, later); err != nil {
		t.Fatal(err)
	}
	if three := l.now(); three == two {
		t.Error("a file that was written again is not read again")
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if l.now() != nil {
		t.Error("a keyring that is gone stays in use")
	}
}
