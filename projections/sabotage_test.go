//go:build hallpass_sabotage

package projections_test

import (
	"slices"
	"strings"
	"testing"

	"hallpass/projections"
)

// shownBy names, for each safeguard, the stories that hold with it and not
// without it.
var shownBy = map[string][]string{
	"clock-after-deciding":    {"stall"},
	"nonce-match":             {"late-proof"},
	"every-lease":             {"earlier-leases"},
	"contiguity":              {"gap-young"},
	"per-incarnation":         {"one-name-twice"},
	"length-from-record":      {"lengths"},
	"start-wait":              {"start-wait"},
	"void-actor":              {"dead-actor"},
	"root-in-acknowledgement": {"history-differs"},
}

// A safeguard whose removal nothing notices would count as untested. Each story
// is run with its safeguard and without: that it breaks the promise, or comes
// to something else than it says, is what is wanted.
func TestEverySafeguardIsMissed(t *testing.T) {
	t.Cleanup(func() { projections.Sabotage("") })
	for _, name := range projections.Safeguards() {
		if len(shownBy[name]) == 0 {
			t.Errorf("no story shows what happens without %s", name)
		}
		for _, story := range shownBy[name] {
			t.Run(name+"/"+story, func(t *testing.T) {
				file := "testdata/stories/" + story + ".txt"
				projections.Sabotage("")
				if violations, mistakes, _ := runStory(t, file); len(violations)+len(mistakes) > 0 {
					t.Fatalf("it doesn't hold with the safeguard either: %v", slices.Concat(violations, mistakes))
				}
				projections.Sabotage(name)
				violations, mistakes, told := runStory(t, file)
				if len(violations)+len(mistakes) == 0 {
					t.Errorf("nothing is noticed:\n%s", strings.Join(told, "\n"))
				}
				t.Logf("%d violations, %d mistakes: %s", len(violations), len(mistakes), strings.Join(slices.Concat(violations, mistakes), "; "))
			})
		}
	}
	if projections.Sabotage("no such safeguard") {
		t.Error("there is a safeguard of any name")
	}
}
