package chaos

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run came to.
type Report struct {
	Seed       uint64         `json:"seed"`
	Seconds    float64        `json:"seconds"` // of faults
	Nodes      []NodeReport   `json:"nodes"`
	Faults     map[Fault]int  `json:"faults"`
	Changes    map[string]int `json:"changes"` // answered, by kind
	Unknown    map[string]int `json:"unknown"` // outcomes, by kind
	Acked      int            `json:"fences_acknowledged"`
	RanOut     int            `json:"fences_run_out"`
	SlowestMS  float64        `json:"slowest_fence_ms"`
	DeadDeeds  int            `json:"commands_of_dead_actors"` // that were answered actor_revoked
	Tokens     int            `json:"tokens"`
	Operations int            `json:"operations"`
	Verdict    Verdict        `json:"histories"`
	Violations []Violation    `json:"violations"`
	Missed     []string       `json:"floors_missed"`
	Troubles   []string       `json:"troubles"` // servers' stores that failed, and were started again
	Refusals   map[string]int `json:"-"`        // and what else came back, by text
	Dir        string         `json:"dir,omitempty"`
}

// NodeReport is what one node answered to checks.
type NodeReport struct {
	Name    string `json:"name"`
	Allowed int    `json:"allowed"`
	Refused int    `json:"refused"`
	Stale   int    `json:"stale"`
	Nothing int    `json:"nothing"` // no answer in time, or another refusal
}

// The floors, below which a run has seen too little to say anything.
const (
	leastAllowed = 200 // checks of each node; where only some faults were asked for, a tenth
	leastAcked   = 30  // fences by acknowledgement
	leastRanOut  = 3   // fences for which a lease was waited out
	leastUnknown = 1   // outcomes
	leastDead    = 1   // commands of dead actors that were refused as such
)

// OK tells whether nothing is wrong so far.
func (r *Report) OK() bool {
	return len(r.Violations) == 0 && len(r.Missed) == 0 && r.Verdict.Undecided == 0
}

// judge judges what was seen since the last time.
func (r *run) judge(ctx context.Context) error {
	histories := r.rec.Histories()
	verdict, violations := Judge(ctx, histories)
	r.report.Verdict.Checked += verdict.Checked
	r.report.Verdict.Undecided += verdict.Undecided
	r.report.Tokens += len(histories)
	for _, ops := range histories {
		r.report.Operations += len(ops)
		violations = append(violations, r.outOfWindow(ops)...)
	}
	var err error
	if ctx.Err() == nil {
		var late []Violation
		late, err = r.load.lateDeeds(ctx, r.anyone(), histories)
		violations = append(violations, late...)
	}
	r.report.Violations = append(r.report.Violations, violations...)
	r.say("judged %d tokens, %d histories: %d violations", len(histories), verdict.Checked, len(violations))
	return err
}

func (r *run) anyone() *Process {
	for _, n := range r.cluster.Nodes {
		if p := n.Now(); p != nil {
			return p
		}
	}
	return &Process{}
}

// outOfWindow are the checks that a process allowed where nothing could tell it
// that it was current.
func (r *run) outOfWindow(ops []Op) (out []Violation) {
	for i := range ops {
		o := &ops[i]
		if o.Kind != Check || o.Outcome != Done {
			continue
		}
		for _, w := range r.windows {
			if w.life == o.At && o.Call > w.from && o.Return < w.to {
				out = append(out, violation(ops, i, "%s answered a check of token %s %.3f ms after %s",
					o.At, o.Token, float64(o.Call-w.from)/1e6, w.why))
			}
		}
	}
	return out
}

// fill takes over what was counted, and sees what floors were missed.
func (r *Report) fill(from *run) {
	t := from.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Faults, r.Acked, r.RanOut, r.SlowestMS, r.DeadDeeds = t.faults, t.acked, t.ranOut, float64(t.slowest)/1e6, t.dead
	r.Changes, r.Unknown, r.Refusals = named(t.changes), named(t.unknown), t.problems
	if from.cluster == nil {
		return
	}
	for _, n := range from.cluster.Nodes {
		r.Nodes = append(r.Nodes, NodeReport{n.Name, t.allowed[n.Name], t.refused[n.Name], t.stale[n.Name], t.nothing[n.Name]})
	}
	r.floors(from.cfg)
}

