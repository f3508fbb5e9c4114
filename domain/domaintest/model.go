package domaintest

import (
	"strings"

	"hallpass/domain"
)

// Allows is the naive model of what permissions allow: the same rules as
// domain's, written as plainly as possible, to compare with.
func Allows(p domain.Permissions, n domain.Need) bool {
	for _, g := range p.Deny {
		if matches(g.Resource, n.Resource) && hasAction(g, n) {
			return false
		}
	}
	for _, g := range p.Allow {
		if matches(g.Resource, n.Resource) {
			if hasAction(g, n) {
				return true
			}
			if p.Mode == domain.FirstMatch {
				return false
			}
		}
	}
	return false
}

func matches(p domain.Pattern, r domain.Resource) bool {
	want, have := segments(string(p)), segments(string(r))
	if len(want) > len(have) {
		return false
	}
	for i := range want {
		if want[i] != "*" && want[i] != have[i] {
			return false
		}
	}
	return true
}

func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func hasAction(g domain.Grant, n domain.Need) bool {
	for _, a := range g.Actions {
		stem, wildcard := strings.CutSuffix(string(a), "*")
		isRead := n.Level == domain.LevelRead || n.Level == domain.LevelList
		switch {
		case a == "*",
			a == "read" && isRead,
			a == "write" && !isRead,
			wildcard && !n.Bare && strings.HasPrefix(n.Action, stem),
			!wildcard && !n.Bare && string(a) == n.Action:
			return true
		}
	}
	return false
}
