package chaos

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// standing is what a node may know of a token: the model's state.
type standing struct {
	issued, disabled, revoked bool
	grant                     string
	revision                  uint64 // of the newest change whose revision is known
}

// everything is the grant of a manager.
const everything = "*"

// code is what a check of the token answers.
func (s standing) code(grant string) string {
	switch {
	case !s.issued:
		return "unknown_secret"
	case s.revoked:
		return "revoked"
	case s.disabled:
		return "disabled"
	case s.grant == grant, s.grant == everything:
		return "granted"
	}
	return "no_grant"
}

// answers tells whether the check may be answered so. A bearer whose token
// doesn't work isn't told why.
func (s standing) answers(check *Op) bool {
	want := s.code(check.Grant)
	if check.Code == invalidToken {
		return want == "unknown_secret" || want == "revoked" || want == "disabled"
	}
	return check.Code == want
}

// step tells whether o can come next, and what is known then. Changes whose
// revision is known come in its order; others may come anywhere, also where
// they change nothing.
func (s standing) step(o *Op) (bool, standing) {
	if o.Kind == Check {
		return s.answers(o), s
	}
	if o.Outcome == Done {
		if o.Revision < s.revision || s.revoked && o.Kind != Revoke {
			return false, s
		}
		s.revision = o.Revision
	}
	switch o.Kind {
	case Issue:
		s.issued, s.grant = true, o.Grant
	case Edit:
		s.grant = o.Grant
	case Disable:
		s.disabled = true
	case Enable:
		s.disabled = false
	case Revoke:
		s.revoked = true
	case Check, Deed:
	}
	return true, s
}

var model = porcupine.Model{
	Init: func() any { return standing{} },
	Step: func(state, input, _ any) (bool, any) {
		ok, s := state.(standing).step(input.(*Op))
		return ok, s
	},
}

// Verdict is what became of judging one token on one process.
type Verdict struct {
	Checked   int // histories
	Undecided int // of them, that took too long
}

// judgeTime is how long one history may take. Most take microseconds.
const judgeTime = 20 * time.Second

// Linearizable judges one token's history, separately for each process that
// answered checks of it.
func Linearizable(ctx context.Context, ops []Op) (v Verdict, out []Violation) {
	for _, at := range processes(ops) {
		if ctx.Err() != nil {
			return v, out
		}
		v.Checked++
		switch part := seenAt(ops, at); porcupine.CheckOperationsTimeout(model, part, judgeTime) {
		case porcupine.Ok:
		case porcupine.Unknown:
			v.Undecided++
		case porcupine.Illegal:
			at := culprit(part)
			out = append(out, violation(ops, slices.IndexFunc(ops, func(o Op) bool { return o == *at }),
				"the checks of token %s at %s fit into no order with the changes to it; the first that doesn't:\n    %s", at.Token, at.At, at))
		}
	}
	return v, out
}

func processes(ops []Op) []string {
	var all []string
	for i := range ops {
		if o := &ops[i]; o.Kind == Check && o.Outcome == Done && !slices.Contains(all, o.At) {
			all = append(all, o.At)
		}
	}
	return all
}

// seenAt is the history as the process's own checks must fit it.
func seenAt(ops []Op, at string) []porcupine.Operation {
	var part []porcupine.Operation
	for i := range ops {
		o := &ops[i]
		if o.Outcome == Refused || o.Kind == Deed || o.Kind == Check && (o.Outcome != Done || o.At != at) || foundDone(ops, o) {
			continue
		}
		end := o.Return
		if o.Outcome == Unknown || o.Kind != Check && !o.Fenced && o.At != at {
			end = math.MaxInt64
		}
		part = append(part, porcupine.Operation{Input: o, Call: o.Call, Return: end})
	}
	return part
}

// foundDone tells whether an unfenced change surely made no record: then its
// revision would be above all that were known before it was asked for. A node
// that lags may find its effect there that another change has undone already.
func foundDone(ops []Op, o *Op) bool {
	if o.Kind == Check || o.Outcome != Done || o.Fenced {
		return false
	}
	return slices.ContainsFunc(ops, func(k Op) bool {
		return k.Kind > Check && k.Kind < Deed && k.Outcome == Done && k.Return < o.Call && k.Revision >= o.Revision
	})
}

// culprit is the check whose answer ends the longest part of the history that
// is still in order.
func culprit(part []porcupine.Operation) *Op {
	var checks []*Op
	for i := range part {
		if o := part[i].Input.(*Op); o.Kind == Check {
			checks = append(checks, o)
		}
	}
	slices.SortFunc(checks, func(a, b *Op) int { return int(a.Return - b.Return) })
	n, _ := slices.BinarySearchFunc(checks, true, func(upTo *Op, _ bool) int {
		some := slices.DeleteFunc(slices.Clone(part), func(p porcupine.Operation) bool {
			o := p.Input.(*Op)
			return o.Kind == Check && o.Return > upTo.Return
		})
		if porcupine.CheckOperationsTimeout(model, some, judgeTime) == porcupine.Illegal {
			return 0
		}
		return -1
	})
	if n == len(checks) { // it took too long to tell
		n--
	}
	return checks[n]
}

// Judge judges all histories.
func Judge(ctx context.Context, histories [][]Op) (v Verdict, out []Violation) {
	for _, ops := range histories {
		broken := Promise(ops)
		one, more := Linearizable(ctx, ops)
		v.Checked, v.Undecided = v.Checked+one.Checked, v.Undecided+one.Undecided
		out = append(append(out, broken...), more...)
	}
	return v, out
}
