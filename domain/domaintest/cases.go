package domaintest

import (
	_ "embed"
	"fmt"
	"strings"

	"hallpass/domain"
)

//go:embed authorize.txt
var authorizeText string

// TokenCase is one token of authorize.txt and what it may and may not do.
type TokenCase struct {
	Name        string
	Permissions domain.Permissions // as written: not normalised
	Checks      []CheckCase
}

// CheckCase is one question to a token, and the answer.
type CheckCase struct {
	Line       int // in authorize.txt
	Action     string
	Resource   string
	Unverified bool
	Want       domain.Verdict
}

// AuthorizeCases returns the cases of authorize.txt. It panics on a line that
// it can't read: the file is part of the program.
func AuthorizeCases() []TokenCase {
	var cases []TokenCase
	for i, line := range strings.Split(authorizeText, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "token" {
			c := TokenCase{Name: words[1], Permissions: domain.Permissions{Mode: domain.Union}}
			if len(words) == 3 && words[2] == "first_match" {
				c.Permissions.Mode = domain.FirstMatch
			}
			cases = append(cases, c)
			continue
		}
		if strings.HasPrefix(words[0], "#") {
			continue
		}
		c := &cases[len(cases)-1]
		switch words[0] {
		case "grant":
			c.Permissions.Allow = append(c.Permissions.Allow, grant(words[1:]))
		case "refuse":
			c.Permissions.Deny = append(c.Permissions.Deny, grant(words[1:]))
		case "allow", "deny":
			c.Checks = append(c.Checks, check(i+1, words))
		default:
			panic(fmt.Sprintf("authorize.txt:%d: what is %q?", i+1, words[0]))
		}
	}
	return cases
}

func grant(words []string) domain.Grant {
	resource, unverified := strings.CutPrefix(words[0], "!")
	g := domain.Grant{Resource: domain.Pattern(resource), Unverified: unverified}
	for _, w := range words[1:] {
		g.Actions = append(g.Actions, domain.Action(w))
	}
	return g
}

func check(line int, words []string) CheckCase {
	action, unverified := strings.CutPrefix(words[1], "!")
	c := CheckCase{Line: line, Action: action, Resource: words[2], Unverified: unverified, Want: domain.Granted}
	if words[0] == "deny" {
		c.Want = domain.NoGrant
		if len(words) == 4 {
			c.Want = domain.Verdict(words[3])
		}
	}
	return c
}
