package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hallpass/domain"
)

// size is a flag's number of bytes: 1048576, 500MiB, 20GiB, 1TB.
type size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

func (s *size) Type() string { return "size" }
func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *size) Set(text string) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || !(n > 0) || n*u.bytes > math.MaxInt64/2 {
			break
		}
		*s = size(n * u.bytes)
		return nil
	}
	return errors.New("a size is written as 500MiB, 20GiB or a number of bytes")
}

// span is a flag's duration: Go's form, or whole days and weeks as 30d, 2w.
type span struct{ d time.Duration }

func (s *span) Type() string { return "duration" }
func (s *span) String() string {
	if s.d == 0 {
		return ""
	}
	return s.d.String()
}

func (s *span) Set(text string) error {
	d, err := parseSpan(text)
	s.d = d
	return err
}

func parseSpan(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if text != "" {
		if unit, ok := units[text[len(text)-1]]; ok {
			n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
			if err != nil {
				return 0, fmt.Errorf("a duration is written as 90m, 12h, 30d or 2w")
			}
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("a duration is written as 90m, 12h, 30d or 2w")
	}
	return d, nil
}

// moment is a flag's point in time: RFC 3339, or a duration from now.
type moment struct{ t *time.Time }

func (m *moment) Type() string { return "time" }
func (m *moment) String() string {
	if m.t == nil {
		return ""
	}
	return stamp(*m.t)
}

func (m *moment) Set(text string) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			m.t = &t
			return nil
		}
	}
	d, err := parseSpan(text)
	if err != nil {
		return fmt.Errorf("a time is written as 2030-01-31T12:00:00Z, 2030-01-31, or as a duration from now: 12h, 30d")
	}
	t := time.Now().Add(d).UTC().Truncate(time.Second)
	m.t = &t
	return nil
}

// tags is a flag's KEY=VALUE pairs.
type tags map[string]string

func (t tags) Type() string   { return "key=value" }
func (t tags) String() string { return pairs(t) }
func (t tags) Set(text string) error {
	k, v, ok := strings.Cut(text, "=")
	if !ok || k == "" {
		return fmt.Errorf("a tag is written as KEY=VALUE")
	}
	t[k] = v
	return nil
}

// Append, Replace and GetSlice make tags a flag that may come several times.
func (t tags) Append(text string) error { return t.Set(text) }
func (t tags) Replace(all []string) error {
	clear(t)
	for _, text := range all {
		if err := t.Set(text); err != nil {
			return err
		}
	}
	return nil
}
func (t tags) GetSlice() []string { return slices.Sorted(strings.FieldsSeq(pairs(t))) }

// tagFilter is a flag's one tag to look for, in the API's form: key, or
// key:value. The API ends the key at the first colon, so none with a colon in it
// can be looked for; what might be such a key or be meant as KEY:VALUE is refused.
type tagFilter string

func (t *tagFilter) Type() string   { return "key[=value]" }
func (t *tagFilter) String() string { return strings.Replace(string(*t), ":", "=", 1) }
func (t *tagFilter) Set(text string) error {
	key, value, valued := strings.Cut(text, "=")
	before, after, colon := strings.Cut(key, ":")
	switch {
	case *t != "":
		return fmt.Errorf("one tag can be looked for at a time")
	case before == "":
		return fmt.Errorf("a tag to look for is written as KEY or KEY=VALUE")
	case colon && !valued:
		return fmt.Errorf("a tag to look for is written as KEY or KEY=VALUE: %s=%s", before, after)
	case colon:
		return fmt.Errorf("a tag whose key has a ':' in it can't be looked for")
	}
	*t = tagFilter(key)
	if valued {
		*t += tagFilter(":" + value)
	}
	return nil
}

// prefixes is a flag's addresses and prefixes of addresses, with commas.
type prefixes []netip.Prefix

func (p *prefixes) Type() string { return "prefix,..." }
func (p *prefixes) String() string {
	var all []string
	for _, one := range *p {
		all = append(all, one.String())
	}
	return strings.Join(all, ",")
}

func (p *prefixes) Set(text string) error {
	var all prefixes
	for one := range strings.SplitSeq(text, ",") {
		prefix, err := domain.ParsePrefix(strings.TrimSpace(one), "")
		if err != nil {
			return errors.New("it takes addresses and prefixes like 10.0.0.0/8 or 2001:db8::1, with commas")
		}
		all = append(all, prefix)
	}
	*p = all
	return nil
}
