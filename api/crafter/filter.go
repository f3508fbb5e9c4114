package crafter

import (
	"hallpass/api"
)

// filter tells, by a nil error, whether the access token may do the action on
// the tenant.
func (c *call) filter() error {
	params, err := c.params(true)
	if err != nil {
		return err
	}
	if err := c.authenticate(params); err != nil {
		return err
	}
	action, err := one(params, "action")
	if err != nil {
		return err
	}
	tenant, err := one(params, "tenant")
	if err != nil {
		return err
	}
	if action == "" {
		return errNoAction
	}
	resource, why := resourceOf(tenant)
	if badAction(action) != "" || action == anyName || why != "" {
		return deniedOn(action, tenant) // no entry names it
	}
	need, err := c.Service.Need(api.Question{Action: action, Resource: string(resource), Unverified: true})
	if err != nil || !c.by.Authority.May(c.account, need) {
		return deniedOn(action, tenant)
	}
	return nil
}
