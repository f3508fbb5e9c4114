package main

import (
	"fmt"
	"time"

	"hallpass/api/wire"
)

// past is a flag's moment that lies back: a time, or how long ago.
type past struct{ moment }

func (p *past) Set(text string) error {
	if d, err := parseSpan(text); err == nil {
		t := time.Now().Add(-d).UTC().Truncate(time.Second)
		p.t = &t
		return nil
	}
	if err := p.moment.Set(text); err != nil {
		return fmt.Errorf("a time is written as 2030-01-31T12:00:00Z, 2030-01-31, or as a duration back from now: 12h, 30d")
	}
	return nil
}

// lastUsed is the cell of a list: when, or nothing.
func lastUsed(t wire.Token) string {
	if t.LastUsed == nil {
		return ""
	}
	return stamp(t.LastUsed.At)
}

// lastUse is when, from where and how often a token was used.
func lastUse(t wire.Token) string {
	u := t.LastUsed
	if u == nil {
		return ""
	}
	from := ""
	if u.Address != nil {
		from = " from " + *u.Address
	}
	times := "once"
	if u.Count > 1 {
		times = number(u.Count) + " times"
	}
	return fmt.Sprintf("%s%s, %s in all", stamp(u.At), from, times)
}
