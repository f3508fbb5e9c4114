package domain

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalPermissions returns p with its resources in normal form and its mode
// set, and adds what is wrong to f.
func normalPermissions(f *faults, p Permissions, by *Catalog) Permissions {
	switch p.Mode {
	case 0:
		p.Mode = Union
	case Union, FirstMatch:
	default:
		f.add("/permissions/mode", `a mode is "union" or "first_match"`)
	}
	if n := len(p.Allow) + len(p.Deny); n > MaxGrants {
		f.add("/permissions", "a token has at most %d grants, allow and deny together; these are %d", MaxGrants, n)
		return p
	}
	actions := 0
	for _, g := range slices.Concat(p.Allow, p.Deny) {
		actions += len(g.Actions)
	}
	if actions > MaxAllActions {
		f.add("/permissions", "a token has at most %d actions in all its grants; these are %d", MaxAllActions, actions)
		return p
	}
	p.Allow = normalGrants(f, "/permissions/allow", p.Allow, by.orBuiltin())
	p.Deny = normalGrants(f, "/permissions/deny", p.Deny, by.orBuiltin())
	return p
}

func normalGrants(f *faults, at string, grants []Grant, by *Catalog) []Grant {
	if len(grants) == 0 {
		return nil
	}
	out := make([]Grant, len(grants))
	for i, g := range grants {
		here := fmt.Sprintf("%s/%d", at, i)
		r, bad := parsePattern(string(g.Resource))
		if bad != "" {
			f.add(here+"/resource", "a resource %s", bad)
		}
		switch n := len(g.Actions); {
		case n == 0:
			f.add(here+"/actions", `name at least one action, "read", "write" or "*"`)
		case n > MaxActions:
			f.add(here+"/actions", "a grant has at most %d actions; these are %d", MaxActions, n)
			continue
		}
		if bad == "" {
			for j, a := range g.Actions {
				if why := by.badGrantAction(a, r, g.Unverified); why != "" {
					f.add(fmt.Sprintf("%s/actions/%d", here, j), "%s", why)
				}
			}
		}
		out[i] = Grant{Resource: r, Actions: unique(g.Actions), Unverified: g.Unverified}
	}
	return out
}

// unique returns the actions without those that stand there already.
func unique(actions []Action) []Action {
	out := make([]Action, 0, len(actions))
	for _, a := range actions {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// badGrantAction says what is wrong with a as an action of a grant on r. A
// named action must be one of the resource's type; on "/" and "/*" any of the
// catalogue will do.
func (c *Catalog) badGrantAction(a Action, r Pattern, unverified bool) string {
	switch a {
	case "*", ActionRead, ActionWrite:
		return ""
	}
	if why := badActionName(strings.TrimSuffix(string(a), "*")); why != "" {
		return "an action " + why
	}
	if a.isWildcard() || unverified {
		return ""
	}
	typ := r.Type()
	known, isType := c.types[typ]
	switch {
	case typ == "" || typ == "*":
		if _, ok := c.actions[string(a)]; ok {
			return ""
		}
		return c.unknownAction("", string(a))
	case isType && known[string(a)]:
		return ""
	case isType:
		return c.unknownAction(typ, string(a))
	}
	return `the first segment of the resource is no type of the catalogue: name "read", "write", "*" or a wildcard, or say "unverified": true`
}

func badActionName(s string) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > MaxAction:
		return "has at most 64 bytes"
	}
	for i := range len(s) {
		if c := s[i]; !idByte(c) && c != '.' && c != ':' && c != '/' {
			return `is made of letters, digits, _ - . : and /, and may end in "*" in a grant`
		}
	}
	if holdsSecret(s) {
		return "must not hold a secret"
	}
	return ""
}

// normalTags returns the tags sorted by key, and adds what is wrong to f.
func normalTags(f *faults, tags []Tag) []Tag {
	if len(tags) == 0 {
		return nil
	}
	if len(tags) > MaxTags {
		f.add("/tags", "a token has at most %d tags; these are %d", MaxTags, len(tags))
		return nil
	}
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	for i, t := range tags {
		switch {
		case t.Key == "" || len(t.Key) > MaxTagKey:
			f.add("/tags", "a tag's key has 1 to %d bytes", MaxTagKey)
		case len(t.Value) > MaxTagValue:
			f.add("/tags", "a tag's value has at most %d bytes", MaxTagValue)
		case i > 0 && tags[i-1].Key == t.Key:
			f.add("/tags", "a tag's key may stand there only once")
		}
		if why := badLine(t.Key); why != "" {
			f.add("/tags", "a tag's key %s", why)
		}
		if why := badLine(t.Value); why != "" {
			f.add("/tags", "a tag's value %s", why)
		}
	}
	return tags
}

func checkName(f *faults, s string) {
	if utf8.RuneCountInString(s) > MaxName {
		f.add("/name", "a name has at most %d characters", MaxName)
	} else if why := badLine(s); why != "" {
		f.add("/name", "a name %s", why)
	}
}

func checkDescription(f *faults, s string) {
	if len(s) > MaxDescription {
		f.add("/description", "a description has at most %d bytes", MaxDescription)
	} else if why := badLine(strings.NewReplacer("\n", " ", "\t", " ", "\r", " ").Replace(s)); why != "" {
		f.add("/description", "a description %s", why)
	}
}

func checkReason(f *faults, r Reason) Reason {
	if r.Code == "" {
		r.Code = ReasonUnspecified
	}
	if !slices.Contains(ReasonCodes, r.Code) {
		names := make([]string, len(ReasonCodes))
		for i, c := range ReasonCodes {
			names[i] = string(c)
		}
		f.add("/reason", "a reason is one of %s", strings.Join(names, ", "))
	}
	if len(r.Text) > MaxReasonText {
		f.add("/reason_text", "a reason's text has at most %d bytes", MaxReasonText)
	} else if why := badLine(r.Text); why != "" {
		f.add("/reason_text", "a reason's text %s", why)
	}
	return r
}

func checkLife(f *faults, notBefore, expiresAt Instant) {
	if notBefore != 0 && expiresAt != 0 && expiresAt <= notBefore {
		f.add("/expires_at", "must be later than not_before")
	}
}

// badLine says why s can't stand in an event as a line of text.
func badLine(s string) string {
	if !utf8.ValidString(s) {
		return "must be valid UTF-8"
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return "must not contain control characters or U+FFFD"
		}
	}
	if holdsSecret(s) {
		return "must not hold a secret: events are kept for ever"
	}
	return ""
}

// holdsSecret tells whether a secret of ours stands anywhere in s.
func holdsSecret(s string) bool {
	for {
		i := strings.Index(s, secretPrefix)
		if i < 0 || len(s)-i < secretLen {
			return false
		}
		if _, err := ParseSecret(s[i : i+secretLen]); err == nil {
			return true
		}
		s = s[i+1:]
	}
}
