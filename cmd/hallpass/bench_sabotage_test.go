//go:build hallpass_sabotage

package main

import (
	"slices"
	"testing"

	"hallpass/cmd/hallpass/chaos"
)

// sabotages are the safeguards whose absence shows in real processes, and the
// fault that shows it. The others take a history that was tampered with
// (contiguity, root-in-acknowledgement), or a moment that can't be hit from
// outside: the stories on fake time in projections show them.
var sabotages = map[string]chaos.Fault{
	"nonce-match":        chaos.Slow,
	"every-lease":        chaos.Deaf,
	"per-incarnation":    chaos.NameTwice,
	"length-from-record": chaos.CutFollower,
	"void-actor":         chaos.DeadActor,
}

// Without a safeguard, the run must find what is wrong. Each fault comes four
// times, as one alone shows it in two of three runs or more.
func TestChaosNoticesSabotage(t *testing.T) {
	for safeguard, fault := range sabotages {
		t.Run(safeguard, func(t *testing.T) {
			cfg := chaosConfig(t)
			cfg.Dir, cfg.Sabotage, cfg.Only = t.TempDir(), safeguard, slices.Repeat([]chaos.Fault{fault}, 4)
			r, err := chaos.Run(t.Context(), cfg)
			switch {
			case err != nil:
				t.Fatal(err)
			case len(r.Violations) == 0:
				t.Errorf("seed %d: %s alone did not show that %s is missing", r.Seed, fault, safeguard)
			default:
				t.Logf("%d violations, the first: %s", len(r.Violations), r.Violations[0].What)
			}
		})
	}
}
