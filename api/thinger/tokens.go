package thinger

import (
	"regexp"
	"slices"
	"strings"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/projections"
)

// Bounds of a list.
const (
	usualCount = 50
	maxCount   = 1000
)

// listed is a token in a list.
type listed struct {
	Created  int64  `json:"created"` // ms, as Modified
	Enabled  bool   `json:"enabled"`
	Modified int64  `json:"modified"`
	Name     string `json:"name"`
	Token    string `json:"token"`
}

// config is all there is to know of a token.
type config struct {
	AccessToken string `json:"access_token,omitempty"`
	Allow       tree   `json:"allow"`
	Created     int64  `json:"created"`
	Deny        tree   `json:"deny,omitempty"`
	Description string `json:"description,omitempty"`
	Enabled     bool   `json:"enabled"`
	Expire      *int64 `json:"expire,omitempty"` // seconds
	Modified    int64  `json:"modified"`
	Name        string `json:"name"`
	Token       string `json:"token"`
}

func configOf(t *domain.Token) config {
	c := config{
		Allow: allowTree(&t.Permissions), Deny: denyTree(&t.Permissions), Description: t.Description, Enabled: t.Enabled,
		Created: int64(t.CreatedAt), Modified: int64(t.ModifiedAt), Name: t.Name, Token: string(t.ID),
	}
	if t.ExpiresAt != 0 {
		seconds := secondsOf(t.ExpiresAt)
		c.Expire = &seconds
	}
	return c
}

// secondsOf counts a part of a second as a whole one: nothing works for longer
// than is shown.
func secondsOf(at domain.Instant) int64 {
	seconds := int64(at) / 1000
	if int64(at) > seconds*1000 {
		seconds++
	}
	return seconds
}

func (c *call) list() (any, error) {
	index, err := c.number("index", 0, 0, 1<<31-1)
	if err != nil {
		return nil, err
	}
	count, err := c.number("count", 0, 0, maxCount)
	if err != nil {
		return nil, err
	}
	if count == 0 {
		count = usualCount
	}
	part := strings.ToLower(c.query.Get("name"))
	f := projections.Filter{Kind: domain.KindAPI}
	out := []listed{}
	for cursor, more := "", true; more && len(out) < count; more = cursor != "" {
		var page []*domain.Token
		if page, cursor, err = c.Service.Tokens(c.by, c.account, f, cursor, maxCount); err != nil {
			return nil, err
		}
		for _, t := range page {
			switch {
			case !named(t, part):
			case index > 0:
				index--
			case len(out) < count:
				out = append(out, listed{int64(t.CreatedAt), t.Enabled, int64(t.ModifiedAt), t.Name, string(t.ID)})
			}
		}
	}
	return out, nil
}

// named tells whether the part, in lower case, stands in the token's id or name.
func named(t *domain.Token, part string) bool {
	return strings.Contains(strings.ToLower(string(t.ID)), part) || strings.Contains(strings.ToLower(t.Name), part)
}

func (c *call) read() (any, error) {
	t, err := c.find()
	if err != nil {
		return nil, err
	}
	return configOf(t), nil
}

// find returns the token that the path names.
func (c *call) find() (*domain.Token, error) {
	t, err := c.Service.Token(c.by, c.account, c.token)
	if err != nil {
		return nil, err
	}
	if t.Revoked || t.Kind != domain.KindAPI {
		return nil, errNoToken
	}
	return t, nil
}

func (c *call) create() (any, error) {
	in, err := c.change("created", "modified")
	switch {
	case err != nil:
		return nil, err
	case in.name == nil:
		return nil, domain.Invalid("/name", "name is required")
	case in.enabled == nil:
		return nil, domain.Invalid("/enabled", "enabled is required")
	}
	cmd := domain.IssueToken{Name: *in.name, Disabled: !*in.enabled, Permissions: merged(domain.Permissions{Mode: domain.Union}, in.allow, in.deny)}
	if in.description != nil {
		cmd.Description = *in.description
	}
	if in.expire != nil {
		cmd.ExpiresAt = *in.expire
	}
	return c.issue(in, cmd, tokenID)
}

func (c *call) clone() (any, error) {
	in, err := c.change()
	if err != nil {
		return nil, err
	}
	if in.allow != nil || in.deny != nil || in.expire != nil {
		return nil, domain.Invalid("", "a clone takes token, name, description and enabled; the rest is as with its source")
	}
	t, err := c.find()
	if err != nil {
		return nil, err
	}
	cmd := domain.IssueToken{
		Name: t.Name, Description: t.Description, Tags: t.Tags, Disabled: !t.Enabled, Immutable: t.Immutable,
		NotBefore: t.NotBefore, ExpiresAt: t.ExpiresAt, Permissions: t.Permissions, Conditions: t.Conditions,
	}
	if t.Parent != nil {
		cmd.Parent = t.Parent.Token
	}
	if in.name != nil {
		cmd.Name = *in.name
	}
	if in.description != nil {
		cmd.Description = *in.description
	}
	if in.enabled != nil {
		cmd.Disabled = !*in.enabled
	}
	return c.issue(in, cmd, cloneID)
}

