package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hallpass/cmd/hallpass/chaos"
)

func newBenchChaos() *cobra.Command {
	var b output
	var only []string
	minutes := 1.0
	cfg := chaos.Config{}
	c := &cobra.Command{
		Use: "chaos", Short: "Run a cluster while things go wrong, and judge what its clients saw", Args: cobra.NoArgs,
		Long: `Starts a cluster of real processes on this machine, with a proxy on every link
between them, and one more node that only follows. While clients issue, edit,
disable, revoke and check tokens on all of them, processes are stopped, killed
and started again, and links cut, delayed and reset, in an order that the seed
decides. Every fault comes once at least.

Then every token's history is judged: a check or command that begins after the
answer to a fenced revoke must not pass, on any node; each process's checks must
be linearizable with the changes; a server that is cut off must refuse once its
lease is over. The command fails on any violation, and when it saw too little of
anything; then data and logs are kept.`,
		Example: `  hallpass bench chaos --minutes 10
  hallpass bench chaos --seed 7 --fault isolate,stop-long`,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, f := range only {
				cfg.Only = append(cfg.Only, chaos.Fault(f))
			}
			cfg.For = time.Duration(minutes * float64(time.Minute))
			return benchChaos(c, &b, cfg)
		},
	}
	b.flags(c)
	f := c.Flags()
	f.Float64Var(&minutes, "minutes", 1, "how long things go wrong")
	f.Uint64Var(&cfg.Seed, "seed", 0, "what the order of the faults is made from (default: a random one, printed)")
	f.IntVar(&cfg.Nodes, "nodes", 3, "how many nodes keep the stream: 3 or 5")
	f.DurationVar(&cfg.Lease, "lease", 2*time.Second, "the lease of most nodes; others have 1.5 and 2 times that")
	f.BoolVar(&cfg.Alone, "no-follower", false, "without the node that only follows, and the faults that need it")
	f.StringSliceVar(&only, "fault", nil, "these faults alone; several with commas")
	f.StringVar(&cfg.Sabotage, "sabotage", "", "a safeguard that the processes do without, to see that it is missed; for builds with the tag hallpass_sabotage")
	f.StringVar(&cfg.Dir, "dir", "", "where to make the directory of the processes, removed when nothing went wrong (default: the system's for temporary files)")
	return c
}

// benchChaos runs it. The terminal's Ctrl-C ends it in good order, and the
// processes with it.
func benchChaos(c *cobra.Command, o *output, cfg chaos.Config) error {
	if err := checkChaos(&cfg); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg.Out = c.ErrOrStderr()
	r, err := chaos.Run(ctx, cfg)
	if r == nil {
		return err
	}
	if ctx.Err() == nil {
		if err := printChaos(c, o, r); err != nil {
			return err
		}
	}
	switch {
	case err != nil && r.Dir != "":
		return fmt.Errorf("seed %d, data and logs in %s: %w", r.Seed, r.Dir, err)
	case err != nil:
		return err
	case !r.OK():
		return exitCode(exitFailed)
	}
	return nil
}

func printChaos(c *cobra.Command, o *output, r *chaos.Report) error {
	if o.format == asJSON {
		return writeJSON(c.OutOrStdout(), r)
	}
	return r.Write(c.OutOrStdout())
}

// checkChaos refuses flags that don't go together, and fills in the rest.
func checkChaos(cfg *chaos.Config) error {
	switch {
	case cfg.Nodes != 3 && cfg.Nodes != 5:
		return usagef("--nodes is 3 or 5")
	case cfg.Lease < leastLease || 2*cfg.Lease > mostLease:
		return usagef("--lease is between %v and %v", leastLease, mostLease/2)
	case cfg.Sabotage != "" && len(chaos.Safeguards()) == 0:
		return usagef("--sabotage takes a build with the tag hallpass_sabotage: go build -tags hallpass_sabotage ./cmd/hallpass")
	case cfg.Sabotage != "" && !slices.Contains(chaos.Safeguards(), cfg.Sabotage):
		return usagef("--sabotage is one of %s", strings.Join(chaos.Safeguards(), ", "))
	}
	for _, f := range cfg.Only {
		if !slices.Contains(chaos.Faults(!cfg.Alone), f) {
			return usagef("--fault is one of %s", listOf(chaos.Faults(!cfg.Alone)))
		}
	}
	if cfg.Seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		cfg.Seed = binary.BigEndian.Uint64(b[:]) >> 32
	}
	var err error
	cfg.Binary, err = os.Executable()
	return err
}

func listOf[T ~string](all []T) string {
	var s []string
	for _, one := range all {
		s = append(s, string(one))
	}
	return strings.Join(s, ", ")
}
