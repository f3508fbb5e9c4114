package projectionstest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// Script is a play that a text tells, a step a line:
//
//	log max=4s replicas=3       the stream's settings; first of all
//	nodes n1 n2 lease=2s        start nodes, and wait until they answer; also stale=1s
//	follower f1 lease=4s        the same, of one that writes no barriers
//	twin n2b name=n2            the same, under a name that is taken
//	settle                      let the time pass in which coordinators that just started wait
//	issue a /teams              the operator issues a token
//	check n2 a -> granted       what a check answers
//	revoke a via n1 -> fenced n2=acknowledged <=2s
//	commit revoke a             revoke it beside all nodes, without a fence
//	fence a via n1              fence at its newest record
//	check n2 a &c held          decide a check, and hold it before it is answered; release c
//	revoke a via n1 &r          in the background: pending r, done r -> fenced
//	authorise x by a via n1     a node authorises a command; file x as b /teams -> counts|void
//	cut n2 in|out|both, strand n2, heal n2, lag n2 1s, slow n1 1s (the answers to appends)
//	stall n2, resume n2         the whole process
//	lose acks of n2, double acks of n2
//	lead n2 [late=3s] [firm=yes] its server leads; records come late to all until it hands over
//	metadata n2, leads n2 -> stream metadata, handovers -> 1 (since lead)
//	kill n2, restart n2 [ended] [lease=4s], leave n2
//	jump n2 boot|wall -5s, drift n2 0.96
//	skip a at n2, alter a at n2 the token's newest record doesn't come, or comes changed
//	expire barriers             all of them go before their time
//	status n2 -> live, members n1 -> n1 n2, alike n1 n2 -> yes, reach n2 a 1s -> reached
//	checkpoints -> 1, reads n2 B (whose copy of the stream), opened n2 -> 1 (readers)
//	everyone checks             every token on every node
//	advance 1s
//
// A step's answer must have each word after the arrow, none of those with a !,
// and have taken as long as <= and >= say.
type Script struct {
	*Play

	t        testing.TB
	cfg      eventstore.MemoryConfig
	works    map[string]chan Result
	holds    map[string]*hold
	intents  map[string]*Intent
	Told     []string // what happened, line by line
	Mistakes []string // the steps that did not come to what they should have
}

// RunScript runs a play's text in the bubble of the caller.
func RunScript(t testing.TB, text string) *Script {
	s := &Script{t: t, works: map[string]chan Result{}, holds: map[string]*hold{}, intents: map[string]*Intent{}}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			s.step(n+1, line)
		}
	}
	return s
}

func (s *Script) step(n int, line string) {
	left, want, _ := strings.Cut(line, "->")
	words := strings.Fields(left)
	name := ""
	for i, w := range words {
		if strings.HasPrefix(w, "&") {
			name = w[1:]
			words = slices.Delete(words, i, i+1)
			break
		}
	}
	if s.Play == nil {
		s.settings(words)
		if words[0] == "log" {
			return
		}
	}
	began := time.Now()
	var r Result
	if name == "" {
		r = s.do(words)
	} else {
		r = s.background(name, words)
	}
	synctest.Wait()
	if r.Took == 0 {
		r.Took = time.Since(began)
	}
	s.Told = append(s.Told, fmt.Sprintf("%8.3fs  %-40s → %s (%v)", time.Since(s.began).Seconds(), strings.TrimSpace(left), r.Words, r.Took))
	if why := r.lacks(strings.Fields(want)); why != "" {
		s.Mistakes = append(s.Mistakes, fmt.Sprintf("line %d: %s: got %q after %v: %s", n, line, r.Words, r.Took, why))
	}
}

// lacks tells what of the wanted the result hasn't.
func (r *Result) lacks(want []string) string {
	got := strings.Fields(r.Words)
	for _, w := range want {
		switch {
		case strings.HasPrefix(w, "<="):
			if r.Took > duration(w[2:]) {
				return "it took longer than " + w[2:]
			}
		case strings.HasPrefix(w, ">="):
			if r.Took < duration(w[2:]) {
				return "it took less than " + w[2:]
			}
		case strings.HasPrefix(w, "!"):
			if slices.Contains(got, w[1:]) {
				return "it has " + w[1:]
			}
		case !slices.Contains(got, w):
			return "it has no " + w
		}
	}
	return ""
}

func (s *Script) settings(words []string) {
	s.cfg.Replicas = 1
	if words[0] == "log" {
		o := options(&words)
		s.cfg.MaxLease = duration(o["max"])
		if o["replicas"] != "" {
			s.cfg.Replicas = number(o["replicas"])
		}
	}
	s.Play = NewPlay(s.t, s.cfg)
}

// background runs a step that may take long.
func (s *Script) background(name string, words []string) Result {
	held := words[len(words)-1] == "held"
	if held {
		words = words[:len(words)-1]
		s.holds[name] = s.Node(words[1]).holdNext()
	}
	done := make(chan Result, 1)
	s.works[name] = done
	s.Play.works.Go(func() {
		began := time.Now()
		r := s.do(words)
		r.Took = time.Since(began)
		done <- r
	})
	if held {
		<-s.holds[name].there
	}
	return Result{Words: "begun"}
}

