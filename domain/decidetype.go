package domain

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of a resource type.
const (
	MaxTypeActions = 256
	maxUsersNamed  = 10
)

// decideDefine adds a type or replaces one. The level of an action never
// changes, in whatever type it stands: grants that name a level would come to
// mean something else.
func decideDefine(s State, c DefineType, by Authority) (Event, error) {
	if err := mayCatalog(c, by); err != nil {
		return nil, err
	}
	var f faults
	if why := badID(c.Def.Name); why != "" {
		f.add("/type", "a type's name %s", why)
	}
	checkDescription(&f, c.Def.Description)
	if n := len(c.Def.Actions); n == 0 || n > MaxTypeActions {
		f.add("/actions", "a type has 1 to %d actions", MaxTypeActions)
	} else {
		checkActions(&f, c.Def.Actions, s.Catalog.orBuiltin())
	}
	var same bool
	if s.Type != nil {
		same = s.Type.Description == c.Def.Description && slices.Equal(s.Type.Actions, c.Def.Actions)
	}
	return unless(same, TypeDefined(c), f.err(), notBuiltin(c.Def.Name), s.inUse())
}

func checkActions(f *faults, actions []ActionDef, known *Catalog) {
	for i, a := range actions {
		at := fmt.Sprintf("/actions/%d", i)
		if why := badActionName(a.Name); why != "" {
			f.add(at+"/name", "an action %s", why)
		} else if a.Name == ActionRead || a.Name == ActionWrite {
			f.add(at+"/name", `must not be "read" or "write", which are levels`)
		}
		if slices.ContainsFunc(actions[:i], func(b ActionDef) bool { return b.Name == a.Name }) {
			f.add(at+"/name", "stands there twice")
		}
		if a.Level < LevelList || a.Level > LevelWrite {
			f.add(at+"/level", "is list, read or write")
		} else if level, ok := known.levels[a.Name]; ok && level != a.Level {
			f.add(at+"/level", "is %s wherever this action stands or stood, and stays so: grants that name levels rely on it", level)
		}
		if why := badLine(a.Description); why != "" || len(a.Description) > MaxDescription {
			f.add(at+"/description", "is a line of at most %d bytes without control characters and secrets", MaxDescription)
		}
	}
}

func decideRemove(s State, c RemoveType, by Authority) (Event, error) {
	if err := mayCatalog(c, by); err != nil {
		return nil, err
	}
	if err := notBuiltin(c.Name); err != nil {
		return nil, err
	}
	if s.Type == nil {
		return nil, Errorf(CodeNotFound, "the catalogue has no such type")
	}
	return unless(false, TypeRemoved(c), s.inUse())
}

func mayCatalog(c Command, by Authority) error {
	if by.MayRoot(c.Needs()) {
		return nil
	}
	return Errorf(CodeForbidden, "this takes a token of the account root that has %s on /catalog", c.Needs().Action)
}

func notBuiltin(name string) error {
	if _, ok := Builtin().types[name]; ok {
		return Errorf(CodeForbidden, "the type %s is built in: it can't be changed or removed", name)
	}
	return nil
}

// inUse refuses what would take actions away that grants name. It goes by what
// this node knows: a token issued at the same time keeps its grant.
func (s *State) inUse() error {
	if len(s.Users) == 0 {
		return nil
	}
	names := make([]string, 0, maxUsersNamed)
	for _, u := range s.Users[:min(len(s.Users), maxUsersNamed)] {
		names = append(names, string(u.Account)+"/"+string(u.Token))
	}
	more := ""
	if len(s.Users) > maxUsersNamed {
		more = " and others"
	}
	return Errorf(CodeTypeInUse, "tokens name actions that would go, or that count as writes as long as nobody says otherwise: %s%s; edit or revoke them first", strings.Join(names, ", "), more)
}

// Settled returns the actions that c would give another level than write, and
// that never had any: until then they count as writes, and who had no more than
// that may have handed them out. State.Users names their users too.
func Settled(c Command, known *Catalog) (settled []string) {
	define, ok := c.(DefineType)
	if !ok {
		return nil
	}
	for _, a := range define.Def.Actions {
		if _, had := known.orBuiltin().levels[a.Name]; !had && a.Level != LevelWrite {
			settled = append(settled, a.Name)
		}
	}
	return settled
}

// Dropped returns the actions of the type was that c would take out of the
// catalogue: those whose users State.Users names.
func Dropped(c Command, was *TypeDef) []string {
	if was == nil {
		return nil
	}
	var kept []ActionDef
	switch c := c.(type) {
	case DefineType:
		kept = c.Def.Actions
	case RemoveType:
	case OpenAccount, EditAccount, SuspendAccount, ResumeAccount, CloseAccount,
		IssueToken, EditToken, EnableToken, DisableToken, RotateToken, RevokeToken, RevealToken, RetireSecrets, ResealToken, TellExpiry:
		return nil
	}
	var dropped []string
	for _, a := range was.Actions {
		if !slices.ContainsFunc(kept, func(b ActionDef) bool { return b.Name == a.Name }) {
			dropped = append(dropped, a.Name)
		}
	}
	return dropped
}
