//go:build hallpass_testclock

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"hallpass/domain"
	"hallpass/eventstore"
)

// clock is one that --clock sets: what is for people's own clocks to decide, as
// an expiry, goes by it. Leases, timeouts and limits of rates don't.
type clock struct{ at moment }

func (k *clock) flags(c *cobra.Command) {
	c.Flags().Var(&k.at, "clock", "the time that this server starts at, as 2023-12-31T12:00:00Z; it runs on from there. For tests: a stream that it was used on is for such servers alone (default: the machine's clock)")
}

// now returns the clock, started; nil: the machine's.
func (k *clock) now() func() domain.Instant {
	if k.at.t == nil {
		return nil
	}
	began, at := time.Now(), *k.at.t
	return func() domain.Instant { return domain.InstantOf(at.Add(time.Since(began))) }
}

// of returns the log as such a clock sees it: its own time, which a node's is
// never before, stands still.
func (k *clock) of(log *eventstore.JetStream) eventstore.Log {
	if k.at.t == nil {
		return log
	}
	return timeless{log}
}

// stood is when everything in a timeless log was stored: the same at each start,
// since proofs of the log's history hold it.
const stood domain.Instant = 1

type timeless struct{ *eventstore.JetStream }

func (l timeless) Read(ctx context.Context, from eventstore.Seq) (eventstore.Reader, error) {
	r, err := l.JetStream.Read(ctx, from)
	if err != nil {
		return nil, err
	}
	return timelessReader{r}, nil
}

func (l timeless) History(ctx context.Context, s eventstore.Subject, after eventstore.Seq, limit int) ([]eventstore.Record, error) {
	records, err := l.JetStream.History(ctx, s, after, limit)
	for i := range records {
		records[i].Stored = stood
	}
	return records, err
}

type timelessReader struct{ eventstore.Reader }

func (r timelessReader) Next(ctx context.Context, buf []eventstore.Record) (int, error) {
	n, err := r.Reader.Next(ctx, buf)
	for i := range buf[:n] {
		buf[i].Stored = stood
	}
	return n, err
}
