package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"hallpass/domain"
)

const (
	maxDepth  = 32     // bounds the nesting of a body; the deepest that has a meaning is 6
	maxValues = 20_000 // bounds the values in a body, however nested; the largest token holds some 17,500
)

// value is a JSON value that can be read in one way only: valid UTF-8, no
// name twice in an object, no lone surrogates, nothing after it.
type value struct {
	kind    kind
	text    string // of a string; digits of a number
	truth   bool
	items   []value
	members []member
}

type member struct {
	name  string
	value value
}

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

func (k kind) String() string {
	return [...]string{"null", "true or false", "a number", "a string", "a list", "an object"}[k]
}

// parseJSON reads one JSON value. Its error has code bad_json and repeats
// nothing of the input.
func parseJSON(body []byte) (value, error) {
	if !utf8.Valid(body) {
		return value{}, badJSON("the body is not valid UTF-8")
	}
	if loneSurrogate(body) {
		return value{}, badJSON(`the body holds half of a \u surrogate pair`)
	}
	p := jsonParser{dec: json.NewDecoder(bytes.NewReader(body))}
	p.dec.UseNumber()
	v, err := p.value(1)
	if err != nil {
		return value{}, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return value{}, badJSON("something stands after the JSON value, at byte %d", p.dec.InputOffset())
	}
	return v, nil
}

func badJSON(format string, args ...any) error {
	return domain.Errorf(codeBadJSON, format, args...)
}

type jsonParser struct {
	dec    *json.Decoder
	values int // seen so far
}

func (p *jsonParser) value(depth int) (value, error) {
	if p.values++; p.values > maxValues {
		return value{}, badJSON("the body holds more than %d values", maxValues)
	}
	tok, err := p.dec.Token()
	if err != nil {
		return value{}, p.syntax(err)
	}
	switch tok := tok.(type) {
	case nil:
		return value{kind: null}, nil
	case bool:
		return value{kind: boolean, truth: tok}, nil
	case json.Number:
		return value{kind: number, text: tok.String()}, nil
	case string:
		return value{kind: text, text: tok}, nil
	case json.Delim:
		if depth > maxDepth {
			return value{}, badJSON("the body nests deeper than %d levels", maxDepth)
		}
		if tok == '[' {
			return p.array(depth)
		}
		return p.object(depth)
	}
	return value{}, badJSON("the body is not JSON")
}

func (p *jsonParser) array(depth int) (value, error) {
	v := value{kind: array}
	for p.dec.More() {
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
	return v, p.end()
}

func (p *jsonParser) object(depth int) (value, error) {
	v := value{kind: object}
	seen := map[string]bool{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return v, p.syntax(err)
		}
		name, ok := tok.(string)
		if !ok {
			return v, badJSON("the body is not JSON: a name is missing at byte %d", p.dec.InputOffset())
		}
		if seen[name] {
			return v, badJSON("an object has the same name twice, at byte %d", p.dec.InputOffset())
		}
		seen[name] = true
		of, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.members = append(v.members, member{name, of})
	}
	return v, p.end()
}

func (p *jsonParser) end() error {
	if _, err := p.dec.Token(); err != nil {
		return p.syntax(err)
	}
	return nil
}

func (p *jsonParser) syntax(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badJSON("the body ends in the middle of the JSON value")
	}
	return badJSON("the body is not JSON: see byte %d", p.dec.InputOffset())
}

// loneSurrogate tells whether a \uD800 to \uDFFF escape stands without its
// other half: readers turn those into different things.
func loneSurrogate(b []byte) bool {
	for i := 0; i+1 < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if b[i+1] != 'u' {
			i++ // whatever is escaped, it is not the start of an escape
			continue
		}
		switch half := surrogate(b[i:]); {
		case half == 'h' && surrogate(b[min(i+6, len(b)):]) == 'l':
			i += 11
		case half != 0:
			return true
		}
	}
	return false
}

// surrogate returns 'h' or 'l' if b starts with the escape of a high or a low
// surrogate, else 0.
func surrogate(b []byte) byte {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' || b[2] != 'd' && b[2] != 'D' {
		return 0
	}
	switch c := b[3] | 0x20; {
	case b[3] == '8' || b[3] == '9' || c == 'a' || c == 'b':
		return 'h'
	case c >= 'c' && c <= 'f':
		return 'l'
	}
	return 0
}

// pointerTo appends a name to an RFC 6901 pointer. A name that could be a
// secret, being longer than any of the API's or holding the start of one, is
// not repeated.
func pointerTo(at, name string) string {
	if len(name) > 32 || strings.Contains(name, "hp_") {
		name = "…"
	}
	return at + "/" + escaper.Replace(name)
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

func itemOf(at string, i int) string { return fmt.Sprintf("%s/%d", at, i) }
