package chaos

import (
	"strings"
	"testing"
)

// history writes one token's operations: each line is call, return, kind,
// process, and words: fenced, unknown, refused, rN (a revision), a grant or code.
func history(t *testing.T, text string) []Op {
	t.Helper()
	var ops []Op
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		o := Op{Token: "x", At: words[3], Call: number(t, words[0]), Return: number(t, words[1])}
		for k := Check; k <= Deed; k++ {
			if k.String() == words[2] {
				o.Kind = k
			}
		}
		if o.Kind == Check || o.Kind == Issue || o.Kind == Edit {
			o.Grant = "a"
		}
		for _, w := range words[4:] {
			switch {
			case w == "fenced":
				o.Fenced = true
			case w == "unknown":
				o.Outcome = Unknown
			case w == "refused":
				o.Outcome = Refused
			case w[0] == 'r' && w[1] >= '0' && w[1] <= '9':
				o.Revision = uint64(number(t, w[1:]))
			case w == "a" || w == "b":
				o.Grant = w
			default:
				o.Code, o.Allowed = w, w == "granted"
			}
		}
		ops = append(ops, o)
	}
	return ops
}

func number(t *testing.T, s string) (n int64) {
	t.Helper()
	for _, c := range s {
		if c < '0' || c > '9' {
			t.Fatalf("%q is no number", s)
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

var good = map[string]string{
	"a life": `
		10 20 issue n1 fenced r5
		21 22 check n2 granted r5
		30 40 disable n1 fenced r6
		41 42 check n2 disabled r6
		43 50 enable n2 fenced r7
		51 52 check n1 granted r7
		60 70 revoke n1 fenced r9
		71 72 check n1 revoked r9
		71 73 check n2 invalid_token`,
	"a check that overlaps may go either way": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 fenced r6
		31 99 check n1 granted r5
		32 33 check n2 revoked r6
		34 35 check n2 revoked r6`,
	"nodes may see it in turn": `
		10 20 issue n1 fenced r5
		30 60 revoke n1 fenced r6
		31 32 check n1 revoked r6
		33 34 check n2 granted r5`,
	"an unfenced change may be late elsewhere": `
		10 20 issue n1 r5
		21 22 check n2 unknown_secret r4
		23 24 check n2 granted r5
		30 40 edit n1 b r6
		41 42 check n1 no_grant r6
		41 42 check n2 granted r5
		43 44 check n2 no_grant r6`,
	"unknown: later, or never": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 unknown
		50 51 check n1 granted r5
		60 61 check n1 revoked r9
		62 63 check n2 granted r5`,
	"refused: never": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 refused
		50 51 check n1 granted r5`,
	"not answered is not seen": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 fenced r6
		50 51 check n1 refused stale
		60 61 check n1 unknown granted`,
	"asked for again": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 unknown
		41 50 revoke n2 fenced r6
		42 99 revoke n3 fenced r6
		51 52 check n3 revoked r6`,
	"enabled again, perhaps": `
		10 20 issue n1 fenced r5
		30 40 disable n1 fenced r6
		35 60 enable n2 unknown
		50 51 check n1 granted r7`,
	"a node that lags finds nothing to do": `
		10 20 issue n1 fenced r5
		30 40 disable n1 r6
		41 42 enable n2 r5
		43 44 check n1 disabled r6`,
	"the order of revisions": `
		10 20 issue n1 fenced r5
		30 50 disable n1 fenced r7
		31 49 enable n2 fenced r6
		51 52 check n1 disabled r7`,
}

var bad = map[string]string{
	"a check passes after a fenced revoke": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 fenced r6
		41 42 check n2 granted r5`,
	"by whatever name the second revoke goes": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 unknown
		41 50 revoke n2 fenced r6
		51 52 check n1 granted r5`,
	"a command passes after a fenced revoke": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 fenced r6
		41 42 deed n2 r7`,
	"a check holds for the revision of the revoke": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 r6
		35 36 check n2 granted r6`,
	"a check passes after a fenced disable": `
		10 20 issue n1 fenced r5
		30 40 disable n1 fenced r6
		41 42 check n2 granted r5
		50 60 enable n1 fenced r7`,
	"a node goes back": `
		10 20 issue n1 fenced r5
		30 90 revoke n1 fenced r6
		31 32 check n2 revoked r6
		33 34 check n2 granted r5`,
	"a change is lost": `
		10 20 issue n1 fenced r5
		30 40 edit n1 b fenced r6
		41 42 check n2 granted r6`,
	"a change is seen out of nothing": `
		10 20 issue n1 fenced r5
		21 22 check n2 revoked r5`,
	"a refused change takes effect": `
		10 20 issue n1 fenced r5
		30 40 revoke n1 refused
		50 51 check n2 revoked r6`,
	"the order of revisions is broken": `
		10 20 issue n1 fenced r5
		30 50 disable n1 fenced r7
		31 49 enable n2 fenced r6
		51 52 check n1 granted r7`,
	"not even where it was answered": `
		10 20 issue n1 r5
		30 40 edit n1 b r6
		41 42 check n1 granted r5`,
	"a token that doesn't work by halves": `
		10 20 issue n1 fenced r5
		21 22 check n2 invalid_token`,
}

func TestJudge(t *testing.T) {
	for name, text := range good {
		if v, broken := Judge(t.Context(), [][]Op{history(t, text)}); len(broken) > 0 || v.Checked == 0 && !strings.Contains(text, "stale") {
			t.Errorf("%s: %d histories judged, %v", name, v.Checked, broken)
		}
	}
	for name, text := range bad {
		_, broken := Judge(t.Context(), [][]Op{history(t, text)})
		if len(broken) == 0 {
			t.Errorf("%s: nobody noticed", name)
		}
		for i := range broken {
			if len(broken[i].History) == 0 || !strings.Contains(broken[i].String(), "issue") {
				t.Errorf("%s: the history isn't shown: %s", name, broken[i].String())
			}
		}
	}
}

// The promise itself is held without porcupine: what concerns a fenced revoke
// or disable is found in one pass.
func TestPromiseAlone(t *testing.T) {
	for name, text := range bad {
		want := strings.Contains(name, "passes") || strings.Contains(name, "by whatever") || strings.Contains(name, "holds for")
		if got := len(Promise(history(t, text))) > 0; got != want && name != "the order of revisions is broken" {
			t.Errorf("%s: noticed %v, want %v", name, got, want)
		}
	}
}

// Of a long history the offending check is named, not just that there is one.
func TestCulprit(t *testing.T) {
	ops := history(t, `
		10 20 issue n1 fenced r5
		30 40 edit n1 b fenced r6`)
	for i := range int64(200) {
		o := Op{Token: "x", Kind: Check, At: "n2", Grant: "b", Code: "granted", Allowed: true, Revision: 6, Call: 50 + 2*i, Return: 51 + 2*i}
		if i == 120 {
			o.Grant = "a"
		}
		ops = append(ops, o)
	}
	_, broken := Linearizable(t.Context(), ops)
	if len(broken) != 1 || !strings.Contains(broken[0].What, ops[122].String()) {
		t.Errorf("got %v", broken)
	}
}

func TestRecorder(t *testing.T) {
	r := NewRecorder()
	first := r.Now()
	r.Add(Op{Token: "b", Call: 3, Return: 4})
	r.Add(Op{Token: "a", Call: 2, Return: 9})
	r.Add(Op{Token: "b", Call: 1, Return: 5})
	h := r.Histories()
	if len(h) != 2 || h[0][0].Token != "b" || h[0][0].Call != 1 || h[0][1].Call != 3 || h[1][0].Token != "a" {
		t.Errorf("got %v", h)
	}
	if len(r.Histories()) != 0 || r.Now() < first {
		t.Error("the histories are still there, or time goes back")
	}
}

// What happens while nothing can tell a node that it is current.
func TestWindows(t *testing.T) {
	r := &run{windows: []window{{life: "n1#1", from: 100, to: 200, why: "it was over"}}}
	for text, want := range map[string]int{
		"90 110 check n1#1 granted":        0, // asked before
		"110 120 check n1#1 granted":       1,
		"110 120 check n1#1 disabled":      1, // an answer is an answer
		"110 120 check n1#2 granted":       0,
		"190 210 check n1#1 granted":       0, // answered when it was healed
		"110 120 check n1#1 refused stale": 0,
	} {
		if got := len(r.outOfWindow(history(t, text))); got != want {
			t.Errorf("%s: %d violations, want %d", text, got, want)
		}
	}
}
