package crafter

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/projections"
)

func (c *call) create() (any, error) {
	if err := c.may("CreateToken"); err != nil {
		return nil, err
	}
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	in, err := Parse(body)
	if err != nil {
		return nil, err
	}
	cmd, err := in.Command(c.account)
	if err != nil {
		return nil, err
	}
	if len(cmd.Permissions.Allow) > domain.MaxGrants || actionsOf(&cmd) > domain.MaxAllActions {
		return nil, errTooMany // before each of them is looked at
	}
	cmd.Imported = in.ID != nil
	if in.ID == nil {
		id := newUUID()
		in.ID = &id
	}
	c.id = *in.ID
	if strings.Contains(c.ID, c.id) { // the request's: it would stand in the record
		c.ID, c.by.Request = "", ""
		c.Header().Del("X-Request-Id")
	}
	secret, err := c.secretOf(c.id, cmd.Imported)
	if err != nil {
		return nil, err
	}
	if c.tellsSecret(&in) {
		return nil, errTellsSecret
	}
	cmd.Token = c.Service.DerivedID(secret)
	r, err := c.issue(cmd, secret)
	switch {
	case domain.CodeOf(err) == domain.CodeExists, api.SecretTaken(err):
		return nil, exists(c.id)
	case err != nil:
		return nil, err
	}
	return view(&r.State.Token, in.ID), nil
}

var errTooMany = domain.Invalid("", "a token has at most %d grants, with %d actions in all", domain.MaxGrants, domain.MaxAllActions)

func actionsOf(cmd *domain.IssueToken) (n int) {
	for _, g := range cmd.Permissions.Allow {
		n += len(g.Actions)
	}
	return n
}

// issue opens the account if it is not there yet.
func (c *call) issue(cmd domain.IssueToken, secret domain.Secret) (api.Result, error) {
	r, err := c.Service.Issue(c.Context(), c.by, cmd, secret, true, api.WaitDefault)
	if domain.CodeOf(err) != domain.CodeNotFound {
		return r, err
	}
	_, err = c.Service.Do(c.Context(), c.Operator(), domain.OpenAccount{Account: c.account, Name: "CrafterCMS Profile"}, api.WaitDefault)
	if err != nil && domain.CodeOf(err) != domain.CodeExists {
		return r, err
	}
	return c.Service.Issue(c.Context(), c.by, cmd, secret, true, api.WaitDefault)
}

func (c *call) get() (any, error) {
	if err := c.may("ReadTokenConfig", "RevealToken"); err != nil {
		return nil, err
	}
	t, err := c.find()
	if err != nil {
		return nil, err
	}
	if t == nil || t.Revoked {
		return nil, notFound(http.StatusNotFound, noSuchToken, c.id)
	}
	_, _, err = c.Service.Reveal(c.Context(), c.by, t.Account, t.ID)
	if err != nil && domain.CodeOf(err) != domain.CodeNotRevealable {
		return nil, err
	}
	return view(t, &c.id), nil
}

// find returns the token that the path names, revoked or not; nil if there was
// none of this door's. One that has another secret by now is not named by this
// one.
func (c *call) find() (*domain.Token, error) {
	at, ok := c.Service.Owner(c.id)
	if !ok || at.Account != c.account {
		return nil, nil
	}
	t, err := c.Service.Token(c.by, at.Account, at.Token)
	if err != nil {
		return nil, err
	}
	if _, opens := c.Service.Holder(c.id); t.Origin != c.Origin || !opens && !t.Revoked {
		return nil, nil
	}
	return t, nil
}

func (c *call) list() (any, error) {
	if err := c.may("ListTokens", "RevealToken"); err != nil {
		return nil, err
	}
	out := []Token{}
	tokens, err := c.tokens()
	if err != nil {
		return nil, err
	}
	ids := make([]domain.TokenID, len(tokens))
	for i, t := range tokens {
		ids[i] = t.ID
	}
	secrets, err := c.Service.RevealAll(c.Context(), c.by, c.account, ids)
	if err != nil {
		return nil, err
	}
	for i, t := range tokens {
		if id := secrets[i].Reveal(); id != "" {
			out = append(out, view(t, &id))
		} else if !c.gone(t) {
			out = append(out, view(t, nil))
		}
	}
	return out, nil
}

// tokens returns this door's tokens in the order of their creation; what was
// created again comes where it was last.
func (c *call) tokens() ([]*domain.Token, error) {
	var tokens []*domain.Token
	for cursor, more := "", true; more; more = cursor != "" {
		var page []*domain.Token
		var err error
		page, cursor, err = c.Service.Tokens(c.by, c.account, projections.Filter{Origin: c.Origin}, cursor, pageSize)
		if domain.CodeOf(err) == domain.CodeNotFound {
			return nil, nil // the account comes with the first token
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, page...)
	}
	slices.SortStableFunc(tokens, func(a, b *domain.Token) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
	return tokens, nil
}

// pageSize is how many tokens are looked up at once for a list, which has no
// pages itself.
const pageSize = 512

// gone tells whether a token was revoked since it was looked up.
func (c *call) gone(t *domain.Token) bool {
	now, err := c.Service.Token(c.by, t.Account, t.ID)
	return err == nil && (now.Revoked || now.Generation != t.Generation)
}

// remove revokes the token, and answers when no node takes it any more. That
// there is none is answered by a node that knows.
func (c *call) remove() (any, error) {
	if err := c.may("DeleteToken"); err != nil {
		return nil, err
	}
	t, err := c.find()
	if err == nil && t == nil {
		if err = c.Service.Current(c.Context()); err == nil {
			t, err = c.find()
		}
	}
	if err != nil || t == nil {
		return nil, err
	}
	if last, err := c.isLastMaster(t); err != nil {
		return nil, err
	} else if last {
		return nil, errLastMaster
	}
	_, err = c.Service.Do(c.Context(), c.by, domain.RevokeToken{Account: t.Account, Token: t.ID}, api.WaitDefault)
	return nil, err
}

// isLastMaster tells whether t is the one master that works. It goes by what
// this node knows.
func (c *call) isLastMaster(t *domain.Token) (bool, error) {
	now := c.Service.Now()
	if !isMaster(t) || !lives(t, now) {
		return false, nil
	}
	tokens, err := c.tokens()
	return !slices.ContainsFunc(tokens, func(other *domain.Token) bool {
		return other.ID != t.ID && isMaster(other) && lives(other, now)
	}), err
}

// detail is what a domain error says.
func detail(err error) string {
	var e *domain.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	return ""
}
