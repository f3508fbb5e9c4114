package domain_test

import (
	"testing"

	"hallpass/domain"
)

// The seed names five types and 36 actions; CrafterCMS Profile six for tenants.
func TestBuiltinCatalogue(t *testing.T) {
	want := map[string]int{"device": 11, "bucket": 9, "endpoint": 6, "dashboard": 5, "token": 5 + 3, "tenant": 6, "account": 5, "catalog": 2, "audit": 2}
	levels := map[domain.Level]int{}
	for _, typ := range domain.Builtin().Types {
		if len(typ.Actions) != want[typ.Name] || typ.Description == "" {
			t.Errorf("%s: got %d actions, want %d", typ.Name, len(typ.Actions), want[typ.Name])
		}
		delete(want, typ.Name)
		for _, a := range typ.Actions {
			levels[a.Level]++
			if a.Description == "" {
				t.Errorf("%s has no description", a.Name)
			}
		}
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
	if levels[domain.LevelList] != 8 || levels[domain.LevelRead] != 10 || levels[domain.LevelWrite] != 36 {
		t.Errorf("got %v", levels)
	}
}
