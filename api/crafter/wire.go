package crafter

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"hallpass/domain"
)

// Token is an access token as the platform's clients know it, with these
// properties in this order and no others.
type Token struct {
	Application       string       `json:"application"`
	Master            bool         `json:"master"`
	TenantPermissions []Permission `json:"tenantPermissions"`
	ExpiresOn         *int64       `json:"expiresOn"` // ms since the epoch; nil: never
	ID                *string      `json:"id"`        // the secret; nil: to be chosen, or can't be shown
}

// Permission is what may be done on one tenant, or with "*" on any.
type Permission struct {
	AllowedActions []string `json:"allowedActions"`
	Tenant         string   `json:"tenant"`
}

// Parse reads a token as clients send it, which an export of tokens has too.
// Errors have the codes bad_json and invalid, and repeat nothing of the input.
func Parse(body []byte) (Token, error) {
	t := Token{TenantPermissions: []Permission{}}
	err := readObject(body, map[string]func([]byte) error{
		"application": func(raw []byte) error {
			return readInto(raw, &t.Application, "/application", "application is a string")
		},
		"master": optional(func(raw []byte) error {
			return readInto(raw, &t.Master, "/master", "master is true or false")
		}),
		"tenantPermissions": optional(func(raw []byte) (err error) {
			t.TenantPermissions, err = readPermissions(raw)
			return err
		}),
		"expiresOn": optional(func(raw []byte) (err error) {
			t.ExpiresOn, err = readExpiry(raw)
			return err
		}),
		"id": optional(func(raw []byte) error {
			t.ID = new(string)
			return readInto(raw, t.ID, "/id", "id is a string")
		}),
	})
	switch {
	case err != nil:
		return Token{}, err
	case t.Application == "":
		return Token{}, domain.Invalid("/application", "application is required")
	case t.ID != nil && *t.ID == "":
		return Token{}, domain.Invalid("/id", "an id is not empty; leave it out to have one made")
	}
	return t, nil
}

func readPermissions(raw []byte) ([]Permission, error) {
	items, err := readArray(raw, "/tenantPermissions", "tenantPermissions is an array")
	if err != nil {
		return nil, err
	}
	out := make([]Permission, len(items))
	for i, item := range items {
		p := &out[i]
		p.Tenant = anyName
		err := readObject(item, map[string]func([]byte) error{
			"tenant": func(raw []byte) error {
				return readInto(raw, &p.Tenant, "/tenantPermissions/tenant", "a tenant is a string")
			},
			"allowedActions": func(raw []byte) (err error) {
				p.AllowedActions, err = readActions(raw)
				return err
			},
		})
		if err != nil {
			return nil, err
		}
		if p.AllowedActions == nil {
			return nil, errActions
		}
	}
	return out, nil
}

var errActions = domain.Invalid("/tenantPermissions/allowedActions", "allowedActions is an array of strings")

// readActions takes null, which the platform's Java client sends for a permission
// without actions, as an empty array.
func readActions(raw []byte) ([]string, error) {
	if string(raw) == "null" {
		return []string{}, nil
	}
	items, err := readArray(raw, errActions.Fields[0].Pointer, errActions.Detail)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, item := range items {
		if err := readInto(item, &out[i], errActions.Fields[0].Pointer, errActions.Detail); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// The forms of expiresOn beside milliseconds. Without a zone it is UTC.
var dates = []string{
	time.DateOnly,
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04",
	"Mon, 2 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 UTC", "Mon, 2 Jan 2006 15:04:05 -0700",
}

// readExpiry reads when a token ends.
func readExpiry(raw []byte) (*int64, error) {
	bad := domain.Invalid("/expiresOn", "expiresOn is a whole number of milliseconds since 1970, or a date of the years 1 to 9999 as in 2030-01-31, 2030-01-31T12:00:00Z or Thu, 31 Jan 2030 12:00:00 GMT")
	var ms int64
	if err := json.Unmarshal(raw, &ms); err != nil {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return nil, bad
		}
		var at time.Time
		for _, layout := range dates {
			if at, err = time.Parse(layout, text); err == nil {
				break
			}
		}
		if err != nil {
			return nil, bad
		}
		ms = at.UnixMilli()
	}
	if year := time.UnixMilli(ms).UTC().Year(); year < 1 || year > 9999 {
		return nil, bad
	}
	if ms == 0 {
		ms = 1 // natively, 0 is never
	}
	return &ms, nil
}

func optional(read func([]byte) error) func([]byte) error {
	return func(raw []byte) error {
		if string(raw) == "null" {
			return nil
		}
		return read(raw)
	}
}

func readInto(raw []byte, into any, pointer, want string) error {
	if string(raw) == "null" || json.Unmarshal(raw, into) != nil {
		return domain.Invalid(pointer, "%s", want)
	}
	return nil
}

func readArray(raw []byte, pointer, want string) ([]json.RawMessage, error) {
	items := []json.RawMessage{}
	return items, readInto(raw, &items, pointer, want)
}

// readObject reads a JSON object whose properties are those of take, spelt like
// that, each once at most.
func readObject(raw []byte, take map[string]func([]byte) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errBadJSON
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return errBadJSON
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return errBadJSON
		}
		switch {
		case take[name] == nil:
			return domain.Errorf("bad_json", "there is a property that is not known: a token has application, master, tenantPermissions, expiresOn and id, and each of tenantPermissions has allowedActions and tenant")
		case seen[name]:
			return domain.Errorf("bad_json", "a property stands twice in one object")
		}
		seen[name] = true
		if err := take[name](value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errBadJSON
	}
	if _, err := dec.Token(); err != io.EOF {
		return errBadJSON
	}
	return nil
}

var errBadJSON = domain.Errorf("bad_json", "send an access token as a JSON object")
