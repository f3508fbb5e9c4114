package api

import (
	"net/http"
	"slices"
	"strings"

	"hallpass/api/wire"
	"hallpass/domain"
)

func (c *call) issueToken() (reply, error) {
	account, err := c.account()
	if err != nil {
		return reply{}, err
	}
	return c.issue(account, "")
}

func (c *call) deriveToken() (reply, error) {
	account, parent, err := c.target()
	if err != nil {
		return reply{}, err
	}
	return c.issue(account, parent)
}

// issue makes a token, derived from parent if there is one.
func (c *call) issue(account domain.AccountID, parent domain.TokenID) (reply, error) {
	var in wire.IssueToken
	if err := c.readInto(&in); err != nil {
		return reply{}, err
	}
	var b binder
	cmd := issueOf(&b, in)
	cmd.Account, cmd.Parent = account, parent
	given := b.brought(in, c.h.svc.allowWeak)
	if err := b.err(); err != nil {
		return reply{}, err
	}
	secret, err := c.secretFor(&cmd, given)
	if err != nil {
		return reply{}, err
	}
	if err := c.issueOnce(&cmd, in); err != nil {
		return reply{}, err
	}
	if in.Revealable {
		if err := c.sealFor(&cmd, secret); err != nil {
			return reply{}, err
		}
	}
	if cmd.Imported {
		secret = domain.Secret{} // who brought it has it
	}
	return c.doIssue(cmd, secret)
}

// doIssue answers with the token, and with its secret unless that is zero.
func (c *call) doIssue(cmd domain.IssueToken, secret domain.Secret) (reply, error) {
	c.allowTime()
	r, err := c.h.svc.Do(c.r.Context(), c.by, cmd, c.queryWait())
	if err != nil {
		return reply{}, c.stored(r, err)
	}
	rep := c.tokenReply(r).showing(secret)
	rep.status = http.StatusCreated
	rep.location = "/v1/accounts/" + string(cmd.Account) + "/tokens/" + string(r.State.Token.ID)
	return rep, nil
}

// origins are the dialects that a token made here may be said to come from, so
// that what was brought along from another system is what that system's clients
// find there.
var origins = []string{"crafter", "nbiot", "thinger"}

func issueOf(b *binder, in wire.IssueToken) domain.IssueToken {
	cmd := domain.IssueToken{
		Token: domain.TokenID(in.ID), Name: in.Name, Description: in.Description,
		Tags: tagsOf(in.Tags), Disabled: in.Enabled != nil && !*in.Enabled, Immutable: in.Immutable,
		NotBefore: instantOf(in.NotBefore), ExpiresAt: instantOf(in.ExpiresAt), Origin: in.Origin,
		Conditions: conditionsOf(b, in.Conditions, "/conditions"),
	}
	if in.Permissions != nil {
		cmd.Permissions = permissionsOf(b, *in.Permissions, "/permissions")
	}
	if in.Origin != "" && !slices.Contains(origins, in.Origin) {
		b.fault("/origin", "is one of %s", strings.Join(origins, ", "))
	}
	if in.Kind != "" && in.Kind != domain.KindAPI.String() {
		b.fault("/kind", "is api; a session is opened at /v1/sessions")
	}
	return cmd
}

// sealFor keeps the secret with the token, to be shown again. It comes after
// what the caller may do, so that a refusal says nothing of this node to others.
func (c *call) sealFor(cmd *domain.IssueToken, secret domain.Secret) error {
	if err := c.may(cmd.Account, cmd.Needs()); err != nil {
		return err
	}
	if cmd.Token == "" { // it is sealed for that id and no other
		id, err := c.h.svc.newEventID(c.h.svc.now())
		if err != nil {
			return err
		}
		cmd.Token = domain.TokenID(id.String())
	}
	var err error
	cmd.Sealed, err = c.h.svc.seal(cmd.Account, cmd.Token, secret)
	return err
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
	in.Wait = "" // the same rotation, whatever it waits for
	once, err := c.once("rotate", in, string(account), string(id))
	if err != nil {
		return reply{}, err
	}
	secret, err := c.h.svc.NewSecret()
	if err != nil {
		return reply{}, err
	}
	rep, err := c.changeToken(account, id, m, wait, func(_ Caller, s domain.State, expect Seq) (domain.Command, error) {
		cmd := domain.RotateToken{
			Account: account, Token: id, Expect: expect, Digest: secret.Digest(),
			Overlap: in.Overlap * 1000, Retires: in.Retires, Once: once,
		}
		if wasDone(&s.Token, once) {
			cmd.Expect = 0 // it was met when it was done
		}
		if !s.Token.Revealable {
			return cmd, nil
		}
		var err error
		cmd.Sealed, err = c.h.svc.seal(account, id, secret)
		if domain.CodeOf(err) == domain.CodeKeyMissing {
			err = nil // Decide says so to those who may
		}
		return cmd, err
	})
	if err != nil {
		return reply{}, err
	}
	return rep.showing(secret), nil
}

// showing adds the secret, if it is one, to the token that is answered, this
// once. What was done before is answered without.
func (r reply) showing(secret domain.Secret) reply {
	if r.replayed = !r.changed; r.replayed || secret.IsZero() {
		return r
	}
	t := r.body.(wire.Token)
	t.Secret = secret.Reveal()
	r.body = t
	return r
}
