package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"hallpass/cmd/hallpass/chaos"
)

// TestChaos runs real processes while things go wrong, about a minute of it.
// HALLPASS_CHAOS_MINUTES makes it longer, with every fault, and
// HALLPASS_CHAOS_SEED repeats a run.
func TestChaos(t *testing.T) {
	cfg := chaosConfig(t)
	cfg.Only = []chaos.Fault{
		chaos.StopShort, chaos.StopLong, chaos.KillRestart, chaos.KillLeader, chaos.Deaf, chaos.Isolate, chaos.Slow, chaos.SlowLeader,
		chaos.KillCoordinator, chaos.NameTwice, chaos.CutFollower, chaos.DeadActor,
	}
	if minutes, err := strconv.ParseFloat(os.Getenv("HALLPASS_CHAOS_MINUTES"), 64); err == nil {
		cfg.Only, cfg.For = nil, time.Duration(minutes*float64(time.Minute))
	} else {
		t.Logf("of %d faults, %d are in this short run", len(chaos.Faults(true)), len(cfg.Only))
	}
	r, err := chaos.Run(t.Context(), cfg)
	if r != nil {
		var b strings.Builder
		_ = r.Write(&b) // into memory
		t.Log(b.String())
	}
	switch {
	case err != nil:
		t.Fatal(err)
	case !r.OK():
		t.Errorf("%d violations, %d floors missed, seed %d; data and logs are kept in %s", len(r.Violations), len(r.Missed), r.Seed, r.Dir)
	}
}

// chaosConfig starts this test binary, which is hallpass under that name.
func chaosConfig(t *testing.T) chaos.Config {
	if runtime.GOOS != "linux" {
		t.Skip("the processes of one machine are kept apart by loopback addresses that only Linux has")
	}
	binary, err := exec.LookPath("hallpass")
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano()) >> 20
	if given, err := strconv.ParseUint(os.Getenv("HALLPASS_CHAOS_SEED"), 10, 64); err == nil {
		seed = given
	}
	return chaos.Config{Binary: binary, Seed: seed, Nodes: 3, Lease: 2 * time.Second, Out: t.Output()}
}

func TestChaosFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--nodes", "4"}, {"--lease", "100ms"}, {"--lease", "1m"}, {"--fault", "flood"},
		{"--fault", "name-twice", "--no-follower"}, {"--sabotage", "nothing"},
	} {
		root := newRoot()
		root.SetArgs(append([]string{"bench", "chaos"}, args...))
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
