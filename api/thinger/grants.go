package thinger

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"hallpass/domain"
)

// grants reads permissions in the vendor's grammar.
func (c *change) grants(raw json.RawMessage, at string) (*[]domain.Grant, error) {
	grants := []domain.Grant{}
	if string(raw) == "null" {
		return &grants, nil
	}
	types, err := object(raw)
	if err != nil {
		return nil, err
	}
	for _, typ := range slices.Sorted(maps.Keys(types)) {
		ids, err := object(types[typ])
		if err != nil {
			return nil, err
		}
		if typ == "" || strings.ContainsAny(typ, "/%") {
			return nil, domain.Invalid(at, `a type is a name like Device, or "*"`)
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			actions, err := c.actions(ids[id], at)
			if err != nil {
				return nil, err
			}
			for _, part := range slices.Sorted(maps.Keys(actions)) {
				pattern, err := patternOf(typ, id, part)
				if err != nil {
					return nil, domain.Invalid(at, "%s", err)
				}
				c.texts = append(c.texts, string(pattern))
				if len(actions[part]) > 0 {
					grants = append(grants, domain.Grant{Resource: pattern, Actions: actions[part], Unverified: true})
				}
				if len(grants) > domain.MaxGrants {
					return nil, tooMany(at)
				}
			}
		}
	}
	return &grants, nil
}

// actions reads one or a list of them, by the sub-resource that they are for; ""
// is the whole resource, and always there.
func (c *change) actions(raw json.RawMessage, at string) (map[string][]domain.Action, error) {
	out := map[string][]domain.Action{"": nil}
	for _, item := range listOf(raw) {
		if item[0] == '{' {
			if err := c.actionsOnParts(item, at, out); err != nil {
				return nil, err
			}
			continue
		}
		s, ok := textOf(item)
		if !ok {
			return nil, domain.Invalid(at, `the actions on a resource are a string or a list of strings, and of objects that name sub-resources, like {"AccessDeviceResources":["temperature"]}`)
		}
		c.texts = append(c.texts, s)
		out[""] = append(out[""], domain.Action(s))
	}
	return out, nil
}

// actionsOnParts reads an object of sub-resources, one or a list of them, by
// action. None, or one without a name, is refused: it could be meant as all.
func (c *change) actionsOnParts(raw json.RawMessage, at string, out map[string][]domain.Action) error {
	members, err := object(raw)
	if err != nil {
		return err
	}
	wrong := domain.Invalid(at, "the sub-resources that an action is for are a name or a list of names, one at least")
	if len(members) == 0 {
		return wrong
	}
	for _, action := range slices.Sorted(maps.Keys(members)) {
		parts := listOf(members[action])
		if len(parts) == 0 {
			return wrong
		}
		c.texts = append(c.texts, action)
		for _, item := range parts {
			part, _ := textOf(item)
			if part == "" {
				return wrong
			}
			if out[part] = append(out[part], domain.Action(action)); len(out) > domain.MaxGrants+1 { // one is for the whole
				return tooMany(at)
			}
		}
	}
	return nil
}

// tooMany is found here, and not only where tokens are made: a body may have very
// many, and each is looked at closely.
func tooMany(at string) error {
	return domain.Invalid(at, "a token has at most %d grants, allow and deny together", domain.MaxGrants)
}

// listOf returns the items of an array, or what else there is, which is valid
// JSON, as the one item.
func listOf(raw json.RawMessage) []json.RawMessage {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		_ = json.Unmarshal(raw, &list)
	}
	return list
}

// patternOf returns the resource of a grant, part being "" for all of it.
func patternOf(typ, id, part string) (domain.Pattern, error) {
	path := pathOf(typ, id)
	if part != "" {
		path = pathOf(typ, id+"/"+part)
	}
	if strings.Contains(path, "%") {
		return "", errors.New("the id of a resource must not contain a %")
	}
	pattern, err := domain.ParsePattern(path)
	if err != nil {
		return "", errors.New(`the id of a resource is a name like d1, several with "/" between them, or "*"; that of a sub-resource too`)
	}
	return pattern, nil
}
