package api

import (
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"

	"hallpass/projections"
)

// readSmall reads a body of exactly len(buf) bytes. whole is false when it did
// not come whole; what came is returned all the same.
func readSmall(r *http.Request, buf []byte) (_ []byte, whole bool) {
	n, err := io.ReadFull(r.Body, buf)
	return buf[:n], err == nil
}

// replay gives back what was read of a body, then the rest.
type replay struct {
	io.ReadCloser
	head  []byte
	whole bool // head is all there is
}

func (b *replay) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.whole {
		return 0, io.EOF
	}
	return b.ReadCloser.Read(p)
}

// flatCheck reads {"action":"…","resource":"…"}, in either order, of plain
// ASCII without escapes. Of anything else it says no: the general decoder
// then judges it. What it takes, the general decoder reads the same way.
func flatCheck(b []byte) (q Question, ok bool) {
	p := flat{b: b}
	p.space()
	if !p.take('{') {
		return q, false
	}
	for i := range 2 {
		if i == 1 && !p.take(',') {
			return q, false
		}
		name, ok := p.text()
		if !ok || !p.take(':') {
			return q, false
		}
		text, ok := p.text()
		if !ok || len(text) == 0 {
			return q, false
		}
		switch {
		case string(name) == "action" && q.Action == "":
			q.Action = string(text)
		case string(name) == "resource" && q.Resource == "":
			q.Resource = string(text)
		default:
			return q, false
		}
	}
	return q, p.take('}') && p.i == len(b)
}

// flat walks over JSON text, and over the white space after each thing it takes.
type flat struct {
	b []byte
	i int
}

func (p *flat) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *flat) take(c byte) bool {
	if p.i == len(p.b) || p.b[p.i] != c {
		return false
	}
	p.i++
	p.space()
	return true
}

// text takes a string of printable ASCII without escapes.
func (p *flat) text() ([]byte, bool) {
	if p.i == len(p.b) || p.b[p.i] != '"' {
		return nil, false
	}
	from := p.i + 1
	for i := from; i < len(p.b); i++ {
		switch c := p.b[i]; {
		case c == '"':
			p.i = i + 1
			p.space()
			return p.b[from:i], true
		case c < ' ' || c >= 0x7f || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// appendDecision appends a check's answer as JSON: the fields of
// wire.Decision, in that order.
func appendDecision(b []byte, a projections.Answer) []byte {
	b = append(b, `{"allowed":`...)
	b = strconv.AppendBool(b, a.Allowed())
	b = appendText(append(b, `,"code":`...), string(a.Verdict))
	b = appendText(append(b, `,"reason":`...), a.Verdict.Reason())
	b = append(b, `,"grant":`...)
	if g := a.Grant; g == nil {
		b = append(b, "null"...)
	} else {
		b = appendText(append(b, `{"resource":`...), string(g.Resource))
		b = append(b, `,"actions":[`...)
		for i, action := range g.Actions {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, string(action))
		}
		b = append(b, ']')
		if g.Unverified {
			b = append(b, `,"unverified":true`...)
		}
		b = append(b, '}')
	}
	var account, token string
	if a.Token != nil {
		account, token = string(a.Token.Account), string(a.Token.ID)
	}
	b = appendText(append(b, `,"account":`...), account)
	b = appendText(append(b, `,"token":`...), token)
	if a.Ancestor != "" {
		b = appendText(append(b, `,"ancestor":`...), string(a.Ancestor))
	}
	if len(a.Ancestors) > 0 {
		b = append(b, `,"ancestors":[`...)
		for i, id := range a.Ancestors {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, string(id))
		}
		b = append(b, ']')
	}
	b = append(b, `,"revision":`...)
	b = strconv.AppendUint(b, uint64(a.At), 10)
	if a.Stale > 0 {
		b = append(b, `,"stale":true`...)
		if ms := a.Stale.Milliseconds(); ms > 0 {
			b = strconv.AppendInt(append(b, `,"age_ms":`...), ms, 10)
		}
	}
	return append(b, '}')
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = utf8.AppendRune(b, r) // what isn't UTF-8 becomes U+FFFD
		}
		i += size
	}
	return append(b, '"')
}
