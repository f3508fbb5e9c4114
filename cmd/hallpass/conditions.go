package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/wire"
)

// conditions is the flags that bound where a token works from, and when.
type conditions struct {
	allow, deny []string
	hours       hours
}

func (f *conditions) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.allow, "allow-from", nil, "an address or prefix that it works from, as 192.0.2.7 or 10.0.0.0/8; may be given several times (default: from everywhere)")
	c.Flags().StringSliceVar(&f.deny, "deny-from", nil, "one that it never works from, allowed or not; may be given several times")
	c.Flags().Var(&f.hours, "hours", "when in the day it works, as '08:00-18:00 Europe/Zurich' (default: all day)")
}

// wire returns the conditions asked for; nil when no flag says anything.
func (f *conditions) wire() *wire.Conditions {
	if len(f.allow)+len(f.deny) == 0 && f.hours.w == nil {
		return nil
	}
	return &wire.Conditions{Allow: f.allow, Deny: f.deny, Window: f.hours.w}
}

// patch returns what to change of the conditions; nil for nothing.
func (f *conditions) patch() map[string]any {
	p := map[string]any{}
	if f.allow != nil {
		p["allow"] = f.allow
	}
	if f.deny != nil {
		p["deny"] = f.deny
	}
	if f.hours.w != nil {
		p["window"] = f.hours.w
	}
	if len(p) == 0 {
		return nil
	}
	return p
}

// hours is a flag's part of the day: "08:00-18:00 Europe/Zurich".
type hours struct{ w *wire.Window }

func (h *hours) Type() string { return "hours" }
func (h *hours) String() string {
	if h.w == nil {
		return ""
	}
	return hoursText(h.w)
}

func hoursText(w *wire.Window) string { return w.From + "-" + w.To + " " + w.Zone }

func (h *hours) Set(text string) error {
	part, zone, ok := strings.Cut(strings.TrimSpace(text), " ")
	from, to, ok2 := strings.Cut(part, "-")
	if zone = strings.TrimSpace(zone); !ok || !ok2 || zone == "" || len(from) != 5 || len(to) != 5 {
		return errors.New("hours are written as '08:00-18:00 Europe/Zurich'")
	}
	h.w = &wire.Window{From: from, To: to, Zone: zone}
	return nil
}
