package main

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"hallpass/eventstore"
	"hallpass/projections"
)

func newBenchReplay() *cobra.Command {
	var b bench
	var events int
	c := &cobra.Command{
		Use: "replay", Short: "Replay a stream, beside a consumer that only counts it", Args: cobra.NoArgs,
		Long: `Fills an embedded stream, then replays it into memory as a starting server does, in
turn with the fastest plain consumer (push, over loopback), which only counts.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if events < 10 {
				return usagef("--events is at least 10")
			}
			m, err := b.replay(c.Context(), events)
			if err != nil {
				return err
			}
			return b.report(c, []measurement{m})
		},
	}
	b.flags(c, 5)
	c.Flags().IntVar(&events, "events", 1_000_000, "how many records to replay")
	return c
}

func (b *bench) replay(ctx context.Context, events int) (measurement, error) {
	m := measurement{Name: "replay", Unit: "events", Yardstick: "counting consumer"}
	dir, remove, err := b.tempDir()
	if err != nil {
		return m, err
	}
	defer remove()
	n, err := openBench(ctx, eventstore.EmbedConfig{Dir: dir, NoSync: true, Listen: "127.0.0.1:0"})
	if err != nil {
		return m, err
	}
	defer n.close()
	s := newSample()
	if err := s.fill(ctx, n, func() bool { return int(s.next) > events }); err != nil {
		return m, err
	}
	return b.compare(m, func() (int, time.Duration, error) {
		runtime.GC() // what the last round left
		defer collectLater()()
		began := time.Now()
		p := projections.Open(n.log, projections.Config{Logger: slog.New(slog.DiscardHandler)})
		err := p.Ready(ctx)
		took := time.Since(began)
		p.Close()
		return events, took, err
	}, func() (int, time.Duration, error) {
		runtime.GC()
		began := time.Now()
		err := n.bare.Count(ctx, events)
		return events, time.Since(began), err
	})
}
