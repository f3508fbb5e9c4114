package thinger

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"hallpass/domain"
)

// maxText bounds a name and a description, in characters.
const maxText = 255

// change is what a client sends of a token; nil: it says nothing of that.
type change struct {
	token       *string
	name        *string
	description *string
	enabled     *bool
	allow, deny *[]domain.Grant
	expire      *domain.Instant // 0: never

	texts []string // all that would be kept for ever
}

// answered are what answers hold beside what can be changed.
var answered = []string{"token", "created", "modified", "access_token"}

// readChange reads an object. Names in ignored may stand there, names that no
// token has may not: one could be a misspelt deny.
func readChange(body []byte, ignored ...string) (change, error) {
	var c change
	in, err := object(body)
	if err != nil {
		return c, err
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if slices.Contains(ignored, name) {
			continue
		}
		if err := c.take(name, in[name]); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *change) take(name string, raw json.RawMessage) (err error) {
	none := string(raw) == "null"
	switch name {
	case "token":
		c.token, err = c.text(raw, "/token")
	case "name":
		c.name, err = c.text(raw, "/name")
	case "description":
		if none {
			c.description = new(string)
			return nil
		}
		c.description, err = c.text(raw, "/description")
	case "enabled":
		yes := string(raw) == "true"
		if !yes && string(raw) != "false" {
			return domain.Invalid("/enabled", "enabled is true or false")
		}
		c.enabled = &yes
	case "allow":
		c.allow, err = c.grants(raw, "/allow")
	case "deny":
		c.deny, err = c.grants(raw, "/deny")
	case "expire":
		c.expire, err = instant(raw)
	default:
		return domain.Errorf(codeBadJSON, "a name in the body is none of token, name, description, enabled, allow, deny and expire")
	}
	return err
}

func (c *change) text(raw json.RawMessage, at string) (*string, error) {
	s, ok := textOf(raw)
	if !ok || utf8.RuneCountInString(s) > maxText {
		return nil, domain.Invalid(at, "%s is a string of at most %d characters", at[1:], maxText)
	}
	c.texts = append(c.texts, s)
	return &s, nil
}

// Bounds of a time.
const (
	firstMillis = 100_000_000_000                     // numbers from here on are milliseconds: of 1973; as seconds, of the year 5138
	lastMillis  = domain.Instant(253_402_300_799_999) // of the year 9999
)

var errExpire = domain.Invalid("/expire", "expire is the time in seconds or milliseconds since 1970, or as in 2030-01-02T03:04:05Z, or null for never")

// instant reads when a token expires; 0: never.
func instant(raw json.RawMessage) (*domain.Instant, error) {
	var at domain.Instant
	if string(raw) == "null" {
		return &at, nil
	}
	if s, ok := textOf(raw); ok {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, errExpire
		}
		at = domain.InstantOf(t)
	} else {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || n <= 0 {
			return nil, errExpire
		}
		if at = domain.Instant(n); n < firstMillis {
			at *= 1000
		}
	}
	if at <= 0 || at > lastMillis {
		return nil, errExpire
	}
	return &at, nil
}

// ids reads a list of token ids.
func ids(body []byte) ([]domain.TokenID, error) {
	wrong := domain.Invalid("", "send a JSON array of 1 to %d ids of tokens", maxCount)
	var list []json.RawMessage
	if len(bytes.TrimSpace(body)) == 0 || json.Unmarshal(body, &list) != nil || len(list) == 0 || len(list) > maxCount {
		return nil, wrong
	}
	out := make([]domain.TokenID, len(list))
	for i, raw := range list {
		s, _ := textOf(raw)
		id, err := domain.ParseTokenID(s)
		if err != nil {
			return nil, wrong
		}
		out[i] = id
	}
	return out, nil
}

var errBadJSON = domain.Errorf(codeBadJSON, "the body is not JSON, or not of the right form")

// object returns what a JSON object holds. Its errors repeat nothing of the input.
func object(body []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errBadJSON
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errBadJSON
		}
		if _, twice := members[name]; twice {
			return nil, domain.Errorf(codeBadJSON, "a name stands twice in one object")
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil, errBadJSON
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errBadJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errBadJSON
	}
	return members, nil
}

// textOf returns the string that raw, which is valid JSON, stands for.
func textOf(raw json.RawMessage) (string, bool) {
	var s string
	ok := len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}
