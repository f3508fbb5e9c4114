package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/term"

	"hallpass/projections"
)

// progress shows how far replay is: one line that is written over on a
// terminal, a log line every few seconds elsewhere. Replays too short to wait
// for say nothing.
type progress struct {
	logger   *slog.Logger
	terminal io.Writer // nil: there is none

	mu    sync.Mutex // guards what follows
	said  time.Time
	drawn bool
}

const (
	firstLine = 2 * time.Second // of replay, before the first log line
	nextLine  = 5 * time.Second
)

func newProgress(stderr io.Writer, logger *slog.Logger) *progress {
	p := &progress{logger: logger, said: time.Now().Add(firstLine - nextLine)}
	if f, ok := stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = f
	}
	return p
}

// show is told of each step.
func (p *progress) show(s projections.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Phase != projections.Replaying || s.Target == 0 {
		return
	}
	percent := 100 * uint64(s.Applied) / uint64(s.Target)
	if p.terminal != nil {
		p.drawn = true
		_, _ = fmt.Fprintf(p.terminal, "\rreplaying: %s of %s records (%d %%)\x1b[K",
			grouped(uint64(s.Applied)), grouped(uint64(s.Target)), percent)
		return
	}
	if now := time.Now(); now.Sub(p.said) >= nextLine {
		p.said = now
		p.logger.Info("replaying", "applied", s.Applied, "target", s.Target, "percent", percent)
	}
}

// done ends the line on a terminal.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		_, _ = fmt.Fprintf(p.terminal, "\r\x1b[K")
		p.drawn = false
	}
}

// grouped writes n with a comma every three digits.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
