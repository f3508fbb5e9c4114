package api

import (
	"encoding/json"
	"reflect"
	"slices"

	"hallpass/api/wire"
	"hallpass/domain"
)

// mergePatch fills cmd with what the JSON merge patch (RFC 7396) changes in t:
// objects merge, lists are replaced, null takes a field or a tag away. Fields
// that can't be changed are ignored where they say what is already so, and
// refused otherwise.
func mergePatch(patch value, t *domain.Token, cmd *domain.EditToken) error {
	var b binder
	if !b.is(patch, object, "") {
		return b.err()
	}
	now := wireToken(t)
	for _, m := range patch.members {
		if b.more {
			break
		}
		at := pointerTo("", m.name)
		switch m.name {
		case "name":
			cmd.Name = b.patchText(m.value, at)
		case "description":
			cmd.Description = b.patchText(m.value, at)
		case "tags":
			tags := b.patchTags(m.value, now.Tags, at)
			cmd.Tags = &tags
		case "enabled":
			if b.is(m.value, boolean, at) {
				cmd.Enabled = &m.value.truth
			}
		case "not_before":
			cmd.NotBefore = b.patchTime(m.value, at)
		case "expires_at":
			cmd.ExpiresAt = b.patchTime(m.value, at)
		case "permissions":
			cmd.Permissions = b.patchPermissions(m.value, now.Permissions, at)
		case "conditions":
			cmd.Conditions = b.patchConditions(m.value, now.Conditions, at)
		case "last_used": // as it was when it was read
		default:
			b.readOnly(m, reflect.ValueOf(now), at, "a token", "conditions, description, enabled, expires_at, name, not_before, permissions, tags")
		}
	}
	return b.err()
}

// patchText returns the new text; null takes it away.
func (b *binder) patchText(v value, at string) *string {
	if v.kind != null && !b.is(v, text, at) {
		return nil
	}
	return &v.text
}

func (b *binder) patchTime(v value, at string) *domain.Instant {
	var i domain.Instant
	if v.kind == null {
		return &i
	}
	if !b.is(v, text, at) {
		return nil
	}
	t, why := parseTime(v.text)
	if why != "" {
		b.fault(at, "%s", why)
	}
	i = domain.InstantOf(t)
	return &i
}

// patchTags merges v into tags, which it changes.
func (b *binder) patchTags(v value, tags map[string]string, at string) []domain.Tag {
	if v.kind == null {
		return nil
	}
	b.is(v, object, at)
	for _, m := range v.members {
		if b.more {
			break
		}
		switch {
		case m.value.kind == null:
			delete(tags, m.name)
		case b.is(m.value, text, pointerTo(at, m.name)):
			tags[m.name] = m.value.text
		}
	}
	return tagsOf(tags)
}

func (b *binder) patchPermissions(v value, p wire.Permissions, at string) *domain.Permissions {
	if v.kind == null {
		p = wire.Permissions{}
	} else {
		for i, m := range v.members {
			if m.name == "mode" && m.value.kind == null {
				v.members = slices.Concat(v.members[:i], v.members[i+1:])
				p.Mode = ""
				break
			}
		}
		b.object(v, reflect.ValueOf(&p).Elem(), at)
	}
	out := permissionsOf(b, p, at)
	return &out
}

// readOnly refuses a field of what is now, an object of api/wire, that can't be
// changed, unless it says what is so.
func (b *binder) readOnly(m member, now reflect.Value, at, what, can string) {
	i, ok := fieldsOf(now.Type()).index[m.name]
	if !ok {
		b.fault(at, "is no field of %s that can be changed; there are %s", what, can)
		return
	}
	field := now.Field(i)
	if m.value.kind == null && field.Kind() == reflect.String && field.Len() == 0 { // it is left out of answers
		return
	}
	shown, _ := json.Marshal(field.Interface())
	is, err := parseJSON(shown)
	if err != nil {
		panic(err) // what Marshal wrote, parseJSON reads
	}
	if !is.equal(m.value) {
		b.fault(at, "can't be changed")
	}
}

// equal compares two values without parts, as all fields are that can't be
// changed. Times that are the same instant are equal however they are written.
func (v value) equal(w value) bool {
	if v.kind != w.kind || v.truth != w.truth {
		return false
	}
	if v.text == w.text {
		return v.kind != array && v.kind != object
	}
	a, bad := parseTime(v.text)
	b, worse := parseTime(w.text)
	return v.kind == text && bad == "" && worse == "" && a.Equal(b)
}
