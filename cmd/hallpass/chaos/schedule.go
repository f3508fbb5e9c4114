package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is something that goes wrong.
type Fault string

// The faults. What each does stands with its story, in stories.go.
const (
	StopShort       Fault = "stop-short"
	StopLong        Fault = "stop-long"
	KillRestart     Fault = "kill-restart"
	KillLeader      Fault = "kill-leader"
	Deaf            Fault = "deaf"
	Mute            Fault = "mute"
	Isolate         Fault = "isolate"
	Slow            Fault = "slow"
	SlowLeader      Fault = "slow-leader"
	Reset           Fault = "reset"
	KillCoordinator Fault = "kill-coordinator"
	NameTwice       Fault = "name-twice"
	CutFollower     Fault = "cut-follower"
	NoQuorum        Fault = "no-quorum"
	DeadActor       Fault = "dead-actor"
)

// faults are all of them; the second list needs a node that only follows.
var (
	faults         = []Fault{StopShort, StopLong, KillRestart, KillLeader, Deaf, Mute, Isolate, Slow, SlowLeader, Reset, NoQuorum, DeadActor}
	followerFaults = []Fault{KillCoordinator, NameTwice, CutFollower}
)

// Faults are all that can be asked for, with a node that only follows or without.
func Faults(follower bool) []Fault {
	all := slices.Clone(faults)
	if follower {
		all = append(all, followerFaults...)
	}
	return all
}

// Step is one fault of a schedule.
type Step struct {
	Number int
	Fault  Fault
	Node   int     // whose, by number
	Other  int     // another one, where the fault takes two; or where the revoke is asked for
	Length float64 // how long it lasts, in leases
	Leader bool    // the node is taken even if it leads the stream
}

func (s Step) String() string {
	return fmt.Sprintf("%d %s n%d (n%d) for %.2f leases", s.Number, s.Fault, s.Node+1, s.Other+1, s.Length)
}

// Schedule says what goes wrong, in what order. The same seed gives the same.
type Schedule struct {
	random *rand.Rand
	nodes  int // that keep the stream
	faults []Fault
	round  []Fault // still to come
	number int
}

// NewSchedule returns a schedule for so many nodes that keep the stream, and
// one more that follows, if there is one. Only limits it to those faults.
func NewSchedule(seed uint64, nodes int, follower bool, only []Fault) *Schedule {
	s := &Schedule{random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), nodes: nodes, faults: Faults(follower)} //nolint:gosec // to be repeated
	if len(only) > 0 {
		s.faults = only
	}
	return s
}

// Round is how many steps it takes until every fault has been there.
func (s *Schedule) Round() int { return len(s.faults) }

// Next returns the next step. Every fault comes once before any comes again.
func (s *Schedule) Next() Step {
	if len(s.round) == 0 {
		s.round = slices.Clone(s.faults)
		s.random.Shuffle(len(s.round), func(i, k int) { s.round[i], s.round[k] = s.round[k], s.round[i] })
	}
	s.number++
	step := Step{Number: s.number, Fault: s.round[0], Node: s.random.IntN(s.nodes), Length: 1.2 + 0.6*s.random.Float64()}
	step.Other = (step.Node + 1 + s.random.IntN(max(s.nodes-1, 1))) % s.nodes
	step.Leader = s.random.IntN(2) == 0 && s.number > len(s.faults)
	s.round = s.round[1:]
	if step.Fault == StopShort {
		step.Length = 0.3 + 0.55*s.random.Float64()
	}
	return step
}

// leases is a length in leases as a time.
func leases(n float64, lease time.Duration) time.Duration { return time.Duration(n * float64(lease)) }
