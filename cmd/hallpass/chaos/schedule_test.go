package chaos

import (
	"slices"
	"testing"
)

func TestSchedule(t *testing.T) {
	for seed := range uint64(200) {
		s, again := NewSchedule(seed, 3, true, nil), NewSchedule(seed, 3, true, nil)
		if s.Round() != len(Faults(true)) || s.Round() != len(stories) {
			t.Fatalf("a round of %d, %d faults, %d stories", s.Round(), len(Faults(true)), len(stories))
		}
		for round := range 3 {
			seen := map[Fault]bool{}
			for range s.Round() {
				step := s.Next()
				if other := again.Next(); other != step {
					t.Fatalf("seed %d gives %v and %v", seed, step, other)
				}
				seen[step.Fault] = true
				if step.Node == step.Other || step.Node < 0 || step.Node > 2 || step.Other < 0 || step.Other > 2 {
					t.Fatalf("seed %d: %v", seed, step)
				}
				if short := step.Length < 1; short != (step.Fault == StopShort) || step.Length <= 0 || step.Length > 2 {
					t.Fatalf("seed %d: %v", seed, step)
				}
				if round == 0 && step.Leader {
					t.Fatalf("seed %d: %v may hit the leader in the first round", seed, step)
				}
			}
			if len(seen) != s.Round() {
				t.Fatalf("seed %d, round %d: only %v", seed, round, seen)
			}
		}
	}
}

// Another seed gives another order, and every node has its turn.
func TestSchedulesDiffer(t *testing.T) {
	orders, nodes, leaders := map[Fault]bool{}, map[int]bool{}, 0
	for seed := range uint64(50) {
		s := NewSchedule(seed, 3, true, nil)
		first := s.Next()
		orders[first.Fault], nodes[first.Node] = true, true
		for range 2 * s.Round() {
			if s.Next().Leader {
				leaders++
			}
		}
	}
	if len(orders) < 8 || len(nodes) != 3 || leaders == 0 {
		t.Errorf("%d faults come first, at %d nodes, %d times the leader", len(orders), len(nodes), leaders)
	}
}

func TestScheduleOfSome(t *testing.T) {
	s := NewSchedule(1, 5, false, []Fault{Deaf, Slow})
	for range 6 {
		if step := s.Next(); !slices.Contains([]Fault{Deaf, Slow}, step.Fault) || step.Node > 4 {
			t.Errorf("got %v", step)
		}
	}
	for _, f := range followerFaults {
		if slices.Contains(Faults(false), f) {
			t.Errorf("%s needs a follower", f)
		}
	}
}
