package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"hallpass/domain"
)

// The lives that a directory tells of have ended only where its lock says so.
func TestEndedAreThoseThatLivedHere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("where a process lives is told on Linux alone")
	}
	dir := t.TempDir()
	first, err := identityIn(dir, "n1")
	if err != nil || len(first.Ended) != 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := identityIn(dir, "n1")
	if err != nil || !slices.Equal(second.Ended, []domain.Incarnation{first.Incarnation}) {
		t.Fatalf("after one life: %v, %v", second.Ended, err)
	}
	// The second one died before the stream knew of the first.
	third, err := identityIn(dir, "n1")
	if err != nil || !slices.Equal(third.Ended, []domain.Incarnation{first.Incarnation, second.Incarnation}) {
		t.Fatalf("after two: %v, %v", third.Ended, err)
	}
	if err := settled(dir, third); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, incarnationFile))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir() // as on another machine, where the first may still run
	if err := os.WriteFile(filepath.Join(copied, incarnationFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := identityIn(copied, "n1")
	if err != nil || len(other.Ended) != 0 {
		t.Errorf("in a copy of the directory: %v, %v", other.Ended, err)
	}
	fourth, err := identityIn(dir, "n1")
	if err != nil || !slices.Equal(fourth.Ended, []domain.Incarnation{third.Incarnation}) {
		t.Errorf("once settled: %v, %v", fourth.Ended, err)
	}
}
