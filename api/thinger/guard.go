package thinger

import (
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// empty is the JSON object that what brings nothing back is answered with.
type empty struct{}

// guard tells whether the bearer may do the action of the query on the resource
// that path names. Gateways know 401 and 403 alone.
func (c *call) guard(path []string) (any, error) {
	text, err := c.credential()
	if err != nil {
		return nil, err
	}
	need, err := c.need(path)
	if err != nil { // nothing covers it, whoever asks
		if err := c.Service.Stands(text, c.From); err != nil {
			return nil, err
		}
		return nil, errNotCovered
	}
	secret, err := domain.ParseBearer(text)
	if err != nil {
		return nil, domain.Errorf(domain.CodeUnauthorized, "it is no bearer")
	}
	a, err := c.Service.Check(secret, need, c.From)
	if err != nil {
		return nil, err
	}
	switch {
	case !a.Allowed():
		return nil, errNotCovered
	case a.Stale > 0: // a yes has no place for that
		return nil, domain.Errorf(domain.CodeStale, "this node can't vouch for being current")
	}
	if string(a.Token.Account) == c.user {
		return empty{}, nil
	}
	account := domain.AccountID(c.user)
	open := c.Service.IsOpen(account)
	by, err := c.Caller(text) // one of the account root, perhaps
	if err != nil {
		return nil, err
	}
	if !open || !by.Authority.May(account, need) {
		return nil, errNotCovered
	}
	return empty{}, nil
}

// need reads what is asked for.
func (c *call) need(path []string) (domain.Need, error) {
	actions := c.query["action"]
	if len(path) == 0 || len(actions) != 1 || !userID.MatchString(c.user) {
		return domain.Need{}, errNotCovered
	}
	resource := "/" + lowered(path[0])
	if len(path) > 1 {
		resource += "/" + strings.Join(path[1:], "/")
	}
	return c.Service.Need(api.Question{Action: actions[0], Resource: resource, Unverified: true})
}
