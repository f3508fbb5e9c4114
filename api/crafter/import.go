package crafter

import (
	"slices"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// Import returns what makes the token that one row of the platform's list stands
// for. Its errors repeat nothing of the id.
func Import(row []byte) (api.Import, error) {
	t, err := Parse(row)
	switch {
	case err != nil:
		return api.Import{}, err
	case t.ID == nil:
		return api.Import{}, domain.Invalid("/id", "id is required: it is the secret that clients have")
	}
	return t.comes()
}

// Seed returns what a fresh installation of the platform has, each with a random
// id. It needs neither the account nor the server.
func Seed(domain.AccountID, string) ([]api.Import, error) {
	defaults := Defaults()
	out := make([]api.Import, len(defaults))
	for i, t := range defaults {
		id := newUUID()
		t.ID = &id
		var err error
		if out[i], err = t.comes(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// comes returns what makes t with the id that it has.
func (t *Token) comes() (api.Import, error) {
	if why := badID(*t.ID); why != "" {
		return api.Import{}, domain.Invalid("/id", "an id %s", why)
	}
	secret, err := domain.ParseBearer(*t.ID)
	if err != nil {
		return api.Import{}, domain.Invalid("/id", "an id is 1 to %d printable ASCII characters without spaces", maxID)
	}
	for _, p := range t.TenantPermissions {
		if t.holdsID(p.Tenant) || slices.ContainsFunc(p.AllowedActions, t.holdsID) {
			return api.Import{}, errTellsSecret
		}
	}
	if t.holdsID(t.Application) {
		return api.Import{}, errTellsSecret
	}
	c, err := t.Command("")
	return api.Import{IssueToken: c, Secret: secret, Revealable: true}, err
}

func (t *Token) holdsID(text string) bool { return isStrong(*t.ID) && strings.Contains(text, *t.ID) }

// Published tells whether the vendor ships that id: in the script that fills a
// fresh installation's database (crafter-profile, accesstoken), and in the
// examples of its documentation.
func Published(id string) bool {
	switch strings.ToLower(id) {
	case "e8f5170c-877b-416f-b70f-4b09772f8e2d", // adminconsole, later profile-admin
		"b4d44030-d0af-11e3-9c1a-0800200c9a66", // crafterengine, later engine
		"2ba3ac10-c43e-11e3-9c1a-0800200c9a66": // craftersocial, later social
		return true
	}
	return false
}
