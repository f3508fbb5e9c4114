package api

import (
	"strings"

	"hallpass/domain"
)

// authenticate finds out who asks, from the Authorization header alone, and
// what that caller may do now. Errors: those of bearer and of
// Service.Authenticate.
func (c *call) authenticate() error {
	secret, err := c.bearer()
	if err != nil {
		return err
	}
	by, err := c.h.svc.Authenticate(secret, c.from())
	if err != nil {
		return err
	}
	by.Request = c.id
	c.by = by
	c.used()
	return nil
}

// stands is authenticate for checks, which may be answered as stale ones: it
// says that the caller's token works, and nothing of what it may do.
func (c *call) stands() error {
	secret, err := c.bearer()
	if err != nil {
		return err
	}
	return c.h.svc.Stands(secret, c.from())
}

// bearer returns the credential of the Authorization header (RFC 6750 section
// 2.1). None, or one of another scheme, is no credential; two, or one that
// can't be read, is a malformed request, and so is one in the query, where
// logs would keep it.
func (c *call) bearer() (string, error) {
	if q := c.r.URL.RawQuery; q != "" && strings.Contains(q, "access_token") && c.r.URL.Query().Has("access_token") {
		return "", domain.Errorf(codeInvalidRequest, "a credential in the query is refused: send it as Authorization: Bearer")
	}
	given := c.r.Header["Authorization"]
	switch len(given) {
	case 0:
		return "", domain.Errorf(codeNoCredential, "send a token as Authorization: Bearer hp_…")
	case 1:
	default:
		return "", domain.Errorf(codeInvalidRequest, "there is more than one Authorization header")
	}
	scheme, secret, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", domain.Errorf(codeNoCredential, "send a token as Authorization: Bearer hp_…")
	}
	if secret = strings.Trim(secret, " "); !isB64Token(secret) {
		return "", domain.Errorf(codeInvalidRequest, "the Authorization header is not Bearer, a space, and one token")
	}
	return secret, nil
}

// isB64Token is RFC 6750's b64token: 1*( ALPHA / DIGIT / "-._~+/" ) *"=".
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
