package chaos

import (
	"maps"
	"slices"
	"sync"
)

// tally counts what happened.
type tally struct {
	mu       sync.Mutex // guards what follows
	allowed  map[string]int
	refused  map[string]int
	stale    map[string]int
	nothing  map[string]int
	faults   map[Fault]int
	acked    int
	ranOut   int
	dead     int // commands that were answered actor_revoked
	unknown  map[Kind]int
	changes  map[Kind]int
	slowest  int64
	problems map[string]int
}

func newTally() *tally {
	return &tally{
		allowed: map[string]int{}, refused: map[string]int{}, stale: map[string]int{}, nothing: map[string]int{},
		faults: map[Fault]int{}, unknown: map[Kind]int{}, changes: map[Kind]int{}, problems: map[string]int{},
	}
}

func (t *tally) answered(node string, allowed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if allowed {
		t.allowed[node]++
	} else {
		t.refused[node]++
	}
}

func (t *tally) unanswered(node string, a *Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.Code == "stale" {
		t.stale[node]++
	} else {
		t.nothing[node]++
		t.problems["check: "+a.String()]++
	}
}

func (t *tally) changed(o *Op, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o.Outcome {
	case Unknown:
		t.unknown[o.Kind]++
		t.problems[o.Code]++
	case Refused:
		t.problems[o.Code]++
	case Done:
		t.changes[o.Kind]++
		if !all {
			return
		}
		switch {
		case o.RanOut:
			t.ranOut++
		case o.Fenced:
			t.acked++
		}
		t.slowest = max(t.slowest, o.Return-o.Call)
	}
}

func (t *tally) command(a *Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case a.Outcome() == Done:
		t.changes[Deed]++
	case a.Outcome() == Unknown:
		t.unknown[Deed]++
	case a.Code == "actor_revoked":
		t.dead++
	}
}

func sorted[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func (t *tally) fault(f Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults[f]++
}
