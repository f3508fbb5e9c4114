package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hallpass/cmd/hallpass/chaos"
)

// revokeBench is "bench revoke".
type revokeBench struct {
	output
	revokes, rounds, samples, kills int
	apart, idle                     time.Duration
	leases                          []time.Duration
	followers                       []int
	dir                             string
}

// revokeReport is what it prints.
type revokeReport struct {
	Well      chaos.Revokes  `json:"all_well"`
	Cut       []chaos.Cut    `json:"one_cut"`
	RestartMS []float64      `json:"restart_first_fence_ms"`
	Applied   []appliedRatio `json:"applied"`
	Barriers  []barrierRate  `json:"barriers"`
	Kills     *chaos.Kills   `json:"leader_kills,omitempty"`
	Missed    []string       `json:"missed"`
}

func newBenchRevoke() *cobra.Command {
	var b revokeBench
	c := &cobra.Command{
		Use: "revoke", Short: "Measure fenced revokes with three processes on this machine", Args: cobra.NoArgs,
		Long: `Starts three real processes and measures, one after another:

  - fenced revokes with all nodes well, each of a token that is checked at all
    nodes all the time: no check that begins after the answer may be allowed
  - the same with one node stopped, and with its links cut: lease × 1.1 at most
  - the first fenced revoke of a single node that was killed and started again
  - how long after being published a record is applied on each of three nodes,
    beside a plain subscriber of the same server (in this process): 1.5 times at
    most
  - how many barriers a second so many followers cost (in this process): no more
    with many than with few
  - with --leader-kills, checks while the stream's leader is killed again and
    again, at the default lease: none may fail

The command fails when one of these is missed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if b.revokes < 1 || b.rounds < 1 || b.samples < 1 || b.kills < 0 || len(b.leases) == 0 || slices.Min(b.leases) < leastLease {
				return usagef("--revokes, --rounds and --samples are above 0, and --leases at least %v", leastLease)
			}
			if b.kills > 1 && b.apart < time.Minute {
				return usagef("--apart is at least 1m: closer kills are more than is promised for")
			}
			return b.run(c)
		},
	}
	b.flags(c)
	f := c.Flags()
	f.IntVar(&b.revokes, "revokes", 300, "how many tokens are revoked with all nodes well")
	f.IntVar(&b.rounds, "rounds", 3, "how often a node is stopped, cut off or started again")
	f.DurationSliceVar(&b.leases, "leases", []time.Duration{2 * time.Second, 12 * time.Second}, "at which leases a node is cut off")
	f.IntVar(&b.samples, "samples", 300, "how many records are timed until they are applied")
	f.IntSliceVar(&b.followers, "followers", []int{3, 300}, "with how many followers barriers are counted")
	f.DurationVar(&b.idle, "for", 15*time.Second, "how long barriers are counted")
	f.IntVar(&b.kills, "leader-kills", 0, "how often the stream's leader is killed")
	f.DurationVar(&b.apart, "apart", time.Minute, "how far apart")
	f.StringVar(&b.dir, "dir", "", "where to make directories, removed afterwards; its disk counts (default: the system's for temporary files)")
	return c
}

func (b *revokeBench) run(c *cobra.Command) error {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	m := &chaos.Measures{Binary: binary, Dir: b.dir, Say: func(format string, args ...any) {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) // progress for people
	}}
	r, err := b.measure(ctx, m)
	if err != nil {
		return err
	}
	r.judge()
	if err := b.print(c.OutOrStdout(), r, r.table); err != nil {
		return err
	}
	if len(r.Missed) > 0 {
		return exitCode(exitFailed)
	}
	return nil
}

func (b *revokeBench) measure(ctx context.Context, m *chaos.Measures) (r *revokeReport, err error) {
	r = &revokeReport{Missed: []string{}}
	m.Say("%d revokes with all nodes well", b.revokes)
	if r.Well, err = m.Well(ctx, b.revokes); err != nil {
		return nil, err
	}
	for _, lease := range b.leases {
		m.Say("revokes with one node cut off, lease %v", lease)
		cuts, err := m.OneCut(ctx, lease, b.rounds)
		if err != nil {
			return nil, err
		}
		r.Cut = append(r.Cut, cuts...)
	}
	m.Say("a single node that is killed and started again")
	if r.RestartMS, err = m.Restarts(ctx, b.rounds); err != nil {
		return nil, err
	}
	m.Say("%d records until they are applied", b.samples)
	if r.Applied, err = b.applied(ctx); err != nil {
		return nil, err
	}
	for _, n := range b.followers {
		m.Say("barriers with %d followers, for %v", n, b.idle)
		one, err := b.barriers(ctx, n)
		if err != nil {
			return nil, err
		}
		r.Barriers = append(r.Barriers, one)
	}
	if b.kills > 0 {
		m.Say("%d kills of the leader, %v apart", b.kills, b.apart)
		k, err := m.LeaderKills(ctx, b.kills, b.apart)
		if err != nil {
			return nil, err
		}
		r.Kills = &k
	}
	return r, nil
}

// The bounds that aren't a lease's.
const (
	mostApplied   = 1.5 // times a plain subscriber
	mostRestartMS = 500 // immediate: no lease is waited for, only the disk
	moreBarriers  = 1.2 // with many followers, times those with few
)

// judge says what was missed.
func (r *revokeReport) judge() {
	miss := func(bad bool, format string, args ...any) {
		if bad {
			r.Missed = append(r.Missed, fmt.Sprintf(format, args...))
		}
	}
	miss(r.Well.LastAcceptMS > 0, "a check was allowed that began %.3f ms after the answer to the revoke", r.Well.LastAcceptMS)
	miss(r.Well.After == 0, "no check began after the answer to a revoke")
	for i := range r.Cut {
		c := &r.Cut[i]
		miss(!c.OK(), "a revoke took %.0f ms with one node %s, more than %.0f", slices.Max(c.TookMS), c.How, c.BoundMS)
	}
	miss(slices.Max(r.RestartMS) > mostRestartMS, "the first revoke after a restart took %.0f ms", slices.Max(r.RestartMS))
	for _, a := range r.Applied {
		miss(a.Ratio > mostApplied, "records are applied on %s in %.2f times what a plain subscriber takes, more than %.1f", a.Node, a.Ratio, mostApplied)
	}
	for i := 1; i < len(r.Barriers); i++ {
		few, many := r.Barriers[0], r.Barriers[i]
		miss(many.PerSecond > few.PerSecond*moreBarriers, "%d followers cost %.2f barriers a second, %d cost %.2f",
			many.Followers, many.PerSecond, few.Followers, few.PerSecond)
	}
	if r.Kills != nil {
		miss(r.Kills.Failed > 0, "%d of %d checks failed while leaders were killed", r.Kills.Failed, r.Kills.Checks)
	}
}

func (r *revokeReport) table(t *table) {
	t.row("WHAT", "SEEN", "WANTED")
	w := &r.Well
	t.row(fmt.Sprintf("last check allowed after the answer, of %d revokes and %d checks", w.Revokes, w.Checks),
		fmt.Sprintf("%.3f ms", w.LastAcceptMS), "≤ 0")
	t.row(fmt.Sprintf("checks that began after the answer: %d", w.After), "", "> 0")
	t.row("fenced revoke, all nodes well", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", w.P50, w.P99), "")
	for _, c := range r.Cut {
		t.row(fmt.Sprintf("fenced revoke, lease %v, one node %s", time.Duration(c.LeaseMS*1e6), c.How),
			list(c.TookMS, "%.0f")+" ms", fmt.Sprintf("≤ %.0f ms", c.BoundMS))
	}
	t.row("first fenced revoke of a restarted single node", list(r.RestartMS, "%.1f")+" ms", fmt.Sprintf("≤ %d ms", mostRestartMS))
	for _, a := range r.Applied {
		t.row(fmt.Sprintf("published until applied on %s; by a plain subscriber", a.Node),
			fmt.Sprintf("%.2f ms; %.2f ms: %.2f", a.AppliedMS, a.BareMS, a.Ratio), fmt.Sprintf("≤ %.1f", mostApplied))
	}
	for i, b := range r.Barriers {
		wanted := ""
		if i > 0 {
			wanted = fmt.Sprintf("≤ %.2f", r.Barriers[0].PerSecond*moreBarriers)
		}
		t.row(fmt.Sprintf("barriers a second with %d followers", b.Followers), fmt.Sprintf("%.2f, of %.0f bytes", b.PerSecond, b.Bytes), wanted)
	}
	if k := r.Kills; k != nil {
		t.row(fmt.Sprintf("failed checks over %d kills of the leader, of %d", k.Kills, k.Checks), fmt.Sprint(k.Failed), "0")
		t.row("nothing could be written for", list(k.OutageMS, "%.0f")+" ms", "")
	}
	for _, m := range r.Missed {
		t.row("MISSED: " + m)
	}
}

func list(of []float64, format string) string {
	s := ""
	for i, f := range of {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf(format, f)
	}
	return s
}
