package crafter

import (
	"mime"
	"net/http"
	"net/url"
	"slices"

	"hallpass/domain"
)

// params returns the parameters of the query, and of the body if it is an
// urlencoded one and may be.
func (c *call) params(inBody bool) (url.Values, error) {
	params, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return nil, errQuery
	}
	kind, _, _ := mime.ParseMediaType(c.Request.Header.Get("Content-Type"))
	if !inBody || kind != "application/x-www-form-urlencoded" || c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
		return params, nil
	}
	body, err := c.Body()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errQuery
	}
	for name, values := range form {
		params[name] = append(params[name], values...)
	}
	return params, nil
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

// authenticate finds out who asks, or why he is refused.
func (c *call) authenticate(params url.Values) error {
	id, err := one(params, "accessTokenId")
	switch {
	case err != nil:
		return err
	case id == "":
		return errNoParam
	}
	c.credential = id
	c.by, err = c.Caller(id)
	if domain.CodeOf(err) != domain.CodeUnauthorized {
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
