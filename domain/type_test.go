package domain_test

import (
	"reflect"
	"strings"
	"testing"

	"hallpass/domain"
)

func robot(actions ...domain.ActionDef) domain.DefineType {
	return domain.DefineType{Def: domain.TypeDef{Name: "robot", Description: "A robot.", Actions: actions}}
}

var (
	wave = domain.ActionDef{Name: "Wave", Level: domain.LevelWrite}
	look = domain.ActionDef{Name: "Look", Level: domain.LevelRead}
)

// catalogued folds commands about types, as a node does.
type catalogued struct {
	*history
	catalog *domain.Catalog
}

func withCatalog(t *testing.T) *catalogued {
	return &catalogued{newHistory(t), domain.Builtin()}
}

func (h *catalogued) on(c domain.Command) {
	h.state.Catalog, h.state.Type = h.catalog, h.catalog.Type(c.Target().Type)
}

func (h *catalogued) do(c domain.Command) domain.Event {
	h.Helper()
	h.on(c)
	e := h.history.do(c)
	if e, ok := e.(domain.TypeDefined); ok {
		h.catalog = h.catalog.With(e.Def)
	}
	if e, ok := e.(domain.TypeRemoved); ok {
		h.catalog = h.catalog.Without(e.Name)
	}
	return e
}

func (h *catalogued) refused(c domain.Command, want domain.Code) {
	h.Helper()
	h.on(c)
	h.history.refused(c, want)
}

func TestTypesAreDefinedAndRemoved(t *testing.T) {
	h := withCatalog(t)
	h.refused(domain.RemoveType{Name: "robot"}, domain.CodeNotFound)
	h.do(robot(wave, look))
	if e := h.do(robot(wave, look)); e != nil {
		t.Errorf("the same again: got %v", e)
	}
	if got := h.catalog.Type("robot"); got == nil || !reflect.DeepEqual(*got, robot(wave, look).Def) {
		t.Errorf("got %+v", got)
	}
	n, err := h.catalog.Need("Look", "/robot/r2", false)
	if err != nil || n.Level != domain.LevelRead {
		t.Errorf("got %+v, error %v", n, err)
	}
	h.do(robot(look))
	if _, err := h.catalog.Need("Wave", "/robot/r2", false); err == nil {
		t.Error("an action that was taken out is still known")
	}
	h.do(domain.RemoveType{Name: "robot"})
	if h.catalog.Type("robot") != nil || len(h.catalog.Types) != len(domain.Builtin().Types) {
		t.Error("it is still there")
	}
	if domain.Builtin().Type("robot") != nil {
		t.Error("the built-in catalogue was changed")
	}
}

// The level of an action is the same wherever and whenever it stands: grants of
// levels rely on it.
func TestLevelsAreFixedForEver(t *testing.T) {
	other := domain.ActionDef{Name: "Look", Level: domain.LevelWrite}
	h := withCatalog(t)
	h.do(robot(wave, look))
	h.refused(robot(wave, other), domain.CodeInvalid)
	h.refused(domain.DefineType{Def: domain.TypeDef{Name: "camera", Actions: []domain.ActionDef{other}}}, domain.CodeInvalid)
	h.refused(robot(domain.ActionDef{Name: "ReadBucket", Level: domain.LevelWrite}), domain.CodeInvalid)
	h.do(robot(wave))
	h.refused(robot(wave, other), domain.CodeInvalid)
	h.do(domain.RemoveType{Name: "robot"})
	h.refused(robot(wave, other), domain.CodeInvalid)

	// An action that is no longer there is asked about by the level that it had:
	// else "write" would cover what it did not.
	n, err := h.catalog.Need("Look", "/robot/r2", true)
	if err != nil || n.Level != domain.LevelRead {
		t.Errorf("got %+v, error %v", n, err)
	}
	if p := grants("/robot", "write"); p.Decide(n).Allowed() {
		t.Error("write covers what was read")
	}
	h.do(robot(wave, look))

	// Of two records that were written at once, the first counts, on every node.
	late := h.catalog.With(domain.TypeDef{Name: "camera", Actions: []domain.ActionDef{other}})
	if got := late.Type("camera").Actions[0].Level; got != domain.LevelRead {
		t.Errorf("got %s", got)
	}
}

func TestRefusedTypes(t *testing.T) {
	many := make([]domain.ActionDef, domain.MaxTypeActions+1)
	for i := range many {
		many[i] = domain.ActionDef{Name: strings.Repeat("x", 1+i%60) + string(rune('a'+i/60)), Level: domain.LevelRead}
	}
	secret := domain.NewSecret([32]byte{3}).Reveal()
	for name, c := range map[string]struct {
		cmd  domain.Command
		want string
	}{
		"no name":               {domain.DefineType{Def: domain.TypeDef{Actions: []domain.ActionDef{wave}}}, "/type"},
		"a path as name":        {domain.DefineType{Def: domain.TypeDef{Name: "a/b", Actions: []domain.ActionDef{wave}}}, "/type"},
		"a star as name":        {domain.DefineType{Def: domain.TypeDef{Name: "*", Actions: []domain.ActionDef{wave}}}, "/type"},
		"no actions":            {robot(), "/actions"},
		"many actions":          {robot(many...), "/actions"},
		"no action name":        {robot(domain.ActionDef{Level: domain.LevelRead}), "/actions/0/name"},
		"a wildcard":            {robot(domain.ActionDef{Name: "Wave*", Level: domain.LevelRead}), "/actions/0/name"},
		"a level as name":       {robot(wave, domain.ActionDef{Name: "read", Level: domain.LevelRead}), "/actions/1/name"},
		"an action twice":       {robot(wave, look, wave), "/actions/2/name"},
		"no level":              {robot(domain.ActionDef{Name: "Wave"}), "/actions/0/level"},
		"unknown level":         {robot(domain.ActionDef{Name: "Wave", Level: 4}), "/actions/0/level"},
		"a secret":              {robot(domain.ActionDef{Name: "Wave", Level: domain.LevelRead, Description: secret}), "/actions/0/description"},
		"a secret in the whole": {domain.DefineType{Def: domain.TypeDef{Name: "robot", Description: secret, Actions: []domain.ActionDef{wave}}}, "/description"},
	} {
		t.Run(name, func(t *testing.T) {
			h := withCatalog(t)
			h.on(c.cmd)
			_, err := h.try(c.cmd)
			if pointer(err) != c.want {
				t.Errorf("got %v, want code invalid at %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error repeats a secret")
			}
		})
	}
	h := withCatalog(t)
	h.refused(domain.DefineType{Def: domain.TypeDef{Name: "device", Actions: []domain.ActionDef{wave}}}, domain.CodeForbidden)
	h.refused(domain.RemoveType{Name: "token"}, domain.CodeForbidden)
	if h.catalog.Without("token").Type("token") == nil || len(h.catalog.With(domain.TypeDef{Name: "token"}).Type("token").Actions) == 0 {
		t.Error("a record can take a built-in type away")
	}
}

