package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"hallpass/projections"
)

func TestProgress(t *testing.T) {
	var logged, drawn bytes.Buffer
	p := newProgress(&bytes.Buffer{}, slog.New(slog.NewTextHandler(&logged, nil)))
	if p.terminal != nil {
		t.Fatal("a buffer is taken for a terminal")
	}
	half := projections.Status{Phase: projections.Replaying, Applied: 500_000, Target: 1_000_000}
	p.show(half)
	if logged.Len() > 0 {
		t.Fatalf("a replay that has just begun says %q", logged.String())
	}
	p.said = p.said.Add(-firstLine)
	p.show(half)
	p.show(half) // too soon after
	p.show(projections.Status{Phase: projections.Connecting})
	p.show(projections.Status{Phase: projections.Live, Applied: 1, Target: 1})
	if got := logged.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "applied=500000 target=1000000 percent=50") {
		t.Fatalf("it logs %q", got)
	}
	p.terminal = &drawn
	p.show(half)
	p.done()
	p.done()
	if got, want := drawn.String(), "\rreplaying: 500,000 of 1,000,000 records (50 %)\x1b[K\r\x1b[K"; got != want {
		t.Fatalf("it draws %q, want %q", got, want)
	}
}
