package api

import (
	"net/http"

	"hallpass/api/wire"
	"hallpass/domain"
)

func (c *call) issueToken() (reply, error) {
	account, err := c.account()
	if err != nil {
		return reply{}, err
	}
	var in wire.IssueToken
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	var b binder
	cmd := domain.IssueToken{
		Account: account, Token: domain.TokenID(in.ID), Name: in.Name, Description: in.Description,
		Tags: tagsOf(in.Tags), Disabled: in.Enabled != nil && !*in.Enabled, Immutable: in.Immutable,
		NotBefore: instantOf(in.NotBefore), ExpiresAt: instantOf(in.ExpiresAt),
	}
	if in.Permissions != nil {
		cmd.Permissions = permissionsOf(&b, *in.Permissions, "/permissions")
	}
	if in.Kind != "" && in.Kind != domain.KindAPI.String() {
		b.fault("/kind", "is api")
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	secret, err := c.h.svc.NewSecret()
	if err != nil {
		return reply{}, err
	}
	cmd.Digest = secret.Digest()
	c.allowTime()
	r, err := c.h.svc.Do(c.r.Context(), c.by, cmd, c.queryWait())
	if err != nil {
		return reply{}, c.stored(r, err)
	}
	rep := tokenReply(r)
	rep.status = http.StatusCreated
	rep.location = "/v1/accounts/" + string(account) + "/tokens/" + string(r.State.Token.ID)
	return rep.showing(secret), nil
}

func (c *call) showToken() (reply, error) {
	account, id, err := c.target()
	if err != nil {
		return reply{}, err
	}
	if err := c.may(account, domain.TokenNeed("ReadTokenConfig", id)); err != nil {
		return reply{}, err
	}
	at := c.h.svc.Revision()
	state, _ := c.h.svc.proj.Directory.State(account, id)
	if err := exists(state, account, id); err != nil {
		return reply{}, err
	}
	return reply{body: wireToken(&state.Token), revision: at, etag: state.Token.Revision}, nil
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
		cmd := domain.EditToken{Account: account, Token: id, Expect: expect}
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
		return domain.DisableToken{Account: a, Token: t, Expect: expect}
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

func (c *call) rotateToken() (reply, error) {
	account, id, m, err := c.matchedTarget()
	if err != nil {
		return reply{}, err
	}
	var in wire.Rotate
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	var b binder
	wait := b.wait(in.Wait, c.query["wait"])
	if in.Overlap < 0 || in.Overlap > domain.MaxOverlap/1000 {
		b.fault("/overlap", "is 0 to %d seconds (30 days)", domain.MaxOverlap/1000)
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	secret, err := c.h.svc.NewSecret()
	if err != nil {
		return reply{}, err
	}
	rep, err := c.changeToken(account, id, m, wait, func(_ Caller, _ domain.State, expect Seq) (domain.Command, error) {
		return domain.RotateToken{Account: account, Token: id, Expect: expect, Digest: secret.Digest(), Overlap: in.Overlap * 1000}, nil
	})
	if err != nil {
		return reply{}, err
	}
	return rep.showing(secret), nil
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
		return domain.RevokeToken{Account: account, Token: id, Expect: expect, Reason: reason}, nil
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
	r, err := c.h.svc.change(c.r.Context(), c.by, account, id, wait, func(by Caller, s domain.State) (domain.Command, error) {
		return build(by, s, m.expect(s.Token.Revision))
	})
	if err != nil {
		return reply{}, m.retag(c.stored(r, err))
	}
	return tokenReply(r), nil
}

func tokenReply(r Result) reply {
	t := wireToken(&r.State.Token)
	t.Receipt = wireReceipt(r.Receipt)
	return reply{body: t, revision: r.Revision, etag: r.State.Token.Revision, wait: r.Wait}
}

// showing adds the secret to the token that is answered, this once.
func (r reply) showing(secret domain.Secret) reply {
	t := r.body.(wire.Token)
	t.Secret = secret.Reveal()
	r.body = t
	return r
}

// may refuses what the caller may not do in the account.
func (c *call) may(account domain.AccountID, n domain.Need) error {
	if c.by.Authority.May(account, n) {
		return nil
	}
	return domain.Errorf(domain.CodeForbidden, "this takes %s on %s in the account %s", n.Action, n.Resource, account)
}
