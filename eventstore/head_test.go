package eventstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hallpass/eventstore"
)

func openHead(t *testing.T, path string) *eventstore.Head {
	t.Helper()
	h, err := eventstore.OpenHead(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() }) //nolint:errcheck // tested elsewhere
	return h
}

func mark(n byte) eventstore.Mark {
	return eventstore.Mark{Seq: eventstore.Seq(n), Size: uint64(n) * 2, Root: [32]byte{n, 31: n}}
}

func wantMark(t *testing.T, h *eventstore.Head, n byte) {
	t.Helper()
	if got, ok := h.Mark(); got != mark(n) || !ok {
		t.Errorf("the mark is %+v, %v; want %d", got, ok, n)
	}
}

func TestHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "head")
	h := openHead(t, path)
	if m, ok := h.Mark(); ok || m != (eventstore.Mark{}) {
		t.Errorf("a new head has %+v", m)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	openHead(t, path) // without a mark it is still a new one
	for n := byte(1); n < 20; n++ {
		if err := h.Write(mark(n)); err != nil {
			t.Fatal(err)
		}
		if n%3 == 0 {
			if err := h.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		wantMark(t, h, n)
		wantMark(t, openHead(t, path), n) // nothing waits in the process
	}
	if err := h.Write(mark(5)); err != nil { // late
		t.Fatal(err)
	}
	wantMark(t, h, 19)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	wantMark(t, openHead(t, path), 19)
}

func TestHeadOfManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "head")
	h := openHead(t, path)
	var wg sync.WaitGroup
	for n := range byte(50) {
		wg.Go(func() {
			if err := h.Write(mark(n)); err != nil {
				t.Error(err)
			}
			if err := h.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantMark(t, openHead(t, path), 49)
}

// Whatever a power loss makes of the page that was being written, what was
// synced before is there.
func TestHeadAfterATornWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "head")
	h := openHead(t, path)
	write := func(n byte) {
		if err := h.Write(mark(n)); err != nil {
			t.Fatal(err)
		}
	}
	read := func() []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write(1)
	write(2)
	if err := h.Sync(); err != nil {
		t.Fatal(err)
	}
	synced := read()
	write(3)
	write(4)
	after := read()
	torn := filepath.Join(t.TempDir(), "torn")
	for cut := max(len(synced), len(after)-200); cut < len(after); cut++ { // the rest isn't on disk
		if err := os.WriteFile(torn, after[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		wantMark(t, openHead(t, torn), 2)
	}
	for i := range after { // any one byte went wrong
		if after[i] == 0 && i%16 != 0 {
			continue // most are of the hole between the slots
		}
		b := append([]byte(nil), after...)
		b[i] ^= 0x40
		if err := os.WriteFile(torn, b, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := eventstore.OpenHead(torn)
		if err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
		if m, ok := h.Mark(); !ok || m != mark(2) && m != mark(4) {
			t.Errorf("byte %d: %+v", i, m)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHeadRefuses(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		garbage:                         "damaged or no head file",
		dir:                             "can't be opened",
		filepath.Join(dir, "no", "dir"): "can't be opened",
	} {
		if _, err := eventstore.OpenHead(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A history that is given up leaves a mark that the next one may lie below.
func TestHeadForgets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "head")
	h, err := eventstore.OpenHead(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(seq eventstore.Seq, want eventstore.Seq) {
		t.Helper()
		if err := h.Write(eventstore.Mark{Seq: seq, Size: uint64(seq)}); err != nil {
			t.Fatal(err)
		}
		if m, ok := h.Mark(); !ok || m.Seq != want {
			t.Errorf("after %d the mark is %d, %v", seq, m.Seq, ok)
		}
	}
	write(100, 100)
	write(50, 100)
	h.Forget()
	if m, ok := h.Mark(); !ok || m.Seq != 100 {
		t.Errorf("it is forgotten before there is another: %d, %v", m.Seq, ok)
	}
	write(50, 50)
	write(40, 50) // once
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if h, err = eventstore.OpenHead(path); err != nil {
		t.Fatal(err)
	}
	if m, ok := h.Mark(); !ok || m.Seq != 50 {
		t.Errorf("after another start it is %d, %v", m.Seq, ok)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}
