package api

import (
	"net/http"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/projections"
)

func (c *call) openAccount() (reply, error) {
	var in wire.OpenAccount
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	var b binder
	cmd := domain.OpenAccount{Account: domain.AccountID(in.ID), Name: in.Name, ManagedBy: b.managers(in.ManagedBy, "/tokens_managed_by")}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	rep, err := c.doAccount(cmd, c.queryWait())
	if err != nil {
		return reply{}, err
	}
	rep.status, rep.location = http.StatusCreated, "/v1/accounts/"+in.ID
	return rep, nil
}

func (c *call) suspendAccount() (reply, error) {
	account, reason, wait, err := c.accountAndReason()
	if err != nil {
		return reply{}, err
	}
	return c.doAccount(domain.SuspendAccount{Account: account, Reason: reason}, wait)
}

func (c *call) resumeAccount() (reply, error) {
	account, err := c.account()
	if err != nil {
		return reply{}, err
	}
	wait, err := c.readWait()
	if err != nil {
		return reply{}, err
	}
	return c.doAccount(domain.ResumeAccount{Account: account}, wait)
}

func (c *call) closeAccount() (reply, error) {
	account, reason, wait, err := c.accountAndReason()
	if err != nil {
		return reply{}, err
	}
	return c.doAccount(domain.CloseAccount{Account: account, Reason: reason}, wait)
}

func (c *call) accountAndReason() (domain.AccountID, domain.Reason, Wait, error) {
	account, err := c.account()
	if err != nil {
		return "", domain.Reason{}, WaitDefault, err
	}
	reason, wait, err := c.readReason()
	return account, reason, wait, err
}

func (c *call) doAccount(cmd domain.Command, wait Wait) (reply, error) {
	c.allowTime()
	r, err := c.h.svc.Do(c.r.Context(), c.by, cmd, wait)
	if err != nil {
		return reply{}, c.stored(r, err)
	}
	return accountReply(r), nil
}

func accountReply(r Result) reply {
	account := wireAccount(r.State.Account)
	account.Receipt = wireReceipt(r.Receipt)
	return reply{body: account, revision: r.Revision, wait: r.Wait, changed: r.Changed}
}

// accountNeed is what it takes to look at an account: the level read on it.
func accountNeed(id domain.AccountID) domain.Need {
	return domain.Need{Resource: domain.Resource("/account/" + string(id)), Action: domain.ActionRead, Level: domain.LevelRead, Bare: true}
}

// seesAccount tells whether the caller may look at the account: at its own
// with a grant for it, at others with a token of the root account.
func (c *call) seesAccount(id domain.AccountID) bool {
	n := accountNeed(id)
	return c.by.Authority.May(id, n) || c.by.Authority.MayRoot(n)
}

func (c *call) showAccount() (reply, error) {
	id, err := c.account()
	if err != nil {
		return reply{}, err
	}
	if !c.seesAccount(id) {
		return reply{}, domain.Errorf(domain.CodeForbidden, "this takes read on /account/%s, in that account or in the account root", id)
	}
	at := c.h.svc.Revision()
	a, ok := c.h.svc.proj.Directory.Account(id)
	if !ok {
		return reply{}, domain.Errorf(domain.CodeNotFound, "there is no account %s", id)
	}
	return reply{body: wireAccount(a), revision: at}, nil
}

// listAccounts shows all accounts that the caller may look at: to a token of
// the root account all of them, to others their own.
func (c *call) listAccounts() (reply, error) {
	var b binder
	limit := c.limit(&b)
	after, err := projections.ParseCursor(c.query["cursor"])
	if err != nil {
		cursorError(&b)
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	list := wire.List[wire.Account]{Items: []wire.Account{}}
	own := c.by.Authority.Actor.Account
	all := domain.Need{Resource: "/account", Action: domain.ActionRead, Level: domain.LevelRead, Bare: true}
	switch {
	case c.by.Authority.MayRoot(all):
		accounts, next, more := c.h.svc.proj.Directory.Accounts(after, limit)
		for _, a := range accounts {
			list.Items = append(list.Items, wireAccount(a))
		}
		if more {
			cursor := next.String()
			list.NextCursor = &cursor
		}
	case c.seesAccount(own):
		if a, ok := c.h.svc.proj.Directory.Account(own); ok {
			list.Items = append(list.Items, wireAccount(a))
		}
	default:
		return reply{}, domain.Errorf(domain.CodeForbidden, "this takes read on /account/%s", own)
	}
	return reply{body: list, revision: at}, nil
}
