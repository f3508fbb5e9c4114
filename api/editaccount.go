package api

import (
	"reflect"

	"hallpass/api/wire"
	"hallpass/domain"
)

func (c *call) editAccount() (reply, error) {
	account, err := c.account()
	if err != nil {
		return reply{}, err
	}
	patch, err := c.readJSON()
	if err != nil {
		return reply{}, err
	}
	c.allowTime()
	r, err := c.h.svc.change(c.r.Context(), c.by, domain.Target{Account: account}, c.queryWait(), func(by Caller, s domain.State) (domain.Command, error) {
		cmd := domain.EditAccount{Account: account}
		if s.Account.State == domain.AccountIsAbsent || !by.Authority.MayRoot(cmd.Needs()) {
			return cmd, nil // Decide refuses it, and says less than a look at the fields would
		}
		err := mergeAccount(patch, s.Account, &cmd)
		return cmd, err
	})
	if err != nil {
		return reply{}, c.stored(r, err)
	}
	return accountReply(r), nil
}

// mergeAccount fills cmd with what the JSON merge patch changes in a.
func mergeAccount(patch value, a domain.Account, cmd *domain.EditAccount) error {
	var b binder
	if !b.is(patch, object, "") {
		return b.err()
	}
	now := reflect.ValueOf(wireAccount(a))
	for _, m := range patch.members {
		if b.more {
			break
		}
		at := pointerTo("", m.name)
		switch m.name {
		case "name":
			cmd.Name = b.patchText(m.value, at)
		case "tokens_managed_by":
			var by domain.Managers
			if m.value.kind == null || b.is(m.value, text, at) {
				by = b.managers(m.value.text, at)
			}
			cmd.ManagedBy = &by
		default:
			b.readOnly(m, now, at, "an account", "name, tokens_managed_by")
		}
	}
	return b.err()
}

// managers reads which tokens may manage an account's tokens; "" is any.
func (b *binder) managers(s, at string) domain.Managers {
	switch s {
	case "", domain.AnyToken.String():
	case domain.SessionsOnly.String():
		return domain.SessionsOnly
	default:
		b.fault(at, "is any or sessions")
	}
	return domain.AnyToken
}

func (h *handler) editAccountRoutes() []*route {
	return []*route{
		{method: "PATCH", path: accountPath, id: "editAccount", tag: "accounts", summary: "Edit an account",
			about: "A JSON merge patch (RFC 7396). Fields that can't be changed are ignored where they say what is so, and refused otherwise. With tokens_managed_by sessions, no API token of the account reaches its tokens any more, whatever its grants say. Takes UpdateAccount, with a token of the account root.",
			do:    (*call).editAccount, query: []param{waitParam}, in: wire.EditAccount{}, inAll: true, out: wire.Account{},
			codes: []string{"not_found", "account_closed"}},
	}
}
