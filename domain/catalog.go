package domain

import (
	"cmp"
	"maps"
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
	levels  map[string]Level // of every action that there is or was
}

// NewCatalog returns the catalogue of those types.
func NewCatalog(types []TypeDef) *Catalog {
	c := &Catalog{types: map[string]map[string]bool{}, actions: map[string]ActionDef{}, levels: map[string]Level{}}
	for i := range types {
		c.add(&types[i])
	}
	return c
}

// add puts a type into c, which nobody has seen yet. An action whose level is
// known keeps it: of two records that give it different ones, the first counts.
func (c *Catalog) add(t *TypeDef) {
	def := TypeDef{t.Name, t.Description, slices.Clone(t.Actions)}
	c.types[t.Name] = make(map[string]bool, len(t.Actions))
	for i := range def.Actions {
		a := &def.Actions[i]
		if level, ok := c.levels[a.Name]; ok {
			a.Level = level
		}
		c.levels[a.Name] = a.Level
		c.types[t.Name][a.Name] = true
		c.actions[a.Name] = *a
	}
	c.Types = append(c.Types, def)
}

// With returns c with a type added or replaced; a built-in one stays as it is.
func (c *Catalog) With(t TypeDef) *Catalog { return c.changed(t.Name, &t) }

// Without returns c without that type, unless it is built in. What levels its
// actions had is not forgotten.
func (c *Catalog) Without(name string) *Catalog { return c.changed(name, nil) }

func (c *Catalog) changed(name string, to *TypeDef) *Catalog {
	if _, ok := Builtin().types[name]; ok {
		return c
	}
	n := NewCatalog(nil)
	n.levels = maps.Clone(c.levels)
	placed := false
	for i := range c.Types {
		t := &c.Types[i]
		if t.Name == name {
			if t, placed = to, true; t == nil {
				continue
			}
		}
		n.add(t)
	}
	if to != nil && !placed {
		n.add(to)
	}
	return n
}

// Type returns the type of that name; nil if there is none.
func (c *Catalog) Type(name string) *TypeDef {
	for i := range c.Types {
		if c.Types[i].Name == name {
			return &c.Types[i]
		}
	}
	return nil
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
