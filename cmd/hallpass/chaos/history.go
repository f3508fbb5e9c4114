package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is what an operation does.
type Kind uint8

// The kinds of operations.
const (
	Check   Kind = iota
	Issue        // makes the token
	Edit         // gives it another grant
	Disable      //
	Enable       //
	Revoke       //
	Deed         // a command that the token itself gives
)

func (k Kind) String() string {
	return [...]string{"check", "issue", "edit", "disable", "enable", "revoke", "deed"}[k]
}

// Outcome is what a client knows of an operation afterwards.
type Outcome uint8

// The outcomes. A refusal surely changed nothing; an unknown one may take
// effect at any later time, or never.
const (
	Done Outcome = iota
	Refused
	Unknown
)

func (o Outcome) String() string { return [...]string{"done", "refused", "unknown"}[o] }

// Op is one operation on a token, as its client saw it. Times are nanoseconds
// on one monotonic clock.
type Op struct {
	Token   string
	Kind    Kind
	At      string // the process that was asked, "n1#2": the second one that ran as n1
	Call    int64
	Return  int64
	Outcome Outcome

	Grant    string // what a check asks for, and an issue or edit grants
	Code     string // a check's answer; with another outcome than Done, the refusal's
	Allowed  bool   // a check's
	Fenced   bool   // the answer says that no node can be without it
	RanOut   bool   // for which a lease had to be waited out
	Revision uint64 // that a change made or found; that a check's answer holds for
}

func (o *Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%11.6f – %11.6f  %-7s at %-5s %s", seconds(o.Call), seconds(o.Return), o.Kind, o.At, o.Outcome)
	switch {
	case o.Kind == Check:
		fmt.Fprintf(&b, " %s of %q, revision %d", o.Code, o.Grant, o.Revision)
	case o.Outcome != Done:
		fmt.Fprintf(&b, " %s", o.Code)
	default:
		fmt.Fprintf(&b, ", revision %d", o.Revision)
		if o.Grant != "" {
			fmt.Fprintf(&b, ", grants %q", o.Grant)
		}
		if o.Fenced {
			b.WriteString(", fenced")
		}
		if o.RanOut {
			b.WriteString(" by a lease that ran out")
		}
	}
	return b.String()
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }

// Recorder keeps the history of every token.
type Recorder struct {
	began time.Time

	mu  sync.Mutex // guards what follows
	all map[string][]Op
}

// NewRecorder returns a recorder whose clock begins now.
func NewRecorder() *Recorder { return &Recorder{began: time.Now(), all: map[string][]Op{}} }

// Now is the time of calls and returns.
func (r *Recorder) Now() int64 { return int64(time.Since(r.began)) }

// Add records an operation.
func (r *Recorder) Add(o Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[o.Token] = append(r.all[o.Token], o)
}

// Histories returns each token's operations in the order of their calls. It
// takes them out: what is recorded later isn't in it.
func (r *Recorder) Histories() [][]Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out [][]Op
	for _, ops := range r.all {
		slices.SortFunc(ops, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
		out = append(out, ops)
	}
	r.all = map[string][]Op{}
	slices.SortFunc(out, func(a, b []Op) int { return cmp.Compare(a[0].Call, b[0].Call) })
	return out
}

// Violation is something that must not be.
type Violation struct {
	What    string
	History []Op // of the token, the offending operation included
}

func (v *Violation) String() string {
	var b strings.Builder
	b.WriteString(v.What)
	for i := range v.History {
		b.WriteString("\n    ")
		b.WriteString(v.History[i].String())
	}
	return b.String()
}
