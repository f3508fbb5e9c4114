package api

import (
	"net/netip"
	"reflect"
	"strconv"

	"hallpass/api/wire"
	"hallpass/domain"
)

func wireConditions(c *domain.Conditions) *wire.Conditions {
	if c.IsZero() {
		return nil
	}
	out := &wire.Conditions{Allow: wirePrefixes(c.Allow), Deny: wirePrefixes(c.Deny)}
	if w := c.Window; w != nil {
		out.Window = &wire.Window{From: domain.Clock(w.From), To: domain.Clock(w.To), Zone: w.Zone}
	}
	return out
}

// wirePrefixes writes the prefix of one address as that address.
func wirePrefixes(list []netip.Prefix) (out []string) {
	for _, p := range list {
		if p.IsSingleIP() {
			out = append(out, p.Addr().String())
		} else {
			out = append(out, p.String())
		}
	}
	return out
}

// conditionsOf is c as the domain takes it; nil for none.
func conditionsOf(b *binder, c *wire.Conditions, at string) *domain.Conditions {
	if c == nil {
		return nil
	}
	out := &domain.Conditions{Allow: b.prefixes(c.Allow, at+"/allow"), Deny: b.prefixes(c.Deny, at+"/deny")}
	if w := c.Window; w != nil {
		window := domain.NewWindow(b.clock(w.From, at+"/window/from"), b.clock(w.To, at+"/window/to"), w.Zone)
		out.Window = &window
	}
	return out
}

func (b *binder) prefixes(list []string, at string) (out []netip.Prefix) {
	if len(list) > domain.MaxPrefixes {
		b.fault(at, "holds at most %d addresses and prefixes", domain.MaxPrefixes)
		return nil
	}
	for i, s := range list {
		p, err := domain.ParsePrefix(s, itemOf(at, i))
		if err != nil {
			b.nested("", err)
			continue
		}
		out = append(out, p)
	}
	return out
}

// clock reads "15:04" as minutes since midnight.
func (b *binder) clock(s, at string) uint16 {
	if len(s) == len("15:04") && s[2] == ':' {
		hour, err := strconv.ParseUint(s[:2], 10, 8)
		minute, err2 := strconv.ParseUint(s[3:], 10, 8)
		if err == nil && err2 == nil && hour < 24 && minute < 60 {
			return uint16(hour*60 + minute)
		}
	}
	b.fault(at, `is a time of the day, "00:00" to "23:59"`)
	return 0
}

// patchConditions merges v into c. What it returns is never nil: the empty ones
// take all away.
func (b *binder) patchConditions(v value, c *wire.Conditions, at string) *domain.Conditions {
	var merged wire.Conditions
	switch {
	case v.kind == null:
		return &domain.Conditions{}
	case c != nil:
		merged = *c
	}
	if !b.is(v, object, at) {
		return &domain.Conditions{}
	}
	for _, m := range v.members {
		if m.name == "window" && m.value.kind == object && merged.Window != nil {
			window := *merged.Window
			b.object(m.value, reflect.ValueOf(&window).Elem(), pointerTo(at, m.name))
			merged.Window = &window
			continue
		}
		b.object(value{kind: object, members: []member{m}}, reflect.ValueOf(&merged).Elem(), at)
	}
	return conditionsOf(b, &merged, at)
}
