package domain

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Level is how much an action does. Grants of "read" cover read and list,
// grants of "write" cover write alone.
type Level uint8

// The access levels.
const (
	LevelList Level = iota + 1
	LevelRead
	LevelWrite
)

func (l Level) String() string { return [...]string{"", "list", "read", "write"}[l] }

// ActionDef is one action of a resource type.
type ActionDef struct {
	Name        string
	Level       Level
	Description string
}

// TypeDef is a resource type: the first segment of its resources, and what can
// be done to them.
type TypeDef struct {
	Name        string
	Description string
	Actions     []ActionDef
}

// Catalog is the resource types and actions that grants and checks may name.
// It is immutable.
type Catalog struct {
	Types   []TypeDef
	types   map[string]map[string]bool // type → its actions
	actions map[string]ActionDef
}

// NewCatalog returns the catalogue of those types.
func NewCatalog(types []TypeDef) *Catalog {
	c := &Catalog{Types: types, types: map[string]map[string]bool{}, actions: map[string]ActionDef{}}
	for _, t := range types {
		c.types[t.Name] = map[string]bool{}
		for _, a := range t.Actions {
			c.types[t.Name][a.Name] = true
			c.actions[a.Name] = a
		}
	}
	return c
}

// Builtin returns the catalogue that every stream starts with.
var Builtin = sync.OnceValue(func() *Catalog { return NewCatalog(builtinTypes) })

// Nearest returns up to three action names of the type (of all types, when
// typ is empty) that s may be a slip for, nearest first.
func (c *Catalog) Nearest(typ, s string) []string {
	type near struct {
		name string
		d    int
	}
	var found []near
	for name := range c.actions {
		if typ != "" && !c.types[typ][name] {
			continue
		}
		d := distance(strings.ToLower(s), strings.ToLower(name))
		if d <= max(2, len(s)/3) {
			found = append(found, near{name, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.d, b.d), strings.Compare(a.name, b.name))
	})
	var names []string
	for _, n := range found[:min(3, len(found))] {
		names = append(names, n.name)
	}
	return names
}

// unknownAction says that an action isn't in the catalogue, and what might
// have been meant. It does not repeat s: what stands there by mistake could
// be a secret.
func (c *Catalog) unknownAction(typ, s string) string {
	msg := "this action is not in the catalogue"
	if typ != "" {
		msg = "this action is not one of the type " + typ
	}
	if near := c.Nearest(typ, s); len(near) > 0 {
		return msg + "; near it are: " + strings.Join(near, ", ")
	}
	return msg + `; GET /v1/catalog lists the actions, and "unverified": true allows others`
}

// distance is the Levenshtein distance of a and b, by bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost = 1 + min(prev, row[j], row[j+1])
			}
			prev, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
