package api

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"hallpass/domain"
)

var (
	errNoRoute   = domain.Errorf(domain.CodeNotFound, "nothing is served at this path; /docs lists what is")
	errMethod    = domain.Errorf(codeNotAllowed, "this path does not take this method; Allow lists those it does")
	errNoIfMatch = domain.Errorf(codeBadHeader, "If-Match is for changes to a token")
	errInternal  = domain.Errorf(domain.CodeInternal, "something went wrong here; the request id finds it in the log")
)

func errBadPath(why string) error { return domain.Errorf(codeBadPath, "%s", why) }

func detailOf(err error) string {
	var e *domain.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	return err.Error()
}

// requestIDs names requests: a random prefix of this process and a count.
type requestIDs struct {
	prefix string
	count  *atomic.Uint64
}

func newRequestIDs() requestIDs {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails
	prefix := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return requestIDs{prefix: prefix + "-", count: new(atomic.Uint64)}
}

// of returns the X-Request-ID that r brings if it is fit to stand in events
// and logs, else a new one.
func (ids requestIDs) of(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && fitRequestID(given[0]) {
		return given[0]
	}
	var b [32]byte
	return string(strconv.AppendUint(append(b[:0], ids.prefix...), ids.count.Add(1), 36))
}

// fitRequestID tells whether s is 1 to 128 letters, digits and -_.:/+=@, and
// has nowhere in it the shape of a secret: a native one's, a JWT's or that of 64
// hex digits. UUIDs are fit though secrets of other systems may be some: they are
// what proxies name requests by, and none would be left to find in both logs. A
// dialect whose secrets are UUIDs looks for those it knows.
func fitRequestID(s string) bool {
	if s == "" || len(s) > 128 || strings.Contains(s, "hp_") || strings.Contains(s, "eyJ") {
		return false
	}
	run := 0 // of hex digits, up to here
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			if run++; run == 64 {
				return false
			}
		case 'G' <= c && c <= 'Z', 'g' <= c && c <= 'z', strings.IndexByte("-_.:/+=@", c) >= 0:
			run = 0
		default:
			return false
		}
	}
	return true
}

const maxPath = 2 << 10 // bytes, as sent

// badPath says why r's path may be read in two ways, or "". It looks at the
// path as it was sent: what the mux would clean or redirect ends here.
func badPath(r *http.Request) string {
	raw := r.RequestURI
	if raw == "" || raw[0] != '/' {
		raw = r.URL.EscapedPath() // absolute form
	}
	raw, _, _ = strings.Cut(raw, "?")
	if raw == "" || raw[0] != '/' {
		return "a path starts with /"
	}
	if len(raw) > maxPath {
		return "a path has at most 2 KiB"
	}
	escaped := false
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '/':
			if why := badSegment(raw[i+1:]); why != "" && i+1 < len(raw) {
				return why
			}
		case c == '%':
			escaped = true
		case c <= ' ' || c >= 0x7f || c == '\\' || c == ';' || c == '#':
			return `a path must not contain spaces, control characters, or any of \ ; #`
		}
	}
	if escaped {
		return badEscapes(raw)
	}
	return ""
}

// badSegment looks at what follows a slash.
func badSegment(rest string) string {
	if rest == "" || rest[0] != '/' && rest[0] != '.' {
		return ""
	}
	seg, _, _ := strings.Cut(rest, "/")
	switch seg {
	case "":
		return "a path must not have empty segments"
	case ".", "..":
		return `a path must not have the segments "." and ".."`
	}
	return ""
}

func badEscapes(raw string) string {
	text := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			text = append(text, raw[i])
			continue
		}
		if i+2 >= len(raw) {
			return "a path must not contain a % that two hex digits don't follow"
		}
		n, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
		if err != nil {
			return "a path must not contain a % that two hex digits don't follow"
		}
		if b := byte(n); b < ' ' || b == 0x7f || strings.IndexByte(`/\.%;?#`, b) >= 0 {
			return `a path must not contain control characters, slashes, backslashes, dots or any of % ; ? # in encoded form`
		}
		text = append(text, byte(n))
		i += 2
	}
	if !utf8.Valid(text) {
		return "a path must be valid UTF-8"
	}
	return ""
}
