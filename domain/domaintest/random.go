package domaintest

import (
	"pgregory.net/rapid"

	"hallpass/domain"
)

// A small universe, so that patterns and needs meet often.
var (
	somePatterns = []domain.Pattern{
		"/", "/*", "/token", "/token/a", "/token/*", "/token/*/x", "/bucket", "/bucket/a",
		"/bucket/a/x", "/*/a", "/*/*", "/robot", "/robot/a", "/audit",
	}
	someResources = []domain.Resource{
		"/", "/token", "/token/a", "/token/b", "/token/a/x", "/token/ab", "/bucket", "/bucket/a",
		"/bucket/a/x", "/bucket/b", "/robot", "/robot/a", "/robot/b/x", "/audit",
	}
	someActions = []domain.Action{
		"*", "read", "write", "Read*", "ReadBucket*", "Re*", "List*", "ReadBucket", "WriteBucket",
		"ReadTokenConfig", "ListTokens", "UpdateToken", "Wave", "W*",
	}
	someNeeds = []string{
		"read", "write", "ReadBucket", "ReadBucketConfig", "WriteBucket", "ListTokens",
		"ReadTokenConfig", "UpdateToken", "ReadEvents", "Wave", "Wait",
	}
)

// Universe returns every need of a small universe of resources and actions.
func Universe() []domain.Need {
	var needs []domain.Need
	for _, r := range someResources {
		for _, a := range someNeeds {
			n, err := domain.Builtin().Need(a, string(r), true)
			if err != nil {
				panic(err)
			}
			needs = append(needs, n)
		}
	}
	return needs
}

// Permissions draws permissions over the universe, in both modes, with denies.
// Their grants are unverified, so that any action may stand on any resource.
func Permissions() *rapid.Generator[domain.Permissions] {
	return rapid.Custom(func(t *rapid.T) domain.Permissions {
		return domain.Permissions{
			Mode:  rapid.SampledFrom([]domain.Mode{domain.Union, domain.FirstMatch}).Draw(t, "mode"),
			Allow: rapid.SliceOfN(Grant(), 0, 5).Draw(t, "allow"),
			Deny:  rapid.SliceOfN(Grant(), 0, 2).Draw(t, "deny"),
		}
	})
}

// Grant draws one grant over the universe.
func Grant() *rapid.Generator[domain.Grant] {
	return rapid.Custom(func(t *rapid.T) domain.Grant {
		return domain.Grant{
			Resource:   rapid.SampledFrom(somePatterns).Draw(t, "resource"),
			Actions:    rapid.SliceOfNDistinct(rapid.SampledFrom(someActions), 1, 3, rapid.ID[domain.Action]).Draw(t, "actions"),
			Unverified: true,
		}
	})
}
