package crafter

import (
	"hallpass/api"
)

// filter tells, by a nil error, whether the access token may do the action on
// the tenant.
func (c *call) filter() error {
	if err := c.identify(true); err != nil {
		return err
	}
	action, err := one(c.params, "action")
	if err != nil {
		return err
	}
	tenant, err := one(c.params, "tenant")
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
	if err != nil || !c.Service.IsOpen(c.account) || !c.by.Authority.May(c.account, need) {
		return deniedOn(action, tenant)
	}
	return nil
}
