package crafter

import (
	"slices"
	"strings"

	"hallpass/domain"
)

const (
	anyName = "*" // any tenant, or any action

	anyTenant domain.Pattern = "/tenant"

	// nothing stands for an empty list of actions, which a grant can't have.
	nothing domain.Action = "none"
)

// rules is what makes a master. It stands in one grant: of two on the same
// resource the first decides.
var rules = domain.Grant{Resource: "/token", Actions: []domain.Action{
	"CreateToken", "ReadTokenConfig", "ListTokens", "DeleteToken", "RevealToken", domain.ActionGovern,
}}

// Defaults are the tokens that a fresh installation of the platform expects,
// without ids.
func Defaults() []Token {
	plain := func(application string) Token {
		return Token{Application: application, TenantPermissions: []Permission{
			{Tenant: anyName, AllowedActions: []string{"READ_TENANT", "MANAGE_PROFILES", "MANAGE_TICKETS"}},
		}}
	}
	return []Token{
		{Application: "adminconsole", Master: true, TenantPermissions: []Permission{{Tenant: anyName, AllowedActions: []string{anyName}}}},
		plain("crafterengine"),
		plain("craftersocial"),
	}
}

// Command returns what makes t in the account, but for its id and secret. Its
// errors have the code invalid; that of domain.Decide is for whether it fits.
func (t *Token) Command(account domain.AccountID) (domain.IssueToken, error) {
	c := domain.IssueToken{
		Account: account, Name: t.Application, Origin: Origin, Immutable: true,
		Permissions: domain.Permissions{Mode: domain.FirstMatch},
	}
	if t.ExpiresOn != nil {
		c.ExpiresAt = domain.Instant(*t.ExpiresOn)
	}
	if t.Master {
		c.Permissions.Allow = append(c.Permissions.Allow, rules)
	}
	for _, p := range t.TenantPermissions {
		g, err := grantOf(p)
		if err != nil {
			return c, err
		}
		c.Permissions.Allow = append(c.Permissions.Allow, g)
	}
	return c, nil
}

func grantOf(p Permission) (domain.Grant, error) {
	g := domain.Grant{}
	if p.Tenant == "" {
		return g, domain.Invalid("/tenantPermissions/tenant", "a tenant is not empty; * is any")
	}
	var why string
	if g.Resource, why = resourceOf(p.Tenant); why != "" {
		return g, domain.Invalid("/tenantPermissions/tenant", "%s", why)
	}
	for _, a := range p.AllowedActions {
		if why := badAction(a); why != "" {
			return g, domain.Invalid("/tenantPermissions/allowedActions", "%s", why)
		}
		g.Actions = append(g.Actions, domain.Action(a))
		g.Unverified = g.Unverified || a != anyName && !isTenantAction(a)
	}
	if len(g.Actions) == 0 {
		g.Actions, g.Unverified = []domain.Action{nothing}, true
	}
	return g, nil
}

// resourceOf returns what a tenant is natively, "" and "*" being any, or why it
// can't be.
func resourceOf(tenant string) (_ domain.Pattern, why string) {
	if tenant == "" || tenant == anyName {
		return anyTenant, ""
	}
	if strings.ContainsAny(tenant, "/%*") {
		return "", "a tenant must not contain any of / % and *; * alone is any tenant"
	}
	r, err := domain.ParseResource(string(anyTenant) + "/" + tenant)
	if err != nil {
		return "", "a tenant is a segment of a path: it " + strings.TrimPrefix(detail(err), "a resource ")
	}
	return domain.Pattern(r), ""
}

// badAction says why a can't stand in allowedActions, natively.
func badAction(a string) string {
	switch {
	case a == domain.ActionRead || a == domain.ActionWrite || a == string(nothing):
		return "the actions read, write and none are not taken: they stand for something else here"
	case a != anyName && strings.Contains(a, "*"):
		return "an action is a name, or * alone, which is any"
	}
	return ""
}

func isTenantAction(a string) bool {
	return slices.ContainsFunc(domain.Builtin().Type("tenant").Actions, func(d domain.ActionDef) bool { return d.Name == a })
}

// view is a native token as the platform's clients know it.
func view(t *domain.Token, id *string) Token {
	out := Token{Application: t.Name, Master: isMaster(t), TenantPermissions: []Permission{}, ID: id}
	if t.ExpiresAt != 0 {
		ms := int64(t.ExpiresAt)
		out.ExpiresOn = &ms
	}
	for i := range t.Permissions.Allow {
		g := &t.Permissions.Allow[i]
		p := Permission{AllowedActions: []string{}, Tenant: anyName}
		if g.Resource != anyTenant {
			var ok bool
			if p.Tenant, ok = strings.CutPrefix(string(g.Resource), string(anyTenant)+"/"); !ok {
				continue
			}
		}
		for _, a := range g.Actions {
			if a != nothing {
				p.AllowedActions = append(p.AllowedActions, string(a))
			}
		}
		out.TenantPermissions = append(out.TenantPermissions, p)
	}
	return out
}

func isMaster(t *domain.Token) bool {
	return slices.ContainsFunc(t.Permissions.Allow, func(g domain.Grant) bool {
		return g.Resource == rules.Resource && slices.Contains(g.Actions, domain.ActionGovern)
	})
}

// lives tells whether t works at now.
func lives(t *domain.Token, now domain.Instant) bool {
	return t.State() == domain.TokenIsActive && (t.ExpiresAt == 0 || now < t.ExpiresAt)
}
