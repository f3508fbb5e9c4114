package client

import (
	"errors"
	"strings"
)

// What Bearer may answer.
var (
	ErrNoBearer  = errors.New("send a token as Authorization: Bearer hp_…")
	ErrBadBearer = errors.New("the credential is not one Authorization header with Bearer, a space, and one token")
)

// Bearer returns the credential in the values of an Authorization header, or
// of gRPC's metadata of that name (RFC 6750 section 2.1). None, or one of
// another scheme, is ErrNoBearer; two, or one that can't be read, ErrBadBearer.
func Bearer(values []string) (Secret, error) {
	switch len(values) {
	case 0:
		return "", ErrNoBearer
	case 1:
	default:
		return "", ErrBadBearer
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoBearer
	}
	s := Secret(strings.Trim(token, " "))
	if !s.wellFormed() {
		return "", ErrBadBearer
	}
	return s, nil
}

// wellFormed tells whether s is RFC 6750's b64token, which alone may stand in
// a header: 1*( ALPHA / DIGIT / "-._~+/" ) *"=".
func (s Secret) wellFormed() bool {
	text := strings.TrimRight(string(s), "=")
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}
