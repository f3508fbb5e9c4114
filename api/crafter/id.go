package crafter

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hallpass/api"
	"hallpass/domain"
)

// maxID bounds an id, in bytes: a path holds it.
const maxID = 512

// secretOf returns the id as a secret, or why it can't be one.
func (c *call) secretOf(id string, chosen bool) (domain.Secret, error) {
	if !chosen {
		return domain.ParseBearer(id)
	}
	secret, err := c.Service.ImportSecret(id)
	if err != nil {
		return secret, domain.Invalid("/id", "as an id, which is the credential, %s", detail(err))
	}
	if Published(id) && !c.Service.TakesWeakSecrets() {
		return secret, domain.Invalid("/id", "an id is the credential, and this one everybody knows: the platform ships it")
	}
	if why := badID(id); why != "" {
		return secret, domain.Invalid("/id", "an id %s", why)
	}
	return secret, nil
}

// badID says why no path could name the id.
func badID(id string) string {
	switch {
	case len(id) > maxID:
		return fmt.Sprintf("has at most %d characters", maxID)
	case strings.ContainsAny(id, `/\;?#%`):
		return `must not contain any of / \ ; ? # and %: it stands in paths`
	case strings.HasSuffix(id, ".json") || strings.Trim(id, ".") == "" || id == "all" || id == "create":
		return `must not end in .json, nor be "all", "create" or dots alone: it stands in paths`
	}
	return ""
}

// tellsSecret tells whether what is kept in clear holds an access token's id:
// that of the token itself, the caller's or any other's.
func (c *call) tellsSecret(in *Token) bool {
	own, callers := isStrong(*in.ID), isStrong(c.credential)
	texts := []string{in.Application}
	for _, p := range in.TenantPermissions {
		texts = append(append(texts, p.Tenant), p.AllowedActions...)
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		return own && strings.Contains(text, *in.ID) ||
			callers && strings.Contains(text, c.credential) || holdsSecret(c.Service, c.account, text)
	})
}

var errTellsSecret = domain.Invalid("", "application, tenants and actions must not hold the id of an access token: they are kept for ever")

var uuid = regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// holdsSecret tells whether the secret of a token, or what was one of the account
// and may be again, stands in the text: by itself, as a word or as a UUID in it.
// Those that could be guessed don't count: they are words like others.
func holdsSecret(s *api.Service, account domain.AccountID, text string) bool {
	for _, word := range slices.Concat([]string{text}, strings.Fields(text), uuid.FindAllString(text, -1)) {
		secret, err := domain.ImportSecret(word, false)
		if err != nil {
			continue
		}
		if _, ok := s.Holder(word); ok {
			return true
		}
		if _, err := s.Token(s.Operator(), account, s.DerivedID(secret)); err == nil {
			return true
		}
	}
	return false
}

func isStrong(text string) bool {
	_, err := domain.ImportSecret(text, false)
	return err == nil
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
