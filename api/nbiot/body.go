package nbiot

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"hallpass/domain"
)

// change is what a client sends of a token; nil: it says nothing of that, or
// null. Whatever else there is, the token's secret included, is not looked at.
type change struct {
	resource *domain.Pattern
	write    *bool
	tags     map[string]string // by folded key; "" removes
}

func readChange(body []byte) (change, error) {
	var c change
	in, err := object(body, func(name string) (string, error) { return strings.ToLower(name), nil })
	if err != nil {
		return c, err
	}
	if raw, ok := in["resource"]; ok && string(raw) != "null" {
		text, ok := textOf(raw)
		if !ok {
			return c, domain.Invalid("/resource", "resource is a string")
		}
		r, err := patternOf(text)
		if err != nil {
			return c, err
		}
		c.resource = &r
	}
	if raw, ok := in["write"]; ok && string(raw) != "null" {
		yes := string(raw) == "true"
		if !yes && string(raw) != "false" {
			return c, domain.Invalid("/write", "write is true or false")
		}
		c.write = &yes
	}
	if raw, ok := in["tags"]; ok && string(raw) != "null" {
		c.tags, err = readTags(raw)
	}
	return c, err
}

// readTags reads tags by name, folded.
func readTags(body []byte) (map[string]string, error) {
	in, err := object(body, tagKey)
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(in))
	for key, raw := range in {
		value, ok := textOf(raw)
		if !ok {
			return nil, domain.Invalid("/tags", "the value of a tag is a string")
		}
		if key == "" {
			return nil, domain.Invalid("/tags", "a tag has a name")
		}
		tags[key] = value
	}
	return tags, nil
}

// native has the shape of a native secret.
var native = regexp.MustCompile(`hp_[0-9A-Za-z]{49}`)

// tagKey folds a tag's key. In lower case a native secret would be as good as
// told, and not be known as one any more.
func tagKey(name string) (string, error) {
	if native.MatchString(name) {
		return "", errHoldsSecret
	}
	return fold(name), nil
}

// object returns what a JSON object holds, by folded name. Its errors repeat
// nothing of the input.
func object(body []byte, fold func(string) (string, error)) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, domain.Errorf(codeBadJSON, "send a JSON object")
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errBadJSON
		}
		if name, err = fold(name); err != nil {
			return nil, err
		}
		if _, twice := members[name]; twice {
			return nil, domain.Errorf(codeBadJSON, "a name stands twice in one object; upper and lower case are the same")
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

var errBadJSON = domain.Errorf(codeBadJSON, "the body is not JSON")

// textOf returns the string that raw, which is valid JSON, stands for.
func textOf(raw json.RawMessage) (string, bool) {
	var s string
	ok := raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}
