package domain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // for machines that have no time zones of their own
)

// Bounds of conditions.
const (
	MaxPrefixes = 128 // allow and deny together
	MaxZone     = 64  // bytes
	minutesADay = 24 * 60
)

// Conditions bound where a token works from, and when in the day. They are
// beside its permissions: they refuse whatever is asked.
type Conditions struct {
	Allow  []netip.Prefix // addresses it works from; empty: from all
	Deny   []netip.Prefix // addresses it never works from, allowed or not
	Window *Window        // nil: all day
}

// Window is a part of every day, from From until before To, in minutes since
// midnight in a time zone. It goes over midnight where To is not after From.
// On a day whose clocks change, it is what the clock on the wall says.
type Window struct {
	From, To uint16
	Zone     string // of the IANA database: "Europe/Zurich", "UTC"
	place    *time.Location
}

// NewWindow returns the window; an unknown zone makes one that is never open,
// which Known tells.
func NewWindow(from, to uint16, zone string) Window {
	return Window{From: from, To: to, Zone: zone, place: placeOf(zone)}
}

// placeOf returns the zone of that name; nil if there is none here.
func placeOf(zone string) *time.Location {
	area, _, _ := strings.Cut(zone, "/")
	if len(zone) > MaxZone || !slices.Contains(areas, area) {
		return nil
	}
	if l, ok := places.Load(zone); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return nil
	}
	places.Store(zone, l)
	return l
}

// areas are what names of zones begin with. Others stand for files that each
// machine has of its own, like "localtime".
var areas = []string{
	"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific", "Etc", "UTC",
}

// places holds the zones that were asked for and that there are, by name: one
// of each, whatever the number of windows.
var places sync.Map

// Known tells whether the zone is one that this machine knows.
func (w *Window) Known() bool { return w.place != nil }

// open tells whether now lies in the window.
func (w *Window) open(now Instant) bool {
	if w.place == nil {
		return false
	}
	hour, minute, _ := time.UnixMilli(int64(now)).In(w.place).Clock()
	at := uint16(hour*60 + minute)
	if w.From < w.To {
		return w.From <= at && at < w.To
	}
	return w.From <= at || at < w.To
}

// covers tells whether v is never open when w isn't.
func (w *Window) covers(v *Window) bool {
	if w.Zone != v.Zone {
		return false
	}
	length := func(x *Window) int { return (int(x.To) - int(x.From) + minutesADay - 1) % minutesADay } // 0 stands for one minute
	after := (int(v.From) - int(w.From) + minutesADay) % minutesADay
	return after+length(v) <= length(w)
}

// IsZero tells whether there are no conditions.
func (c *Conditions) IsZero() bool {
	return c == nil || len(c.Allow) == 0 && len(c.Deny) == 0 && c.Window == nil
}

// judge tells whether the conditions let the use pass: Granted, or why not.
// Where addresses matter and there is none, it refuses.
func (c *Conditions) judge(at *Circumstances) Verdict {
	if len(c.Allow)+len(c.Deny) > 0 {
		from := plainAddress(at.From)
		if !from.IsValid() || within(c.Deny, from) || len(c.Allow) > 0 && !within(c.Allow, from) {
			return WrongAddress
		}
	}
	if c.Window != nil && !c.Window.open(at.Now) {
		return OutsideHours
	}
	return Granted
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for i := range list {
		if list[i].Contains(a) {
			return true
		}
	}
	return false
}

