package nbiot

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/projections"
)

// pageSize is how many tokens are looked up at once for a list, which has no
// pages itself.
const pageSize = 512

type tokenList struct {
	Tokens []token `json:"tokens"`
}

func (c *call) list() (reply, error) {
	var tokens []*domain.Token
	for cursor, more := "", true; more; more = cursor != "" {
		var page []*domain.Token
		var err error
		page, cursor, err = c.Service.Tokens(c.by, c.account, projections.Filter{Origin: c.Origin}, cursor, pageSize)
		if err != nil {
			return reply{}, err
		}
		tokens = append(tokens, page...)
	}
	ids := make([]domain.TokenID, len(tokens))
	for i, t := range tokens {
		ids[i] = t.ID
	}
	secrets, err := c.Service.RevealAll(c.Context(), c.by, c.account, ids)
	if err != nil {
		return reply{}, err
	}
	out := tokenList{Tokens: []token{}}
	for i, t := range tokens {
		if !secrets[i].IsZero() || !c.gone(t) {
			out.Tokens = append(out.Tokens, view(t, secrets[i].Reveal()))
		}
	}
	return reply{http.StatusOK, out}, nil
}

// gone tells whether a token was revoked since it was looked up.
func (c *call) gone(t *domain.Token) bool {
	now, err := c.Service.Token(c.by, t.Account, t.ID)
	return err == nil && (now.Revoked || now.Generation != t.Generation)
}

func (c *call) create() (reply, error) {
	in, err := c.change()
	switch {
	case err != nil:
		return reply{}, err
	case in.resource == nil:
		return reply{}, domain.Invalid("/resource", "resource is required")
	case in.write == nil:
		return reply{}, domain.Invalid("/write", "write is required")
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	secret, err := domain.ParseBearer(hex.EncodeToString(random[:]))
	if err != nil {
		return reply{}, err
	}
	r, err := c.Service.Issue(c.Context(), c.by, domain.IssueToken{
		Account: c.account, Origin: c.Origin,
		Tags:        merged(nil, in.tags),
		Permissions: permissions(*in.resource, *in.write, nil),
	}, secret, true, api.WaitDefault)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, view(&r.State.Token, secret.Reveal())}, nil
}

func (c *call) get() (reply, error) {
	t, err := c.find()
	if err != nil {
		return reply{}, err
	}
	secret, _, err := c.Service.Reveal(c.Context(), c.by, t.Account, t.ID)
	switch {
	case domain.CodeOf(err) == domain.CodeNotRevealable:
		return reply{http.StatusOK, view(t, c.secret)}, nil // which the caller has brought
	case err != nil:
		return reply{}, err
	}
	return reply{http.StatusOK, view(t, secret.Reveal())}, nil
}

func (c *call) update() (reply, error) {
	in, err := c.change()
	if err != nil {
		return reply{}, err
	}
	t, err := c.edit(in)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, view(t, c.secret)}, nil
}

// remove revokes the token. Of two at once, one finds it there. That it is not
// there is said by a node that knows, and where it was revoked before, once no
// node goes by it any more: who asked for that, and got no answer, gets it now.
func (c *call) remove() (reply, error) {
	r, err := c.revoke((*call).find)
	if errors.Is(err, errNoToken) {
		if err = c.Service.Current(c.Context()); err == nil {
			r, err = c.revoke((*call).findOnce)
		}
	}
	switch {
	case err != nil:
		return reply{}, err
	case !r.Changed && !r.Owed:
		return reply{}, errNoToken
	}
	return reply{status: http.StatusNoContent}, nil
}

func (c *call) revoke(find func(*call) (*domain.Token, error)) (api.Result, error) {
	return c.do(find, func(t *domain.Token) (domain.Command, api.Wait, error) {
		return domain.RevokeToken{Account: t.Account, Token: t.ID, Expect: t.Revision}, api.WaitDefault, nil
	})
}

// edit changes the token in place, and returns it as it then stands. Rights
// change on all nodes before it returns.
func (c *call) edit(in change) (*domain.Token, error) {
	r, err := c.do((*call).find, func(t *domain.Token) (domain.Command, api.Wait, error) {
		cmd, wait := domain.EditToken{Account: t.Account, Token: t.ID, Expect: t.Revision}, api.WaitDefault
		if in.tags != nil {
			tags := merged(t.Tags, in.tags)
			cmd.Tags = &tags
		}
		if in.resource != nil || in.write != nil {
			resource, write, all := scopeOf(&t.Permissions)
			if !all {
				return nil, 0, errBeyond
			}
			if in.resource != nil {
				resource = *in.resource
			}
			if in.write != nil {
				write = *in.write
			}
			p := permissions(resource, write, t.Permissions.Deny)
			cmd.Permissions, wait = &p, api.WaitAll
		}
		return cmd, wait, nil
	})
	return &r.State.Token, err
}

// tries is how often a change is made anew for a token that others change.
const tries = 8

// do carries out what build makes of the token that find finds, as it stands,
// provided that it still stands so.
func (c *call) do(find func(*call) (*domain.Token, error), build func(*domain.Token) (domain.Command, api.Wait, error)) (api.Result, error) {
	var r api.Result
	for range tries {
		t, err := find(c)
		if err != nil {
			return r, err
		}
		cmd, wait, err := build(t)
		if err != nil {
			return r, err
		}
		r, err = c.Service.Do(c.Context(), c.by, cmd, wait)
		if domain.CodeOf(err) != domain.CodePrecondition {
			return r, err
		}
	}
	return r, domain.Errorf(domain.CodeConflict, "others kept changing the token")
}

// find returns the token that the path names: one of this door's in the
// session's account. All others are not there.
func (c *call) find() (*domain.Token, error) {
	at, ok := c.Service.Holder(c.secret)
	if !ok || at.Account != c.account {
		return nil, errNoToken
	}
	t, err := c.Service.Token(c.by, at.Account, at.Token)
	if err != nil {
		return nil, err
	}
	if t.Origin != c.Origin || t.Revoked {
		return nil, errNoToken
	}
	return t, nil
}

// findOnce is find also for what was such a token and is revoked.
func (c *call) findOnce() (*domain.Token, error) {
	t, err := c.find()
	if !errors.Is(err, errNoToken) {
		return t, err
	}
	at, ok := c.Service.Owner(c.secret)
	if !ok || at.Account != c.account {
		return nil, errNoToken
	}
	t, err = c.Service.Token(c.by, at.Account, at.Token)
	if err != nil {
		return nil, err
	}
	if t.Origin != c.Origin || !t.Revoked {
		return nil, errNoToken
	}
	return t, nil
}

// change reads the body.
func (c *call) change() (change, error) {
	body, err := c.body()
	if err != nil {
		return change{}, err
	}
	in, err := readChange(body)
	if err != nil {
		return in, err
	}
	if in.resource != nil && c.holdsSecret(string(*in.resource)) || c.tagsHoldSecret(in.tags) {
		return in, errHoldsSecret
	}
	return in, nil
}

func (c *call) tagsHoldSecret(tags map[string]string) bool {
	for key, value := range tags {
		if c.holdsSecret(key) || c.holdsSecret(value) {
			return true
		}
	}
	return false
}

var shape = regexp.MustCompile(`[0-9a-f]{64,}`)

// holdsSecret tells whether the secret of a token stands in the text.
func (c *call) holdsSecret(text string) bool {
	for _, s := range shape.FindAllString(text, -1) {
		for ; len(s) >= 64; s = s[1:] { // it may begin anywhere
			if _, ok := c.Service.Holder(s[:64]); ok {
				return true
			}
		}
	}
	return false
}
