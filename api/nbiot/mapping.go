package nbiot

import (
	"maps"
	"slices"
	"strings"

	"hallpass/domain"
)

// token is a token as the platform's clients know it.
type token struct {
	Resource string            `json:"resource"`
	Write    bool              `json:"write"`
	Token    string            `json:"token"`
	Tags     map[string]string `json:"tags,omitempty"`
}

func view(t *domain.Token, secret string) token {
	resource, write, _ := scopeOf(&t.Permissions)
	return token{textOfPattern(resource), write, secret, tagsOf(t)}
}

// under ends the pattern of what is under a resource, without the resource.
const under = "/*"

// patternOf returns what a resource is natively. With a "/" at its end it is, as
// the prefix of paths that it is on the platform, only what is under it.
func patternOf(resource string) (domain.Pattern, error) {
	parent, inside := strings.CutSuffix(resource, "/")
	if parent == "" || strings.HasSuffix(parent, "/") {
		parent, inside = resource, false // "/", or what is none
	}
	r, err := domain.ParseResource(parent)
	if err == nil && inside {
		r += under
	}
	return domain.Pattern(r), err
}

// textOfPattern is the reverse of patternOf. What has no reverse shows as it is.
func textOfPattern(p domain.Pattern) string {
	parent, inside := strings.CutSuffix(string(p), under)
	if !inside || parent == "" || strings.Contains(parent, "*") {
		return string(p)
	}
	return parent + "/"
}

// tagsOf returns the tags by key; never nil.
func tagsOf(t *domain.Token) map[string]string {
	tags := make(map[string]string, len(t.Tags))
	for _, tag := range t.Tags {
		tags[tag.Key] = tag.Value
	}
	return tags
}

// merged returns the tags with changes, by folded key, put in; "" takes one out.
func merged(tags []domain.Tag, changes map[string]string) []domain.Tag {
	out := slices.DeleteFunc(slices.Clone(tags), func(t domain.Tag) bool {
		_, changed := changes[fold(t.Key)]
		return changed
	})
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if changes[key] != "" {
			out = append(out, domain.Tag{Key: key, Value: changes[key]})
		}
	}
	return out
}

func fold(key string) string { return strings.ToLower(strings.TrimSpace(key)) }

// scopeOf returns what the first allow grant says, and whether that is all
// that is allowed.
func scopeOf(p *domain.Permissions) (resource domain.Pattern, write, all bool) {
	if len(p.Allow) == 0 {
		return "", false, false
	}
	g := &p.Allow[0]
	has := func(a domain.Action) bool { return slices.Contains(g.Actions, a) || slices.Contains(g.Actions, "*") }
	other := slices.ContainsFunc(g.Actions, func(a domain.Action) bool {
		return a != domain.ActionRead && a != domain.ActionWrite && a != "*"
	})
	return g.Resource, has(domain.ActionWrite), len(p.Allow) == 1 && has(domain.ActionRead) && !other
}

// never is what no token of this door may do anything on.
var never = []domain.Pattern{"/token", "/account", "/audit", "/catalog"}

// permissions allow the resource and all under it. What was denied stays so.
func permissions(resource domain.Pattern, write bool, denied []domain.Grant) domain.Permissions {
	actions := []domain.Action{domain.ActionRead}
	if write {
		actions = append(actions, domain.ActionWrite)
	}
	deny := slices.Clone(denied)
	for _, r := range never {
		if !slices.ContainsFunc(deny, func(g domain.Grant) bool { return g.Resource == r && slices.Contains(g.Actions, "*") }) {
			deny = append(deny, domain.Grant{Resource: r, Actions: []domain.Action{"*"}})
		}
	}
	return domain.Permissions{
		Mode:  domain.Union,
		Allow: []domain.Grant{{Resource: resource, Actions: actions}},
		Deny:  deny,
	}
}
