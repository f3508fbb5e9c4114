package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hallpass/domain"
)

func TestRootFile(t *testing.T) {
	dir := t.TempDir()
	f := rootFileIn(dir)
	none, err := f.Load()
	if err != nil || !none.IsZero() {
		t.Fatalf("without a file: %v, %v", none, err)
	}
	if err := f.Remove(); err != nil {
		t.Fatalf("removing what isn't there: %v", err)
	}
	for _, secret := range []domain.Secret{secretOf(1), secretOf(2)} {
		if err := f.Save(secret); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Load(); err != nil || got != secret {
			t.Fatalf("what was saved is not what is loaded: %v", err)
		}
	}
	info, err := os.Stat(f.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Fatalf("%d files are left, want 1", len(entries))
	}
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.path); !os.IsNotExist(err) {
		t.Fatalf("it is still there: %v", err)
	}
}

// A crash between any two steps of Save leaves the old file or the new one,
// and whatever else it leaves is not taken for the secret.
func TestRootFileCrashPoints(t *testing.T) {
	for _, c := range []struct {
		name string
		left map[string]string // in the directory, at the crash
		want domain.Secret
	}{
		{"before anything", nil, domain.Secret{}},
		{"an empty temporary file", map[string]string{".root-token.1": ""}, domain.Secret{}},
		{"half a temporary file", map[string]string{".root-token.1": secretOf(2).Reveal()[:20]}, domain.Secret{}},
		{"before the rename", map[string]string{".root-token.1": secretOf(2).Reveal(), "root-token": secretOf(1).Reveal()}, secretOf(1)},
		{"after the rename", map[string]string{"root-token": secretOf(2).Reveal() + "\n"}, secretOf(2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.left {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := rootFileIn(dir)
			if got, err := f.Load(); err != nil || got != c.want {
				t.Fatalf("the next start finds another secret: %v", err)
			}
			if err := f.Save(secretOf(3)); err != nil {
				t.Fatalf("the next start can't save: %v", err)
			}
			if got, err := f.Load(); err != nil || got != secretOf(3) {
				t.Fatalf("the next start loads another secret than it saved: %v", err)
			}
		})
	}
}

// A file with something else in it may be precious: it is named, not replaced,
// and not repeated in the error.
func TestRootFileWithSomethingElse(t *testing.T) {
	f := rootFileIn(t.TempDir())
	if err := os.WriteFile(f.path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := f.Load()
	if err == nil || !strings.Contains(err.Error(), f.path) || strings.Contains(err.Error(), "precious") {
		t.Fatalf("got %v", err)
	}
}

// Save fails without a trace where it can't write.
func TestRootFileUnwritable(t *testing.T) {
	f := rootFileIn(filepath.Join(t.TempDir(), "missing"))
	if err := f.Save(secretOf(1)); err == nil {
		t.Fatal("saved into a directory that isn't there")
	}
}
