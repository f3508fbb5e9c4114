package api

import "hallpass/domain"

func (c *call) showToken() (reply, error) {
	account, id, err := c.target()
	if err != nil {
		return reply{}, err
	}
	if err := c.may(account, domain.TokenNeed("ReadTokenConfig", id)); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	state, _ := c.h.svc.proj.Directory.State(domain.Target{Account: account, Token: id})
	if err := exists(state, account, id); err != nil {
		return reply{}, err
	}
	return reply{body: c.wireToken(&state.Token), revision: at, etag: state.Token.Revision}, nil
}

// exists refuses what was never opened or issued.
func exists(s domain.State, account domain.AccountID, id domain.TokenID) error {
	switch {
	case s.Account.State == domain.AccountIsAbsent:
		return domain.Errorf(domain.CodeNotFound, "there is no account %s", account)
	case s.Token.State() == domain.TokenIsAbsent:
		return domain.Errorf(domain.CodeNotFound, "the account %s has no token %s", account, id)
	}
	return nil
}

func (c *call) editToken() (reply, error) {
	account, id, m, err := c.matchedTarget()
	if err != nil {
		return reply{}, err
	}
	patch, err := c.readJSON()
	if err != nil {
		return reply{}, err
	}
	return c.changeToken(account, id, m, c.queryWait(), func(by Caller, s domain.State, expect Seq) (domain.Command, error) {
		cmd := domain.EditToken{Account: account, Token: id, Expect: expect, Force: c.forced()}
		if t := &s.Token; t.Generation == 0 || t.Revoked || !by.Authority.May(account, cmd.Needs()) {
			return cmd, nil // Decide refuses it, and says less than a look at the fields would
		}
		err := mergePatch(patch, &s.Token, &cmd)
		return cmd, err
	})
}

func (c *call) enableToken() (reply, error) {
	return c.plainChange(func(a domain.AccountID, t domain.TokenID, expect Seq) domain.Command {
		return domain.EnableToken{Account: a, Token: t, Expect: expect}
	})
}

func (c *call) disableToken() (reply, error) {
	return c.plainChange(func(a domain.AccountID, t domain.TokenID, expect Seq) domain.Command {
		return domain.DisableToken{Account: a, Token: t, Expect: expect, Force: c.forced()}
	})
}

// plainChange is a command without fields of its own.
func (c *call) plainChange(build func(domain.AccountID, domain.TokenID, Seq) domain.Command) (reply, error) {
	account, id, m, err := c.matchedTarget()
	if err != nil {
		return reply{}, err
	}
	wait, err := c.readWait()
	if err != nil {
		return reply{}, err
	}
	return c.changeToken(account, id, m, wait, func(_ Caller, _ domain.State, expect Seq) (domain.Command, error) {
		return build(account, id, expect), nil
	})
}

func (c *call) revokeToken() (reply, error) {
	account, id, m, err := c.matchedTarget()
	if err != nil {
		return reply{}, err
	}
	reason, wait, err := c.readReason()
	if err != nil {
		return reply{}, err
	}
	return c.changeToken(account, id, m, wait, func(_ Caller, _ domain.State, expect Seq) (domain.Command, error) {
		return domain.RevokeToken{Account: account, Token: id, Expect: expect, Reason: reason, Force: c.forced()}, nil
	})
}

// matchedTarget returns the token in the path, and what If-Match wants of it.
func (c *call) matchedTarget() (account domain.AccountID, id domain.TokenID, m matches, err error) {
	if account, id, err = c.target(); err == nil {
		m, err = c.readIfMatch()
	}
	return account, id, m, err
}

// changeToken carries out a command on a token that may depend on how the
// token stands and on If-Match.
func (c *call) changeToken(account domain.AccountID, id domain.TokenID, m matches, wait Wait,
	build func(by Caller, s domain.State, expect Seq) (domain.Command, error),
) (reply, error) {
	c.allowTime()
	r, err := c.h.svc.change(c.r.Context(), c.by, domain.Target{Account: account, Token: id}, wait, func(by Caller, s domain.State) (domain.Command, error) {
		return build(by, s, m.expect(s.Token.Revision))
	})
	if err != nil {
		return reply{}, m.retag(c.stored(r, err))
	}
	return c.tokenReply(r), nil
}

func (c *call) tokenReply(r Result) reply {
	t := c.wireToken(&r.State.Token)
	t.Receipt = wireReceipt(r.Receipt)
	return reply{body: t, revision: r.Revision, etag: r.State.Token.Revision, wait: r.Wait, changed: r.Changed}
}

// forced tells whether a change is wanted though it leaves the account without
// a token that could manage its tokens.
func (c *call) forced() bool { return c.query["force"] == "true" }

var forceParam = param{name: "force", typ: "boolean", enum: []string{"true", "false"},
	doc: "true: though no other token of the account could issue, edit and revoke its tokens."}

// may refuses what the caller may not do in the account.
func (c *call) may(account domain.AccountID, n domain.Need) error {
	by := &c.by.Authority
	switch {
	case by.May(account, n):
		return nil
	case by.NoTokens && account == by.Actor.Account:
		return domain.Errorf(domain.CodeForbidden, "the tokens of the account %s are managed by sessions alone, and this is none", account)
	}
	return domain.Errorf(domain.CodeForbidden, "this takes %s on %s in the account %s", n.Action, n.Resource, account)
}
