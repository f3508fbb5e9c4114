package eventstoretest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// Lines collects what is logged, the finest levels included.
type Lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// Logger writes to l.
func (l *Lines) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))
}

// Has tells whether a line holds all the given texts.
func (l *Lines) Has(texts ...string) bool {
	for line := range strings.SplitSeq(l.String(), "\n") {
		all := line != ""
		for _, s := range texts {
			all = all && strings.Contains(line, s)
		}
		if all {
			return true
		}
	}
	return false
}

func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
