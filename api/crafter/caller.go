package crafter

import (
	"mime"
	"net/http"
	"net/url"
	"slices"

	"hallpass/domain"
)

// identify reads the parameters, of the query and, if it is an urlencoded one and
// may be, of the body, and finds out who asks. Such a body is read for who is in
// the query, or for nobody: it is small.
func (c *call) identify(inBody bool) (err error) {
	if c.params, err = url.ParseQuery(c.Request.URL.RawQuery); err != nil {
		return errQuery
	}
	kind, _, _ := mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	inBody = inBody && kind == "application/x-www-form-urlencoded" && c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead
	if !inBody || c.params.Has("accessTokenId") {
		if err := c.authenticate(); err != nil || !inBody {
			return err
		}
	}
	body, err := c.Form()
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return errQuery
	}
	for name, values := range form {
		c.params[name] = append(c.params[name], values...)
	}
	return c.authenticate() // it may have come slowly, and say something else
}

// body reads the body. It may come slowly: the caller is judged again after it.
func (c *call) body() ([]byte, error) {
	text, err := c.Body()
	if err != nil {
		return nil, err
	}
	return text, c.authenticate()
}

// one returns the value of a parameter; "" if there is none.
func one(params url.Values, name string) (string, error) {
	switch values := slices.Compact(slices.Sorted(slices.Values(params[name]))); len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", refusal{http.StatusForbidden, accessDenied, name + " stands in the request twice, with different values"}
}

// authenticate finds out who asks, and gives him the time that it may take, or
// says why he is refused.
func (c *call) authenticate() error {
	id, err := one(c.params, "accessTokenId")
	switch {
	case err != nil:
		return err
	case id == "":
		return errNoParam
	}
	c.credential = id
	c.by, err = c.Caller(id)
	switch {
	case err == nil:
		c.AllowTime()
		return nil
	case domain.CodeOf(err) != domain.CodeUnauthorized:
		return err
	}
	a, err := c.Service.Introspect(c.Operator(), id, domain.TokenNeed("ReadTokenConfig", ""), c.From)
	switch {
	case err != nil:
		return err
	case a.Verdict == domain.HasExpired && a.Token.Origin == Origin && a.Token.ExpiresAt != 0:
		return expired(id, a.Token)
	}
	return notFound(http.StatusForbidden, accessDenied, id)
}

// may refuses who may not do that with all tokens of the account.
func (c *call) may(actions ...string) error {
	for _, a := range actions {
		if !c.by.Authority.May(c.account, domain.TokenNeed(a, "")) {
			return denied(c.does)
		}
	}
	return nil
}
