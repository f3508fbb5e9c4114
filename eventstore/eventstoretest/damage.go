package eventstoretest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Blocks returns the paths of the files that hold the stream's records in a
// data directory, in order. The server must not run while they are damaged.
func Blocks(t testing.TB, dir string) []string {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(msgs(dir), "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks in %s, %v", dir, err)
	}
	slices.SortFunc(blocks, func(a, b string) int { // 9.blk comes before 10.blk
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return blocks
}

func msgs(dir string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", "hallpass", "msgs")
}

// FlipBit flips a bit in the middle of the nth block, and drops the index, as
// if the machine had died too: with it the server doesn't look at the block.
func FlipBit(t testing.TB, dir string, n int) {
	t.Helper()
	path := Blocks(t, dir)[n]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	DropIndex(t, dir)
}

// CutTail takes the last n bytes from the last block, and drops the index.
func CutTail(t testing.TB, dir string, n int64) {
	t.Helper()
	blocks := Blocks(t, dir)
	path := blocks[len(blocks)-1]
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, max(info.Size()-n, 0)); err != nil {
		t.Fatal(err)
	}
	DropIndex(t, dir)
}

// RemoveBlock removes the nth block, and drops the index.
func RemoveBlock(t testing.TB, dir string, n int) {
	t.Helper()
	if err := os.Remove(Blocks(t, dir)[n]); err != nil {
		t.Fatal(err)
	}
	DropIndex(t, dir)
}

// DropIndex removes the index of the blocks, if there is one: the server reads
// them all at its next start.
func DropIndex(t testing.TB, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(msgs(dir), "index.db")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
