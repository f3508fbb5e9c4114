package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a resource, as written.
const (
	MaxResource = 512 // bytes
	MaxSegments = 16
)

// Resource is the normalised absolute path that a need names: "/" or
// "/device/thermo1". It holds no wildcard.
type Resource string

// Pattern is a normalised path that a grant names. It covers itself and all
// under it, on segment boundaries; a "*" segment covers any one segment; "/"
// covers everything.
type Pattern string

// ParseResource normalises s, or says with code "invalid" at pointer
// "/resource" what is wrong with it. Percent-escapes are decoded once; nothing
// else is repaired.
func ParseResource(s string) (Resource, error) {
	p, why := normalise(s)
	if why == "" && strings.Contains(p, "*") {
		why = `must not contain "*": a check asks about one resource`
	}
	if why != "" {
		return "", Invalid("/resource", "a resource %s", why)
	}
	return Resource(p), nil
}

// ParsePattern is ParseResource for the resource of a grant, where a whole
// segment may be "*".
func ParsePattern(s string) (Pattern, error) {
	p, why := parsePattern(s)
	if why != "" {
		return "", Invalid("/resource", "a resource %s", why)
	}
	return p, nil
}

func parsePattern(s string) (_ Pattern, why string) {
	p, why := normalise(s)
	if why == "" && strings.Contains(p, "*") {
		for seg := range strings.SplitSeq(p[1:], "/") {
			if seg != "*" && strings.Contains(seg, "*") {
				why = `may hold "*" only as a whole segment, as in /device/*/state`
			}
		}
	}
	return Pattern(p), why
}

// Matches tells whether the pattern covers r.
func (p Pattern) Matches(r Resource) bool {
	if p == "/" {
		return true
	}
	if strings.IndexByte(string(p), '*') < 0 {
		return len(r) >= len(p) && string(r[:len(p)]) == string(p) && (len(r) == len(p) || r[len(p)] == '/')
	}
	return covers(string(p), string(r))
}

// Covers tells whether everything that q covers, p covers too.
func (p Pattern) Covers(q Pattern) bool { return p == "/" || covers(string(p), string(q)) }

// Overlaps tells whether some resource is covered by both.
func (p Pattern) Overlaps(q Pattern) bool {
	if p == "/" || q == "/" {
		return true
	}
	a, b := string(p[1:]), string(q[1:])
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, "/")
		y, b, _ = strings.Cut(b, "/")
		if x != y && x != "*" && y != "*" {
			return false
		}
	}
	return true
}

// Type returns the first segment, which names a resource type of the
// catalogue; "" for "/".
func (p Pattern) Type() string {
	first, _, _ := strings.Cut(string(p[1:]), "/")
	return first
}

// covers compares segment by segment; a "*" of p stands for any segment of r,
// itself a "*" included.
func covers(p, r string) bool {
	p, r = p[1:], r[1:]
	for p != "" {
		if r == "" {
			return false
		}
		var x, y string
		x, p, _ = strings.Cut(p, "/")
		y, r, _ = strings.Cut(r, "/")
		if x != y && x != "*" {
			return false
		}
	}
	return true
}

// normalise returns the normal form of s, or why there is none.
func normalise(s string) (_, why string) {
	switch {
	case s == "":
		return "", "must not be empty; / is everything"
	case s[0] != '/':
		return "", "starts with /"
	case len(s) > MaxResource:
		return "", "has at most 512 bytes"
	case s == "/":
		return s, ""
	}
	if strings.IndexByte(s, '%') >= 0 {
		if s, why = unescape(s); why != "" {
			return "", why
		}
	}
	if why := badText(s); why != "" {
		return "", why
	}
	n := 0
	for seg := range strings.SplitSeq(s[1:], "/") {
		n++
		switch {
		case seg == "":
			return "", "must not have an empty segment, nor end in /"
		case seg == "." || seg == "..":
			return "", `must not have the segments "." and ".."`
		case seg[0] == ' ' || seg[len(seg)-1] == ' ':
			return "", "must not have a segment that starts or ends with a space"
		case n > MaxSegments:
			return "", "has at most 16 segments"
		}
	}
	return s, ""
}

// badText refuses what gateways and servers read in more than one way.
func badText(s string) string {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			ascii = false
		case c < ' ' || c == 0x7f:
			return "must not contain control characters"
		case c == '\\' || c == ';' || c == '?' || c == '#' || c == '%':
			return `must not contain any of \ ; ? # or an escaped %`
		}
	}
	if holdsSecret(s) {
		return "must not hold a secret"
	}
	if ascii {
		return ""
	}
	if !utf8.ValidString(s) {
		return "must be valid UTF-8"
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return "must not contain invisible characters"
		}
	}
	return ""
}

func unescape(s string) (_, why string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
			return "", "must not contain a % that two hex digits don't follow"
		}
		c := byte(unhex(s[i+1])<<4 | unhex(s[i+2]))
		if c == '/' || c == '\\' || c == '*' {
			return "", `must not contain an encoded slash, backslash or "*"`
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), ""
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