func (s *Script) do(w []string) Result {
	o := options(&w)
	switch w[0] {
	case "nodes", "follower", "twin", "restart":
		return s.start(w, o)
	case "settle":
		longest := s.Log.Settings().MaxLease
		s.Advance(longest + longest/20 + time.Second)
	case "advance":
		s.Advance(duration(w[1]))
	case "issue":
		s.Issue(w[1], domain.Pattern(w[2]))
	case "check":
		return s.Check(w[1], w[2])
	case "revoke":
		r, _ := s.Revoke(w[3], w[1])
		return r
	case "fence":
		r, _ := s.Fence(w[3], w[1])
		return r
	case "commit":
		s.Commit(w[2])
	case "release":
		close(s.holds[w[1]].release)
	case "pending":
		select {
		case r := <-s.works[w[1]]:
			s.works[w[1]] <- r
			return Result{Words: "not pending: " + r.Words}
		default:
			return Result{Words: "pending"}
		}
	case "done":
		select {
		case r := <-s.works[w[1]]:
			return r
		case <-time.After(2 * Fencing):
			return Result{Words: "never done"}
		}
	case "authorise":
		r, i := s.Authorise(w[5], w[3])
		s.intents[w[1]] = i
		return r
	case "file":
		return s.FileIntent(s.intents[w[1]], w[3], domain.Pattern(w[4]))
	case "expire":
		return Result{Words: fmt.Sprint("gone: ", s.Expire(-1))}
	case "everyone":
		s.everyone()
	case "checkpoints":
		records, _ := s.Log.History(s.ctx, eventstore.CheckpointSubject, 0, 1<<20)
		return Result{Words: strconv.Itoa(len(records))}
	case "alike":
		_, a := s.Node(w[1]).Tree()
		_, b := s.Node(w[2]).Tree()
		return Result{Words: map[bool]string{true: "yes", false: "no"}[a == b]}
	case "members":
		return s.members(s.Node(w[1]))
	case "reach":
		return s.reach(s.Node(w[1]), s.token(w[2]).seq, duration(w[3]))
	case "lead":
		s.lead.set(s.Node(w[1]).Link, duration(cmp.Or(o["late"], "0s")), o["firm"] != "")
	case "leads":
		return Result{Words: s.leads(s.Node(w[1]).Link)}
	case "metadata":
		s.lead.setMetadata(s.Node(w[1]).Link)
	case "handovers":
		return Result{Words: strconv.Itoa(s.lead.times())}
	case "lose":
		s.Node(w[3]).Link.Acknowledgements(0)
	case "double":
		s.Node(w[3]).Link.Acknowledgements(2)
	case "skip", "alter":
		s.spoil(w[0], s.Node(w[3]).Link, s.subjectOf(w[1]))
	default:
		return s.happen(s.Node(w[1]), w)
	}
	return Result{Words: "ok"}
}

// happen does what happens to one node.
func (s *Script) happen(n *Process, w []string) Result {
	switch w[0] {
	case "cut":
		cut(n.Link, w[2])
	case "heal":
		n.Link.Heal()
		n.Link.Unstrand()
		n.Link.Lag(0)
		n.Link.OnSend(nil)
	case "strand":
		n.Link.Strand()
	case "stall":
		n.Link.Stop()
	case "resume":
		n.Link.Continue()
	case "lag":
		n.Link.Lag(duration(w[2]))
	case "slow":
		n.Link.OnStored(func(eventstore.Entry, eventstore.Seq) { time.Sleep(duration(w[2])) })
	case "kill":
		n.kill()
	case "leave":
		err := n.Leave(s.ctx)
		n.Close()
		if err != nil {
			return Result{Words: "failed: " + err.Error()}
		}
	case "jump":
		if w[2] == "boot" {
			n.Clock.JumpBoot(duration(w[3]))
		} else {
			n.Clock.JumpWall(duration(w[3]))
		}
	case "drift":
		rate, err := strconv.ParseFloat(w[2], 64)
		if err != nil {
			panic(err)
		}
		n.Clock.Drift(rate)
	case "status":
		st := n.Status()
		words := st.Phase.String()
		if st.Err != nil && (st.Phase == projections.Failed || st.Phase == projections.Closed) {
			words += ": " + st.Err.Error()
		}
		return Result{Words: words}
	case "reads":
		n.Link.ReadFrom(w[2])
		n.Link.Cut()
	case "opened":
		return Result{Words: strconv.Itoa(n.Link.Opened())}
	default:
		panic("a script says " + strings.Join(w, " "))
	}
	return Result{Words: "ok"}
}

func cut(l *Link, direction string) {
	if direction != "in" {
		l.CutAppends()
		l.CutBus(linkOut)
	}
	if direction != "out" {
		l.Stall()
		l.CutBus(linkIn)
	}
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// options takes the words of the form key=value out.
func options(words *[]string) map[string]string {
	o := map[string]string{}
	*words = slices.DeleteFunc(slices.Clone(*words), func(w string) bool {
		k, v, ok := strings.Cut(w, "=")
		if ok {
			o[k] = v
		}
		return ok
	})
	return o
}