// plainAddress is a without a zone, and as IPv4 where it is a mapped one.
func plainAddress(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// covers tells whether whatever d lets pass, c lets pass too.
func (c *Conditions) covers(d *Conditions) bool {
	if c.IsZero() {
		return true
	}
	if d == nil {
		d = &Conditions{}
	}
	if len(c.Allow) > 0 && (len(d.Allow) == 0 || !allWithin(c.Allow, d.Allow)) {
		return false
	}
	for _, p := range c.Deny {
		if !prefixWithin(d.Deny, p) && (len(d.Allow) == 0 || slices.ContainsFunc(d.Allow, p.Overlaps)) {
			return false
		}
	}
	return c.Window == nil || d.Window != nil && c.Window.covers(d.Window)
}

func allWithin(list, of []netip.Prefix) bool {
	return !slices.ContainsFunc(of, func(p netip.Prefix) bool { return !prefixWithin(list, p) })
}

func prefixWithin(list []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(list, func(l netip.Prefix) bool { return l.Bits() <= p.Bits() && l.Contains(p.Addr()) })
}

func (c *Conditions) equal(d *Conditions) bool {
	if c.IsZero() || d.IsZero() {
		return c.IsZero() && d.IsZero()
	}
	sameWindow := c.Window == nil && d.Window == nil ||
		c.Window != nil && d.Window != nil && c.Window.From == d.Window.From && c.Window.To == d.Window.To && c.Window.Zone == d.Window.Zone
	return sameWindow && slices.Equal(c.Allow, d.Allow) && slices.Equal(c.Deny, d.Deny)
}

// normalConditions returns c with its prefixes masked, unmapped, sorted and
// each once; nil where there are none. It adds what is wrong to f.
func normalConditions(f *faults, c *Conditions) *Conditions {
	if c.IsZero() {
		return nil
	}
	if len(c.Allow)+len(c.Deny) > MaxPrefixes {
		f.add("/conditions", "a token has at most %d prefixes, allow and deny together", MaxPrefixes)
		return nil
	}
	n := &Conditions{
		Allow: normalPrefixes(f, "/conditions/allow", c.Allow),
		Deny:  normalPrefixes(f, "/conditions/deny", c.Deny),
	}
	if c.Window != nil {
		w := NewWindow(c.Window.From, c.Window.To, c.Window.Zone)
		switch {
		case w.From >= minutesADay || w.To >= minutesADay || w.From == w.To:
			f.add("/conditions/window", `goes from one minute of the day, "00:00" to "23:59", until before another one`)
		case !w.Known():
			f.add("/conditions/window/zone", `is no time zone of the IANA database, like "Europe/Zurich" or "UTC"`)
		}
		n.Window = &w
	}
	return n
}

func normalPrefixes(f *faults, at string, list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		q, ok := plainPrefix(p)
		if !ok {
			f.add(at, "holds something that is no prefix of addresses, like 10.0.0.0/8 or 2001:db8::/32")
			return nil
		}
		out = append(out, q)
	}
	slices.SortFunc(out, comparePrefixes)
	return slices.Compact(out)
}

// plainPrefix is p masked, without a zone, and as one of IPv4 where it is of
// mapped addresses alone. A shorter one, like ::/0, is of IPv6 alone: addresses
// are compared unmapped.
func plainPrefix(p netip.Prefix) (netip.Prefix, bool) {
	if !p.IsValid() {
		return p, false
	}
	a, bits := p.Addr().WithZone(""), p.Bits()
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// ParsePrefix reads "10.0.0.0/8", or a single address as the prefix of it
// alone. Its error has code "invalid" at that pointer, and does not repeat s.
func ParsePrefix(s, pointer string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		if a, err := netip.ParseAddr(s); err == nil {
			a = plainAddress(a)
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		if p, ok := plainPrefix(p); ok {
			return p, nil
		}
	}
	return netip.Prefix{}, Invalid(pointer, "is an address or a prefix of addresses, like 10.0.0.0/8 or 2001:db8::/32")
}

// Clock writes a minute of the day as "15:04".
func Clock(minute uint16) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// ParseClock reads what Clock wrote; false if s is no minute of the day.
func ParseClock(s string) (uint16, bool) {
	t, err := time.Parse("15:04", s)
	return uint16(t.Hour()*60 + t.Minute()), err == nil && len(s) == len("15:04")
}
