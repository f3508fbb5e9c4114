package domain

import (
	"slices"
	"strings"
)

// What is in this file compares permissions as sets. It is for commands alone:
// the events they become say what was found (TokenEdited.Narrows), so that the
// fold neither pays for it nor depends on how well it is done here. With a
// token's MaxGrants and MaxAllActions, the worst case is some ms (BenchmarkDecideAtTheBounds).

// allowsAllOf tells whether everything that q allows, p allows too. It never
// says yes wrongly; it may say no where only several grants of p together
// cover one resource pattern of q. by tells the levels of actions; nil: the
// built-in catalogue.
func (p *Permissions) allowsAllOf(q *Permissions, by *Catalog) bool {
	if p.equal(q) {
		return true
	}
	return p.grantsAllOf(q, by) && len(p.deniesMissingIn(q, by)) == 0
}

// grantsAllOf is allowsAllOf without regard to p's deny grants.
func (p *Permissions) grantsAllOf(q *Permissions, by *Catalog) bool {
	sets := actionSets(p.Allow, by)
	var hidden hiding
	if p.Mode == FirstMatch {
		hidden = hidingOf(p, q)
	}
	for i := range q.Allow {
		g := &q.Allow[i]
		var covered bool
		if p.Mode == FirstMatch {
			covered = p.firstMatchGrants(sets, g, i, hidden)
		} else {
			covered = p.unionGrants(sets, g)
		}
		if !covered {
			return false
		}
	}
	return true
}

// unionGrants tells whether each action of g is covered by some grant of p
// that covers g's resource.
func (p *Permissions) unionGrants(sets []actionSet, g *Grant) bool {
	var over []*actionSet
	reads, writes := false, false
	for j := range p.Allow {
		if p.Allow[j].Resource.Covers(g.Resource) {
			over = append(over, &sets[j])
			reads, writes = reads || sets[j].reads, writes || sets[j].writes
		}
	}
	if reads && writes && !slices.Contains(g.Actions, ActionGovern) {
		return true
	}
	for _, a := range g.Actions {
		if !slices.ContainsFunc(over, func(s *actionSet) bool { return s.covers(a) }) {
			return false
		}
	}
	return true
}

// firstMatchGrants walks p's list in order: each grant that decides some
// resource of g, the i-th of q, must allow all of g's actions, until one
// covers g whole.
func (p *Permissions) firstMatchGrants(sets []actionSet, g *Grant, i int, h hiding) bool {
	for j := range p.Allow {
		r := p.Allow[j].Resource
		if h.ofP[j] < i || !r.Overlaps(g.Resource) {
			continue
		}
		if !sets[j].coversAll(g.Actions) {
			return false
		}
		if r.Covers(g.Resource) {
			return true
		}
	}
	return h.ofQ[i] < i
}

// hiding tells which grants of a first-match q decide before others: for each
// pattern of p and of q itself, the first grant of q that covers it whole.
type hiding struct{ ofP, ofQ []int }

func hidingOf(p, q *Permissions) hiding {
	first := func(r Pattern) int {
		if q.Mode == FirstMatch {
			for k := range q.Allow {
				if q.Allow[k].Resource.Covers(r) {
					return k
				}
			}
		}
		return len(q.Allow)
	}
	h := hiding{make([]int, len(p.Allow)), make([]int, len(q.Allow))}
	for j := range p.Allow {
		h.ofP[j] = first(p.Allow[j].Resource)
	}
	for i := range q.Allow {
		h.ofQ[i] = first(q.Allow[i].Resource)
	}
	return h
}

// deniesMissingIn returns those deny grants of p that touch something q allows
// and that no deny grant of q covers.
func (p *Permissions) deniesMissingIn(q *Permissions, by *Catalog) []Grant {
	if len(p.Deny) == 0 {
		return nil
	}
	var missing []Grant
	sets := actionSets(q.Deny, by)
	for _, d := range p.Deny {
		held := false
		for k := range q.Deny {
			held = held || q.Deny[k].Resource.Covers(d.Resource) && sets[k].coversAll(d.Actions)
		}
		if !held && slices.ContainsFunc(q.Allow, func(g Grant) bool {
			return d.Resource.Overlaps(g.Resource) && overlapActions(d.Actions, g.Actions, by)
		}) {
			missing = append(missing, d)
		}
	}
	return missing
}

