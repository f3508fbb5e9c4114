package chaos

import (
	"fmt"
	"math"
	"slices"
)

// Promise judges one token's history in one pass, by what is promised: nothing
// that begins after a fenced revoke's answer passes; no answer that holds for
// the revoke's revision allows; and no check passes that begins after a fenced
// disable, unless something may have enabled the token again. Of each process
// it returns the first breach.
func Promise(ops []Op) []Violation {
	end, revision := int64(math.MaxInt64), uint64(math.MaxUint64)
	for i := range ops {
		if o := &ops[i]; o.Kind == Revoke && o.Outcome == Done {
			revision = min(revision, o.Revision)
			if o.Fenced {
				end = min(end, o.Return)
			}
		}
	}
	var out []Violation
	told := map[string]bool{}
	for i := range ops {
		o := &ops[i]
		passed := o.Outcome == Done && (o.Kind == Deed || o.Kind == Check && o.Allowed)
		before := len(out)
		switch {
		case !passed || told[o.At]:
		case o.Call > end:
			out = append(out, violation(ops, i, "%s of token %s at %s passed %.3f ms after the answer to a fenced revoke",
				o.Kind, o.Token, o.At, float64(o.Call-end)/1e6))
		case o.Kind == Check && o.Revision >= revision:
			out = append(out, violation(ops, i, "a check of token %s at %s was allowed by an answer for revision %d, where it is revoked since %d",
				o.Token, o.At, o.Revision, revision))
		case o.Kind == Check:
			if d := disabledAt(ops, o); d != nil {
				out = append(out, violation(ops, i, "a check of token %s at %s was allowed %.3f ms after the answer to a fenced disable",
					o.Token, o.At, float64(o.Call-d.Return)/1e6))
			}
		}
		told[o.At] = told[o.At] || len(out) > before
	}
	return out
}

// disabledAt returns the fenced disable for which the check must be refused.
func disabledAt(ops []Op, check *Op) *Op {
	for i := range ops {
		d := &ops[i]
		if d.Kind != Disable || d.Outcome != Done || !d.Fenced || d.Return >= check.Call {
			continue
		}
		if !slices.ContainsFunc(ops, func(e Op) bool { return mayEnable(&e, d, check) }) {
			return d
		}
	}
	return nil
}

// mayEnable tells whether e may have enabled the token after d and before the
// check was answered.
func mayEnable(e, d, check *Op) bool {
	if e.Kind != Enable || e.Outcome == Refused || e.Call >= check.Return {
		return false
	}
	if e.Outcome == Unknown {
		return true
	}
	return e.Revision > d.Revision || e.Return > d.Call && e.Revision == d.Revision
}

// around is how many operations before and after the offending one are shown.
const around = 12

// violation shows the changes, and the operations around the i-th.
func violation(ops []Op, i int, format string, args ...any) Violation {
	v := Violation{What: fmt.Sprintf(format, args...)}
	for k := range ops {
		if ops[k].Kind > Check && ops[k].Kind < Deed || k >= i-around && k <= i+around {
			v.History = append(v.History, ops[k])
		}
	}
	return v
}
