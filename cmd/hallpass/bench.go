package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

func newBench() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine: checks, replay and commands, each beside a yardstick",
		Long: `Each benchmark takes turns with a yardstick in one run, over several rounds, and
prints the median rates and the median of the rounds' ratios. Trust the ratios:
rates depend on the machine and on what else it does.`,
	}
	c.AddCommand(newBenchCheck(), newBenchReplay(), newBenchCommands(), newBenchChaos(), newBenchRevoke())
	return c
}

// bench is the flags of a benchmark.
type bench struct {
	output
	rounds int
	dir    string
}

func (b *bench) flags(c *cobra.Command, rounds int) {
	b.output.flags(c)
	c.Flags().IntVar(&b.rounds, "rounds", rounds, "how many times each side is measured")
	c.Flags().StringVar(&b.dir, "dir", "", "where to make the directory of the stream, removed afterwards; its disk counts (default: the system's for temporary files)")
}

// tempDir makes the directory of a stream; the returned function removes it.
func (b *bench) tempDir() (string, func(), error) {
	if b.rounds < 1 {
		return "", nil, usagef("--rounds is at least 1")
	}
	dir, err := os.MkdirTemp(b.dir, "hallpass-bench-")
	return dir, func() { _ = os.RemoveAll(dir) }, err // what is left is in a place for temporary files
}

// measurement is one thing beside its yardstick.
type measurement struct {
	Name      string  `json:"name"`
	Unit      string  `json:"unit"`
	Rate      float64 `json:"rate"` // per second, the median of the rounds
	Yardstick string  `json:"yardstick"`
	Bare      float64 `json:"yardstick_rate"`
	Ratio     float64 `json:"ratio"` // the median of the rounds' ratios
	Worst     float64 `json:"ratio_min"`
	Best      float64 `json:"ratio_max"`
}

// compare measures mine and bare in turn, warm-up round first. Each returns
// how much it did in how long.
func (b *bench) compare(m measurement, mine, bare func() (int, time.Duration, error)) (measurement, error) {
	var rates, bares, ratios []float64
	for round := range b.rounds + 1 {
		sides := []func() (int, time.Duration, error){mine, bare}
		order := []int{round % 2, 1 - round%2} // neither side is always first
		var rate [2]float64
		for _, side := range order {
			n, took, err := sides[side]()
			if err != nil {
				return m, err
			}
			rate[side] = float64(n) / took.Seconds()
		}
		if round == 0 {
			continue
		}
		rates, bares, ratios = append(rates, rate[0]), append(bares, rate[1]), append(ratios, rate[0]/rate[1])
	}
	m.Rate, m.Bare, m.Ratio = median(rates), median(bares), median(ratios)
	m.Worst, m.Best = slices.Min(ratios), slices.Max(ratios)
	return m, nil
}

func median[T cmp.Ordered](of []T) T {
	s := slices.Sorted(slices.Values(of))
	return s[len(s)/2]
}

// report prints what was measured.
func (b *bench) report(c *cobra.Command, ms []measurement) error {
	answer := map[string]any{
		"measurements": ms, "rounds": b.rounds,
		"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "cpus": runtime.GOMAXPROCS(0),
	}
	return b.print(c.OutOrStdout(), answer, func(t *table) {
		t.row("WHAT", "RATE", "YARDSTICK", "RATE", "RATIO", "FROM", "TO")
		for _, m := range ms {
			t.row(m.Name, rate(m.Rate, m.Unit), m.Yardstick, rate(m.Bare, m.Unit),
				ratio(m.Ratio), ratio(m.Worst), ratio(m.Best))
		}
	})
}

func rate(r float64, unit string) string { return grouped(uint64(r)) + " " + unit + "/s" }

func ratio(r float64) string { return fmt.Sprintf("%.3f", r) }