func named(m map[Kind]int) map[string]int {
	out := map[string]int{}
	for k, n := range m {
		out[k.String()] = n
	}
	return out
}

func (r *Report) floors(cfg Config) {
	missed := func(what string, got, least int) {
		if got < least {
			r.Missed = append(r.Missed, fmt.Sprintf("%s: %d, at least %d are needed", what, got, least))
		}
	}
	allowed := leastAllowed
	if cfg.Only != nil {
		allowed /= 10
	}
	for _, n := range r.Nodes {
		missed("checks allowed by "+n.Name, n.Allowed, allowed)
	}
	missed("fences by acknowledgement", r.Acked, leastAcked)
	wanted := cfg.Only
	if wanted == nil {
		wanted = Faults(!cfg.Alone)
	}
	with := func(some ...Fault) bool {
		return slices.ContainsFunc(some, func(f Fault) bool { return slices.Contains(wanted, f) })
	}
	if with(StopLong, Deaf, Mute, Isolate, Slow, CutFollower, NameTwice) {
		missed("fences run out", r.RanOut, leastRanOut)
	}
	if with(KillCoordinator, NoQuorum) {
		unknown := 0
		for _, n := range r.Unknown {
			unknown += n
		}
		missed("unknown outcomes", unknown, leastUnknown)
	}
	if with(DeadActor) {
		missed("commands of dead actors refused", r.DeadDeeds, leastDead)
	}
	for _, f := range wanted {
		missed("faults of kind "+string(f), r.Faults[f], 1)
	}
}

// shown is how many violations are written out.
const shown = 5

// Write writes the report for people.
func (r *Report) Write(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(t, "\t") // into memory, as all here
			}
			_, _ = fmt.Fprint(t, c)
		}
		_, _ = fmt.Fprintln(t)
	}
	row("CHECKS AT", "ALLOWED", "REFUSED", "STALE", "NO ANSWER")
	for _, n := range r.Nodes {
		row(n.Name, n.Allowed, n.Refused, n.Stale, n.Nothing)
	}
	row()
	row("FAULT", "TIMES")
	for _, f := range sorted(r.Faults) {
		row(f, r.Faults[f])
	}
	row()
	row("CHANGE", "ANSWERED", "UNKNOWN")
	for k := Issue; k <= Deed; k++ {
		row(k, r.Changes[k.String()], r.Unknown[k.String()])
	}
	_ = t.Flush()
	fmt.Fprintf(&b, "\nfences: %d by acknowledgement, %d run out, the slowest took %v\n",
		r.Acked, r.RanOut, time.Duration(r.SlowestMS*1e6).Round(time.Millisecond))
	fmt.Fprintf(&b, "commands of dead actors refused: %d\n", r.DeadDeeds)
	fmt.Fprintf(&b, "histories: %d of %d tokens, %d operations, %d undecided\n", r.Verdict.Checked, r.Tokens, r.Operations, r.Verdict.Undecided)
	for _, m := range r.Missed {
		fmt.Fprintf(&b, "floor missed: %s\n", m)
	}
	for _, p := range sorted(r.Refusals) {
		fmt.Fprintf(&b, "%6d times: %s\n", r.Refusals[p], p)
	}
	for _, t := range r.Troubles {
		fmt.Fprintf(&b, "a server's store failed: %s\n", t)
	}
	for i := range r.Violations {
		if i == shown {
			fmt.Fprintf(&b, "… and %d more\n", len(r.Violations)-shown)
			break
		}
		fmt.Fprintf(&b, "VIOLATION: %s\n", r.Violations[i].String())
	}
	fmt.Fprintf(&b, "violations: %d\n", len(r.Violations))
	if r.Dir != "" {
		fmt.Fprintf(&b, "seed %d; data and logs are kept in %s\n", r.Seed, r.Dir)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
