//go:build linux || darwin

package eventstore

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// After the store met a full disk it leaves records without an answer, for
// ever: appends say so at once, and reads go on.
func TestFullDisk(t *testing.T) {
	for errno, is := range map[syscall.Errno]error{syscall.ENOSPC: ErrFull, syscall.EIO: syscall.EIO, syscall.EROFS: syscall.EROFS} {
		dir, err := claimDir(t.TempDir(), mode{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := startServer(t.Context(), EmbedConfig{}, dir, orDiscard(nil))
		if err != nil {
			t.Fatal(err)
		}
		l, err := open(t.Context(), orDiscard(nil), s.dialer(), choice{replicas: 1, maxBytes: 1 << 20, broken: s.broken})
		if err != nil {
			t.Fatal(err)
		}
		s.log.Errorf("JetStream failed to store a msg on stream '%s > %s': %v", "$G", streamName,
			&os.PathError{Op: "write", Path: "1.blk", Err: errno})
		_, err = l.Append(t.Context(), Entry{Subject: "hp.e.acme.token.x"})
		if !errors.Is(err, is) || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "start hallpass again") {
			t.Errorf("%v: %v", errno, err)
		}
		if last, err := l.Last(t.Context()); last != 1 || err != nil {
			t.Errorf("Last is %d, %v", last, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		s.stop()
		dir.release()
	}
}
