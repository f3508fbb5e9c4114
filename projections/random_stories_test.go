package projections_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"hallpass/domain/domaintest"
	"hallpass/projections/projectionstest"
)

// Whatever happens to the nodes, the promise holds: a check that begins after a
// fenced revoke has returned is never allowed, nor does a command of that token
// take effect; a fence takes no longer than the longest lease and a tenth. And
// in the end all nodes are well again, and alike.
func TestRandomStories(t *testing.T) {
	var all projectionstest.Count
	missing := func() string {
		if all.Allowed < 200 || all.Refused < 200 || all.Stale < 50 || all.Acknowledged < 20 || all.RanOut < 5 || all.Counted < 2 || all.Void < 2 {
			return fmt.Sprintf("%+v", all)
		}
		return ""
	}
	domaintest.CheckUntil(t, missing, func(rt *rapid.T) {
		text := randomStory(rt)
		synctest.Test(t, func(t *testing.T) {
			s := projectionstest.RunScript(t, text)
			all.Add(s.Count())
			for _, v := range append(s.Violations(), s.Mistakes...) {
				rt.Errorf("%s", v)
			}
			if rt.Failed() {
				rt.Logf("%s\n%s", text, strings.Join(s.Told, "\n"))
			}
		})
	})
	t.Logf("%+v", all)
}

// director draws a story.
type director struct {
	*rapid.T
	lines   []string
	nodes   []string
	state   map[string]string // "": well
	tokens  []string
	revokes int
	intents []string // authorised, and not filed yet
	filed   int
}

func randomStory(rt *rapid.T) string {
	d := &director{T: rt, state: map[string]string{}}
	d.say("log max=4s")
	for i := range rapid.IntRange(3, 4).Draw(rt, "nodes") {
		n := fmt.Sprintf("n%d", i+1)
		d.nodes = append(d.nodes, n)
		role := "nodes"
		if i == 3 {
			role = "follower"
		}
		d.say("%s %s %s -> ready", role, n, rapid.SampledFrom([]string{"lease=1s", "lease=2s", "lease=4s", "lease=2s stale=1s"}).Draw(rt, "lease"))
	}
	if rapid.Bool().Draw(rt, "settled") {
		d.say("settle")
	}
	d.say("issue a /teams")
	d.tokens = []string{"a"}
	for range rapid.IntRange(8, 20).Draw(rt, "steps") {
		d.step()
		if rapid.Bool().Draw(rt, "checks") {
			d.say("everyone checks")
		}
	}
	for _, n := range d.nodes {
		d.mend(n)
	}
	d.say("advance 20s")
	for i := range d.revokes {
		d.say("done r%d", i)
	}
	d.say("everyone checks")
	for _, n := range d.nodes {
		d.say("status %s -> live", n)
		d.say("alike %s %s -> yes", d.nodes[0], n)
	}
	d.say("revoke a via %s -> fenced", d.nodes[0])
	d.say("everyone checks")
	return strings.Join(d.lines, "\n")
}

func (d *director) say(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *director) step() {
	n := rapid.SampledFrom(d.nodes).Draw(d.T, "node")
	token := rapid.SampledFrom(d.tokens).Draw(d.T, "token")
	switch rapid.IntRange(0, 11).Draw(d.T, "step") {
	case 0, 1, 2:
		d.say("advance %dms", rapid.SampledFrom([]int{10, 60, 300, 700, 1500, 3000}).Draw(d.T, "time"))
	case 3:
		d.tokens = append(d.tokens, fmt.Sprintf("t%d", len(d.tokens)))
		d.say("issue %s /teams", d.tokens[len(d.tokens)-1])
	case 4:
		d.revoke(token, n)
	case 5, 6:
		d.command(n)
	case 7, 8, 9, 10:
		d.harm(n)
		if rapid.Bool().Draw(d.T, "revoke at once") {
			d.revoke(token, rapid.SampledFrom(d.nodes).Draw(d.T, "coordinator"))
			d.tokens = append(d.tokens, fmt.Sprintf("t%d", len(d.tokens)))
			d.say("issue %s /teams", d.tokens[len(d.tokens)-1])
		}
	case 11:
		d.mend(n)
	}
}

func (d *director) revoke(token, n string) {
	if d.state[n] != "dead" {
		d.say("revoke %s via %s &r%d", token, n, d.revokes)
		d.revokes++
	}
}

// command has a token give a command, or one that was authorised be filed.
func (d *director) command(n string) {
	if d.state[n] != "" {
		return
	}
	if len(d.intents) == 0 {
		i := fmt.Sprintf("i%d", len(d.lines))
		d.say("authorise %s by %s via %s", i, d.tokens[len(d.tokens)-1], n)
		d.intents = []string{i}
		if rapid.Bool().Draw(d.T, "revoke its actor") {
			d.revoke(d.tokens[len(d.tokens)-1], n)
		}
		return
	}
	d.filed++
	d.say("file %s as f%d /teams &file%d", d.intents[0], d.filed, d.filed)
	d.tokens = append(d.tokens, fmt.Sprintf("f%d", d.filed))
	d.intents = nil
}

func (d *director) harm(n string) {
	if d.state[n] != "" {
		d.mend(n)
		return
	}
	how := rapid.SampledFrom([]string{
		"stall", "stall", "cut", "cut", "cut", "lag", "strand", "kill", "kill", "lose acks of", "double acks of", "set the clock of",
	}).Draw(d.T, "harm")
	d.state[n] = "harmed"
	switch how {
	case "cut":
		d.say("cut %s %s", n, rapid.SampledFrom([]string{"in", "out", "both"}).Draw(d.T, "direction"))
	case "lag":
		d.say("lag %s %s", n, rapid.SampledFrom([]string{"50ms", "500ms", "1500ms"}).Draw(d.T, "lag"))
	case "kill":
		d.say("kill %s", n)
		d.state[n] = "dead"
	case "set the clock of":
		d.say("jump %s wall %s", n, rapid.SampledFrom([]string{"-5s", "1s", "30s"}).Draw(d.T, "by"))
		d.state[n] = ""
	default:
		d.say("%s %s", how, n)
		if how == "stall" {
			d.state[n] = "stalled"
		}
	}
}

func (d *director) mend(n string) {
	switch d.state[n] {
	case "stalled":
		d.say("resume %s", n)
	case "harmed":
		d.say("heal %s", n)
	case "dead":
		d.say("restart %s%s &start%d", n, rapid.SampledFrom([]string{"", " ended"}).Draw(d.T, "lock"), len(d.lines))
		d.say("advance 1ms")
	}
	d.state[n] = ""
}