func TestWhoMayChangeTheCatalogue(t *testing.T) {
	h := withCatalog(t)
	h.as(everything)
	h.refused(robot(wave), domain.CodeForbidden)
	h.by.Actor.Account = domain.RootAccount
	h.do(robot(wave))
	h.by.Permissions = grants("/catalog/camera", "*")
	h.refused(robot(wave, look), domain.CodeForbidden)
	h.refused(domain.RemoveType{Name: "robot"}, domain.CodeForbidden)
	h.by.Permissions = grants("/catalog/robot", "DefineType")
	h.do(robot(wave, look))
	h.refused(domain.RemoveType{Name: "robot"}, domain.CodeForbidden)
	h.by.Permissions = grants("/catalog", "RemoveType")
	h.do(domain.RemoveType{Name: "robot"})
}

func TestATypeInUseStays(t *testing.T) {
	h := withCatalog(t)
	h.do(robot(wave, look))
	for i := range 12 {
		h.state.Users = append(h.state.Users, domain.Target{Account: "acme", Token: domain.TokenID(rune('a' + i))})
	}
	for _, c := range []domain.Command{robot(wave), domain.RemoveType{Name: "robot"}} {
		h.on(c)
		_, err := h.try(c)
		if domain.CodeOf(err) != domain.CodeTypeInUse || !strings.Contains(err.Error(), "acme/a, acme/b") || !strings.Contains(err.Error(), "acme/j and others") {
			t.Errorf("got %v", err)
		}
	}
	h.state.Users = nil
	h.do(robot(wave))
}

func TestWhichActionsACommandTakesOut(t *testing.T) {
	was := robot(wave, look).Def
	for name, c := range map[string]struct {
		cmd  domain.Command
		was  *domain.TypeDef
		want []string
	}{
		"removed":       {domain.RemoveType{Name: "robot"}, &was, []string{"Wave", "Look"}},
		"without one":   {robot(look), &was, []string{"Wave"}},
		"the same":      {robot(look, wave), &was, nil},
		"new":           {robot(look), nil, nil},
		"nothing of it": {domain.OpenAccount{}, &was, nil},
	} {
		if got := domain.Dropped(c.cmd, c.was); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// Actions of a defined type count by their level where permissions are compared.
func TestDefinedLevelsCountWhereGrantsAreHandedOut(t *testing.T) {
	h := withCatalog(t)
	h.do(robot(wave, look))
	catalog := h.catalog
	give := func(p domain.Permissions, with *domain.Catalog) error {
		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		h.as(grants("/token", "*", "/robot", "read"))
		h.state.Catalog = with
		_, err := h.try(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: p})
		return err
	}
	if err := give(grants("/robot", "Look"), catalog); err != nil {
		t.Errorf("read covers Look: %v", err)
	}
	if err := give(grants("/robot", "Wave"), catalog); domain.CodeOf(err) != domain.CodeForbidden {
		t.Errorf("read does not cover Wave: %v", err)
	}
	if err := give(grants("/robot", "Look"), nil); domain.CodeOf(err) != domain.CodeInvalid {
		t.Errorf("no such action without the type: %v", err)
	}
}

// Names that count as writes while nobody has said what they are don't become
// readable under tokens that were handed them as writes.
func TestWhatASettledActionTakes(t *testing.T) {
	define := domain.DefineType{Def: domain.TypeDef{Name: "robot", Actions: []domain.ActionDef{
		{Name: "ListRobots", Level: domain.LevelList}, {Name: "MoveRobot", Level: domain.LevelWrite},
		{Name: "ReadBucket", Level: domain.LevelRead}, {Name: "SeeRobot", Level: domain.LevelRead},
	}}}
	if got, want := domain.Settled(define, nil), []string{"ListRobots", "SeeRobot"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it settles %v, want %v", got, want)
	}
	if got := domain.Settled(define, domain.Builtin().With(define.Def)); got != nil {
		t.Errorf("again it settles %v", got)
	}
	if got := domain.Settled(domain.RemoveType{Name: "robot"}, nil); got != nil {
		t.Errorf("a removal settles %v", got)
	}
	s := domain.State{Users: []domain.Target{{Account: "acme", Token: "a"}}}
	if _, err := domain.Decide(s, define, domain.Operator(1), 1); domain.CodeOf(err) != domain.CodeTypeInUse {
		t.Errorf("got %v, want it refused as in use", err)
	}
}
