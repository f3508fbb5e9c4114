package domain

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"time"
)

// EventName returns an event's type without its version: "token.issued" for
// "token.issued.1".
func EventName(typ string) string {
	if i := strings.LastIndexByte(typ, '.'); i > 0 && strings.Trim(typ[i+1:], "0123456789") == "" {
		return typ[:i]
	}
	return typ
}

// Change returns the event's own fields, for people and for encoding/json, by
// the keys of the native API. An edit has the changed fields only. Times are
// RFC 3339 in UTC, nil where there is none; a digest is cut short, as its
// String is, since the whole would tell whether a guessed secret is right.
func (f *Fact) Change() map[string]any {
	c := map[string]any{}
	switch e := f.Event.(type) {
	case Genesis:
		c["stream"] = hex.EncodeToString(e.Stream[:])
	case AccountOpened:
		c["name"] = e.Name
		if e.ManagedBy != AnyToken {
			c["tokens_managed_by"] = e.ManagedBy.String()
		}
	case AccountEdited:
		addView(c, "name", e.Name, same)
		addView(c, "tokens_managed_by", e.ManagedBy, Managers.String)
	case AccountSuspended:
		addReason(c, e.Reason)
	case AccountClosed:
		addReason(c, e.Reason)
	case TokenIssued:
		c["generation"] = e.Generation
		c["name"] = e.Name
		c["description"] = e.Description
		c["tags"] = tagsView(e.Tags)
		c["enabled"] = e.Enabled
		c["kind"] = e.Kind.String()
		c["immutable"] = e.Immutable
		c["not_before"] = instantView(e.NotBefore)
		c["expires_at"] = instantView(e.ExpiresAt)
		c["permissions"] = permissionsView(e.Permissions)
		c["digest"] = e.Digest.String()
		addExtras(c, &e)
	case TokenEdited:
		addView(c, "name", e.Name, same)
		addView(c, "description", e.Description, same)
		addView(c, "tags", e.Tags, tagsView)
		addView(c, "enabled", e.Enabled, same)
		addView(c, "not_before", e.NotBefore, instantView)
		addView(c, "expires_at", e.ExpiresAt, instantView)
		addView(c, "permissions", e.Permissions, permissionsView)
		addView(c, "conditions", e.Conditions, conditionsView)
		if e.Permissions != nil || e.Conditions != nil {
			c["narrows"] = e.Narrows
		}
	case TokenRotated:
		c["digest"] = e.Digest.String()
		c["previous_until"] = instantView(e.PreviousUntil)
		if e.Retires {
			c["retire_on_first_use"] = true
		}
		addSealed(c, e.Sealed)
	case TokenRevoked:
		addReason(c, e.Reason)
		if !e.Bulk.IsZero() {
			c["bulk"] = e.Bulk.String()
		}
	case TokenRetired:
		c["digest"] = e.Digest.String()
	case TokenRevealed:
		c["digest"] = e.Digest.String()
	case TokenResealed:
		c["digest"] = e.Digest.String()
		addSealed(c, &e.Sealed)
	case TokenExpiring:
		c["days"] = e.Notice.Days()
	case TypeDefined:
		c["type"] = e.Def.Name
		c["description"] = e.Def.Description
		c["actions"] = actionsView(e.Def.Actions)
	case TypeRemoved:
		c["type"] = e.Name
	case NodeJoined:
		c["name"] = string(e.Name)
		c["incarnation"] = e.Incarnation.String()
		c["key"] = hex.EncodeToString(e.Key[:])
		c["reads"] = e.Reads
	case NodeLeft:
		c["name"] = string(e.Name)
		c["incarnation"] = e.Incarnation.String()
	case Checkpoint:
		c["size"] = e.Size
		c["root"] = hex.EncodeToString(e.Root[:])
		c["seen"] = seenView(e.Seen)
	case AccountResumed, TokenEnabled, TokenDisabled:
	}
	return c
}

func addExtras(c map[string]any, e *TokenIssued) {
	if e.Parent != nil {
		c["parent"] = string(e.Parent.Token)
		c["parent_generation"] = e.Parent.Generation
	}
	addView(c, "conditions", e.Conditions, conditionsView)
	addSealed(c, e.Sealed)
	if e.Origin != "" {
		c["origin"] = e.Origin
	}
	if e.Imported {
		c["imported"] = true
	}
	if e.Wider {
		c["wider"] = true
	}
}

// addSealed says which key a secret is kept under.
func addSealed(c map[string]any, s *Sealed) {
	if s != nil {
		c["sealed_with"] = string(s.Key)
	}
}

func conditionsView(d Conditions) map[string]any {
	prefixes := func(list []netip.Prefix) []string {
		view := make([]string, len(list))
		for i, p := range list {
			view[i] = p.String()
		}
		return view
	}
	c := map[string]any{"allow": prefixes(d.Allow), "deny": prefixes(d.Deny), "window": nil}
	if w := d.Window; w != nil {
		c["window"] = map[string]string{"from": Clock(w.From), "to": Clock(w.To), "zone": w.Zone}
	}
	return c
}

func actionsView(actions []ActionDef) []map[string]string {
	view := make([]map[string]string, len(actions))
	for i, a := range actions {
		view[i] = map[string]string{"name": a.Name, "level": a.Level.String(), "description": a.Description}
	}
	return view
}

// addView adds view(*v) under key, unless v is nil.
func addView[T, V any](c map[string]any, key string, v *T, view func(T) V) {
	if v != nil {
		c[key] = view(*v)
	}
}

func same[T any](v T) T { return v }

func addReason(c map[string]any, r Reason) {
	c["reason"] = string(r.Code)
	if r.Text != "" {
		c["reason_text"] = r.Text
	}
}

func instantView(i Instant) any {
	if i == 0 {
		return nil
	}
	return i.Time().Format(time.RFC3339Nano)
}

func tagsView(tags []Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func permissionsView(p Permissions) map[string]any {
	return map[string]any{
		"mode":  p.Mode.String(),
		"allow": grantsView(p.Allow),
		"deny":  grantsView(p.Deny),
	}
}

func grantsView(grants []Grant) []map[string]any {
	view := make([]map[string]any, len(grants))
	for i, g := range grants {
		actions := make([]string, len(g.Actions))
		for j, a := range g.Actions {
			actions[j] = string(a)
		}
		view[i] = map[string]any{"resource": string(g.Resource), "actions": actions}
		if g.Unverified {
			view[i]["unverified"] = true
		}
	}
	return view
}

func seenView(seen []Sighting) []map[string]string {
	view := make([]map[string]string, len(seen))
	for i, s := range seen {
		view[i] = map[string]string{"replica": s.Replica, "by": s.By.String()}
	}
	return view
}
