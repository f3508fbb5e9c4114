package thinger

import (
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// Import returns what makes the token that one row of an export stands for: an
// object as of ReadTokenConfig, with the access_token that only its creation
// showed. Its errors repeat nothing of the secret.
func Import(row []byte) (api.Import, error) {
	in, err := readChange(row, "created", "modified", "access_token", "sign_key", "user")
	if err != nil {
		return api.Import{}, err
	}
	members, err := object(row)
	if err != nil {
		return api.Import{}, err
	}
	bearer, _ := textOf(members["access_token"])
	switch {
	case bearer == "":
		return api.Import{}, domain.Invalid("/access_token", "access_token is required: a list does not show it, and without it no client could go on as before")
	case in.token == nil || !cloneID.MatchString(*in.token): // it may be one's
		return api.Import{}, domain.Invalid("/token", "token is required: an id of 1 to 50 letters, digits, _ and -")
	case in.enabled == nil:
		return api.Import{}, domain.Invalid("/enabled", "enabled is required")
	case in.allow == nil:
		return api.Import{}, domain.Invalid("/allow", "allow is required, as ReadTokenConfig shows it: a list does not say what a token may do")
	}
	for _, text := range in.texts {
		if strings.Contains(text, bearer) {
			return api.Import{}, errHoldsSecret
		}
	}
	secret, err := domain.ParseBearer(bearer)
	if err != nil {
		return api.Import{}, domain.Invalid("/access_token", "access_token is what clients send: 1 to %d printable ASCII characters without spaces", domain.MaxBearer)
	}
	cmd := domain.IssueToken{
		Token: domain.TokenID(*in.token), Origin: origin, Disabled: !*in.enabled,
		Permissions: merged(domain.Permissions{Mode: domain.Union}, in.allow, in.deny),
	}
	if in.name != nil {
		cmd.Name = *in.name
	}
	if in.description != nil {
		cmd.Description = *in.description
	}
	if in.expire != nil {
		cmd.ExpiresAt = *in.expire
	}
	return api.Import{IssueToken: cmd, Secret: secret}, nil
}

// Seed returns what a fresh installation has for a user: one token that may do
// everything, with a new bearer for that server. Its error says that no user has
// such a name.
func Seed(user domain.AccountID, server string) ([]api.Import, error) {
	if !userID.MatchString(string(user)) {
		return nil, domain.Invalid("/user", "a user is 1 to 32 letters, digits, - and _")
	}
	const id = "admin"
	bearer, err := newBearer(user, id, server)
	if err != nil {
		return nil, err
	}
	everything := []domain.Grant{{Resource: domain.Pattern(pathOf(all, all)), Actions: []domain.Action{all}, Unverified: true}}
	return []api.Import{{Secret: bearer, IssueToken: domain.IssueToken{
		Token: id, Name: "Admin Access", Origin: origin,
		Permissions: domain.Permissions{Mode: domain.Union, Allow: everything},
	}}}, nil
}