// The ids of tokens. On the platform too, those of clones alone may have a "-".
var (
	tokenID = regexp.MustCompile(`^[A-Za-z0-9_]{1,50}$`)
	cloneID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`)
)

// issue makes the token that the body names, if its id has that form, and shows
// its bearer this once.
func (c *call) issue(in change, cmd domain.IssueToken, form *regexp.Regexp) (any, error) {
	if in.token == nil || !form.MatchString(*in.token) {
		return nil, domain.Invalid("/token", "token is required: an id of 1 to 50 letters, digits and _, or for a clone -")
	}
	cmd.Account, cmd.Token, cmd.Origin = c.account, domain.TokenID(*in.token), c.Origin
	secret, err := newBearer(cmd.Account, cmd.Token, serverOf(c.Request))
	if err != nil {
		return nil, err
	}
	r, err := c.Service.Issue(c.Context(), c.by, cmd, secret, false, api.WaitDefault)
	if err != nil {
		return nil, err
	}
	made := configOf(&r.State.Token)
	made.AccessToken = secret.Reveal()
	return made, nil
}

// tries is how often a change is made anew for a token that others change.
const tries = 8

// update changes what the body has. Rights change on all nodes before it
// returns.
func (c *call) update() (any, error) {
	in, err := c.change(answered...)
	if err != nil {
		return nil, err
	}
	wait := api.WaitDefault
	if in.enabled != nil || in.allow != nil || in.deny != nil || in.expire != nil {
		wait = api.WaitAll
	}
	for range tries {
		t, err := c.findToChange()
		if err != nil {
			return nil, err
		}
		r, err := c.Service.Do(c.Context(), c.by, edit(t, in), wait)
		if domain.CodeOf(err) == domain.CodePrecondition {
			continue
		}
		if err != nil {
			return nil, err
		}
		return configOf(&r.State.Token), nil
	}
	return nil, domain.Errorf(domain.CodeConflict, "others kept changing the token")
}

// findToChange is find for who may change the token, but not read it: nothing to
// change is answered with the token as it stands.
func (c *call) findToChange() (*domain.Token, error) {
	t, err := c.find()
	if domain.CodeOf(err) != domain.CodeForbidden {
		return t, err
	}
	r, err := c.Service.Do(c.Context(), c.by, domain.EditToken{Account: c.account, Token: c.token}, api.WaitCommit)
	if err != nil {
		return nil, err
	}
	return &r.State.Token, nil // no session: those can't be changed
}

// edit is the change of a token that stands so.
func edit(t *domain.Token, in change) domain.EditToken {
	cmd := domain.EditToken{
		Account: t.Account, Token: t.ID, Expect: t.Revision,
		Name: in.name, Description: in.description, Enabled: in.enabled, ExpiresAt: in.expire,
	}
	if in.allow != nil || in.deny != nil {
		p := merged(t.Permissions, in.allow, in.deny)
		cmd.Permissions = &p
	}
	if e := in.expire; e != nil && t.ExpiresAt != 0 && int64(*e) == secondsOf(t.ExpiresAt)*1000 {
		cmd.ExpiresAt = nil // as it was shown
	}
	return cmd
}

// remove revokes the token. Of two at once, one finds it there. That it is not
// there is said by a node that knows, and where it was revoked before, once no
// node goes by it any more: who asked for that, and got no answer, gets it now.
func (c *call) remove() (any, error) {
	r, err := c.revoke()
	if domain.CodeOf(err) == domain.CodeNotFound {
		if err = c.Service.Current(c.Context()); err == nil {
			r, err = c.revoke()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case !r.Changed && !r.Owed:
		return nil, errNoToken
	}
	return empty{}, nil
}

func (c *call) revoke() (api.Result, error) {
	if c.hides(c.token) {
		return api.Result{}, errNoToken
	}
	return c.Service.Do(c.Context(), c.by, domain.RevokeToken{Account: c.account, Token: c.token}, api.WaitDefault)
}

// hides tells whether who might delete that token is not to find it here: it is a
// session.
func (c *call) hides(id domain.TokenID) bool {
	t, err := c.Service.Token(c.Operator(), c.account, id)
	return err == nil && t.Kind != domain.KindAPI && c.by.Authority.May(c.account, domain.TokenNeed("DeleteToken", id))
}

func (c *call) removeMany() (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	named, err := ids(body)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(named, c.hides) {
		return nil, errNoToken
	}
	bulk := api.Bulk{Account: c.account, Select: projections.Filter{IDs: named}}
	if _, err := c.Service.RevokeAll(c.Context(), c.by, bulk, api.WaitDefault, func(int, int) {}); err != nil {
		return nil, err
	}
	return empty{}, nil
}

// change reads the body.
func (c *call) change(ignored ...string) (change, error) {
	body, err := c.body()
	if err != nil {
		return change{}, err
	}
	in, err := readChange(body, ignored...)
	if err == nil && slices.ContainsFunc(in.texts, c.holdsSecret) {
		err = errHoldsSecret
	}
	return in, err
}

// shapes are those of what could be a secret: a bearer of this door, and
// whatever stands alone.
var shapes = []*regexp.Regexp{
	regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`),
	regexp.MustCompile(`[^\s"'/,;:()<>]*[^\s"'/,;:()<>.!?]`),
}

// digits are what the secrets of the Telenor door are made of.
var digits = regexp.MustCompile(`[0-9a-f]{64,}`)

// holdsSecret tells whether the secret of a token stands in the text.
func (c *call) holdsSecret(text string) bool {
	for _, s := range digits.FindAllString(text, -1) {
		for ; len(s) >= 64; s = s[1:] { // it may begin anywhere
			if _, ok := c.Service.Holder(s[:64]); ok {
				return true
			}
		}
	}
	for _, shape := range shapes {
		for _, s := range shape.FindAllString(text, -1) {
			if _, ok := c.Service.Holder(s); ok {
				return true
			}
		}
	}
	return false
}
