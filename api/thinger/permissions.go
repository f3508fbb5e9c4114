package thinger

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"hallpass/domain"
)

// all stands for every type, every resource of a type, and every action.
const all = "*"

// tree is permissions in the vendor's grammar: by type and resource id.
type tree map[string]map[string]*rights

// rights are the actions on a resource. Names are sorted, and each stands there
// once.
type rights struct {
	whole actions
	parts map[string][]string // by action: the sub-resources that it is for
}

type actions []string

// MarshalJSON writes the one that stands for all as the vendor does: alone.
func (r *rights) MarshalJSON() ([]byte, error) {
	if len(r.whole) == 1 && r.whole[0] == all && len(r.parts) == 0 {
		return json.Marshal(all)
	}
	items := []any{}
	for _, a := range r.whole {
		items = append(items, a)
	}
	if len(r.parts) > 0 {
		items = append(items, r.parts)
	}
	return json.Marshal(items)
}

// entry is what grants say of one type and resource id.
type entry struct {
	actions actions
	grants  []domain.Grant
}

// place is a type and a resource id, with the sub-resource behind a "/" if there
// is one.
type place struct{ typ, id string }

// entriesOf sorts grants by their places in the grammar. Those that it can't say
// go to the next wider place, or, if rest is not nil, there instead.
func entriesOf(grants []domain.Grant, rest *[]domain.Grant) map[place]*entry {
	entries := map[place]*entry{}
	for _, g := range grants {
		at, exact := placeOf(g.Resource)
		if !exact && rest != nil {
			*rest = append(*rest, g)
			continue
		}
		e := entries[at]
		if e == nil {
			e = &entry{}
			entries[at] = e
		}
		e.grants = append(e.grants, g)
		for _, a := range g.Actions {
			e.actions = append(e.actions, string(a))
		}
	}
	for _, e := range entries {
		slices.Sort(e.actions)
		e.actions = slices.Compact(e.actions)
	}
	return entries
}

func treeOf(entries map[place]*entry) tree {
	t := tree{}
	for _, at := range placesOf(entries) {
		id, part, _ := strings.Cut(at.id, "/")
		if t[at.typ] == nil {
			t[at.typ] = map[string]*rights{}
		}
		r := t[at.typ][id]
		if r == nil {
			r = &rights{parts: map[string][]string{}}
			t[at.typ][id] = r
		}
		if part == "" {
			r.whole = entries[at].actions
			continue
		}
		for _, a := range entries[at].actions {
			r.parts[a] = append(r.parts[a], part)
		}
	}
	return t
}

// placesOf returns the places in order.
func placesOf(entries map[place]*entry) []place {
	return slices.SortedFunc(maps.Keys(entries), func(a, b place) int {
		return strings.Compare(a.typ+"/"+a.id, b.typ+"/"+b.id)
	})
}

// allowTree never says less than the grants allow, and denyTree never more than
// they forbid.
func allowTree(p *domain.Permissions) tree { return treeOf(entriesOf(p.Allow, nil)) }
func denyTree(p *domain.Permissions) tree {
	return treeOf(entriesOf(p.Deny, new([]domain.Grant)))
}

// pathOf returns the resource that stands for a type and a resource id.
func pathOf(typ, id string) string {
	switch {
	case typ == all && id == all:
		return "/"
	case id == all:
		return "/" + lowered(typ)
	}
	return "/" + lowered(typ) + "/" + id
}

// placeOf is the reverse of pathOf. Where there is none, it returns the nearest
// that covers p.
func placeOf(p domain.Pattern) (at place, exact bool) {
	first, id, _ := strings.Cut(strings.TrimPrefix(string(p), "/"), "/")
	typ := raised(first)
	if typ == "" {
		typ = all
	}
	if id == "" {
		id = all
	}
	for _, at := range []place{{typ, id}, {all, id}, {typ, all}} {
		if q := domain.Pattern(pathOf(at.typ, at.id)); q.Covers(p) {
			return at, q == p
		}
	}
	return place{all, all}, p == "/"
}

// lowered and raised change the case of the first letter.
func lowered(typ string) string {
	if typ != "" && 'A' <= typ[0] && typ[0] <= 'Z' {
		return string(typ[0]|0x20) + typ[1:]
	}
	return typ
}

func raised(typ string) string {
	if typ != "" && 'a' <= typ[0] && typ[0] <= 'z' {
		return string(typ[0]&^0x20) + typ[1:]
	}
	return typ
}

// merged returns the permissions with what a client sends put in, nil being
// nothing. What it sends as it was shown stays as it is.
func merged(p domain.Permissions, allow, deny *[]domain.Grant) domain.Permissions {
	if allow != nil {
		shown, wanted := entriesOf(p.Allow, nil), entriesOf(*allow, nil)
		if !same(shown, wanted) {
			p.Mode, p.Allow = domain.Union, chosen(shown, wanted)
		}
	}
	if deny != nil {
		var hidden []domain.Grant
		shown, wanted := entriesOf(p.Deny, &hidden), entriesOf(*deny, nil)
		if !same(shown, wanted) {
			p.Deny = append(chosen(shown, wanted), hidden...)
		}
	}
	return p
}

func same(a, b map[place]*entry) bool {
	return maps.EqualFunc(a, b, func(x, y *entry) bool { return slices.Equal(x.actions, y.actions) })
}

// chosen returns the grants of what is wanted: those behind what was shown,
// where that is the same.
func chosen(shown, wanted map[place]*entry) (grants []domain.Grant) {
	for _, at := range placesOf(wanted) {
		e := wanted[at]
		if s := shown[at]; s != nil && slices.Equal(s.actions, e.actions) {
			e = s
		}
		grants = append(grants, e.grants...)
	}
	return grants
}
