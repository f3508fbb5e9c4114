package domain

// Need is what a check asks for: one action, or a bare access level, on one
// resource.
type Need struct {
	Resource Resource
	Action   string // an action's name, or "read" or "write": a bare level
	Level    Level
	Bare     bool // Action is a level
}

// The bare levels, as grants and checks spell them.
const (
	ActionRead  = "read"
	ActionWrite = "write"
)

// Need returns what a check for action on resource asks for. An action that
// the catalogue doesn't know is refused with the nearest names, unless
// unverified, and then counts as a write, or by the level that it had while
// the catalogue knew it. Errors have code "invalid" and the
// pointers "/action" and "/resource".
func (c *Catalog) Need(action, resource string, unverified bool) (Need, error) {
	r, err := ParseResource(resource)
	if err != nil {
		return Need{}, err
	}
	switch action {
	case ActionRead:
		return Need{Resource: r, Action: ActionRead, Level: LevelRead, Bare: true}, nil
	case ActionWrite:
		return Need{Resource: r, Action: ActionWrite, Level: LevelWrite, Bare: true}, nil
	}
	if a, ok := c.actions[action]; ok {
		return Need{Resource: r, Action: a.Name, Level: a.Level}, nil
	}
	if why := badActionName(action); why != "" {
		return Need{}, Invalid("/action", "an action %s", why)
	}
	if !unverified {
		return Need{}, Invalid("/action", "%s", c.unknownAction("", action))
	}
	n := c.named(Action(action))
	n.Resource = r
	return n, nil
}

// TokenNeed is a management action on a token; an empty id means all of them.
func TokenNeed(action string, id TokenID) Need {
	return builtinNeed(action, under("/token", string(id)))
}

// AccountNeed is a management action on an account; an empty id means all.
func AccountNeed(action string, id AccountID) Need {
	return builtinNeed(action, under("/account", string(id)))
}

// CatalogNeed is an action on a resource type of the catalogue.
func CatalogNeed(action, typ string) Need {
	return builtinNeed(action, under("/catalog", typ))
}

// AuditNeed is an action on the account's records.
func AuditNeed(action string) Need { return builtinNeed(action, "/audit") }

func under(base, id string) Resource {
	if id == "" {
		return Resource(base)
	}
	return Resource(base + "/" + id)
}

// builtinNeed is for the action names in hallpass's own code: an unknown one
// is a bug here, and must not turn into a weaker need.
func builtinNeed(action string, r Resource) Need {
	a, ok := Builtin().actions[action]
	if !ok {
		panic("domain: " + action + " is not in the built-in catalogue")
	}
	return Need{Resource: r, Action: a.Name, Level: a.Level}
}