func (p *Permissions) equal(q *Permissions) bool {
	same := func(a, b Grant) bool {
		return a.Resource == b.Resource && a.Unverified == b.Unverified && slices.Equal(a.Actions, b.Actions)
	}
	return p.Mode == q.Mode && slices.EqualFunc(p.Allow, q.Allow, same) && slices.EqualFunc(p.Deny, q.Deny, same)
}

// actionSet is the actions of one grant, prepared for being asked often.
type actionSet struct {
	catalog       *Catalog
	reads, writes bool // whole levels; both together are everything
	listed        map[Action]bool
	stems         map[string]bool // of "Read*": "Read"
	lengths       [MaxAction + 1]bool
}

func actionSets(grants []Grant, by *Catalog) []actionSet {
	sets := make([]actionSet, len(grants))
	for i := range grants {
		s := &sets[i]
		s.catalog = by.orBuiltin()
		s.listed, s.stems = make(map[Action]bool, len(grants[i].Actions)), map[string]bool{}
		for _, a := range grants[i].Actions {
			s.listed[a] = true
			s.reads = s.reads || a == "*" || a == ActionRead
			s.writes = s.writes || a == "*" || a == ActionWrite
			if a.isWildcard() {
				stem := string(a[:len(a)-1])
				s.stems[stem], s.lengths[min(len(stem), MaxAction)] = true, true
			}
		}
	}
	return sets
}

// covers tells whether every need that a covers, the set covers too. A level
// covers no wildcard: names outside the catalogue may match it.
func (s *actionSet) covers(a Action) bool {
	switch {
	case s.listed[a]:
		return true
	case a == ActionGovern: // it must be named
		return false
	case s.reads && s.writes:
		return true
	case a == ActionRead || a == ActionWrite:
		return false
	case a.isWildcard():
		return s.stemOf(string(a[:len(a)-1]))
	case s.catalog.named(a).Level == LevelWrite:
		return s.writes || s.stemOf(string(a))
	}
	return s.reads || s.stemOf(string(a))
}

func (s *actionSet) coversAll(actions []Action) bool {
	return !slices.ContainsFunc(actions, func(a Action) bool { return !s.covers(a) })
}

// stemOf tells whether some wildcard of the set matches all that starts with name.
func (s *actionSet) stemOf(name string) bool {
	if len(s.stems) == 0 {
		return false
	}
	for n := range min(len(name), MaxAction) + 1 {
		if s.lengths[n] && s.stems[name[:n]] {
			return true
		}
	}
	return false
}

func overlapActions(a, b []Action, by *Catalog) bool {
	for _, x := range a {
		for _, y := range b {
			if x.overlaps(y, by.orBuiltin()) {
				return true
			}
		}
	}
	return false
}

// overlaps tells whether some need may be covered by both. It may say yes
// wrongly, never no.
func (a Action) overlaps(b Action, by *Catalog) bool {
	switch {
	case a == b || a == "*" || b == "*":
		return true
	case !a.isSet():
		n := by.named(a)
		return b.covers(&n)
	case !b.isSet():
		n := by.named(b)
		return a.covers(&n)
	case a.isWildcard() && b.isWildcard():
		x, y := string(a[:len(a)-1]), string(b[:len(b)-1])
		return strings.HasPrefix(x, y) || strings.HasPrefix(y, x)
	}
	return a.isWildcard() || b.isWildcard() // the levels read and write are disjoint
}

// isSet tells whether a stands for more than one name.
func (a Action) isSet() bool { return a.isWildcard() || a == ActionRead || a == ActionWrite }

func (a Action) isWildcard() bool { return a != "" && a[len(a)-1] == '*' }

// named returns the need for a, which is one name. A name that never was in the
// catalogue counts as a write, as in a check; one that was keeps its level.
func (c *Catalog) named(a Action) Need {
	if level, ok := c.levels[string(a)]; ok {
		return Need{Action: string(a), Level: level}
	}
	return Need{Action: string(a), Level: LevelWrite}
}
