package domain_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hallpass/domain"
)

// bound is a token that may do everything under those conditions.
func bound(c *domain.Conditions) *domain.Token {
	return &domain.Token{
		Account: "acme", ID: "a", Generation: 1, Enabled: true, Kind: domain.KindAPI, Permissions: everything,
		Secrets: []domain.Held{{Digest: digest(1)}}, Conditions: c,
	}
}

func verdict(c *domain.Conditions, use domain.Circumstances) domain.Verdict {
	return domain.Authorize(alone(bound(c)), &open, digest(1), domain.TokenNeed("ListTokens", ""), use).Verdict
}

func TestWhereATokenWorks(t *testing.T) {
	for _, c := range []struct {
		allow, deny []string
		from        string
		want        domain.Verdict
	}{
		{nil, nil, "", domain.Granted},
		{nil, nil, "192.0.2.1", domain.Granted},
		{[]string{"10.0.0.0/8"}, nil, "10.255.255.255", domain.Granted},
		{[]string{"10.0.0.0/8"}, nil, "11.0.0.0", domain.WrongAddress},
		{[]string{"10.0.0.0/8"}, nil, "", domain.WrongAddress},
		{nil, []string{"10.0.0.0/8"}, "", domain.WrongAddress},
		{nil, []string{"10.0.0.0/8"}, "11.0.0.0", domain.Granted},
		{nil, []string{"10.0.0.0/8"}, "10.0.0.1", domain.WrongAddress},
		{[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, "10.1.0.1", domain.WrongAddress},
		{[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, "10.2.0.1", domain.Granted},
		{[]string{"10.1.0.0/16"}, []string{"10.0.0.0/8"}, "10.1.0.1", domain.WrongAddress},
		{[]string{"192.0.2.7/32"}, nil, "192.0.2.7", domain.Granted},
		{[]string{"192.0.2.7/32"}, nil, "192.0.2.8", domain.WrongAddress},
		{[]string{"2001:db8::/32"}, nil, "2001:db8:1::1", domain.Granted},
		{[]string{"2001:db8::/32"}, nil, "2001:db9::1", domain.WrongAddress},
		{[]string{"fe80::/10"}, nil, "fe80::1%eth0", domain.Granted},
		{nil, []string{"fe80::/10"}, "fe80::1%eth0", domain.WrongAddress},
		{[]string{"10.0.0.0/8"}, nil, "::ffff:10.1.2.3", domain.Granted},
		{nil, []string{"10.0.0.0/8"}, "::ffff:10.1.2.3", domain.WrongAddress},
		{nil, []string{"10.0.0.0/8"}, "::ffff:10.1.2.3%eth0", domain.WrongAddress},
		{[]string{"::ffff:10.0.0.0/104"}, nil, "10.1.2.3", domain.Granted},
		{nil, []string{"::ffff:0:0/96"}, "10.1.2.3", domain.WrongAddress},
		{nil, []string{"::ffff:10.1.2.3/128"}, "::ffff:10.1.2.3", domain.WrongAddress},
		{[]string{"0.0.0.0/0"}, nil, "2001:db8::1", domain.WrongAddress},
		{[]string{"0.0.0.0/0"}, nil, "::ffff:192.0.2.1", domain.Granted},
		{[]string{"::/0"}, nil, "192.0.2.1", domain.WrongAddress},
		{[]string{"::/0"}, nil, "2001:db8::1", domain.Granted},
		{nil, []string{"::/0", "0.0.0.0/0"}, "::ffff:192.0.2.1", domain.WrongAddress},
	} {
		t.Run(fmt.Sprint(c.allow, c.deny, c.from), func(t *testing.T) {
			h := newHistory(t)
			h.do(domain.OpenAccount{Account: "acme"})
			h.do(domain.IssueToken{
				Account: "acme", Token: "a", Digest: digest(1), Permissions: everything,
				Conditions: &domain.Conditions{Allow: prefixes(c.allow...), Deny: prefixes(c.deny...)},
			})
			var from netip.Addr
			if c.from != "" {
				from = netip.MustParseAddr(c.from)
			}
			d := domain.Authorize(alone(&h.state.Token), &h.state.Account, digest(1), domain.TokenNeed("ListTokens", ""), domain.Circumstances{Now: now, From: from})
			if d.Verdict != c.want {
				t.Errorf("got %s, want %s", d.Verdict, c.want)
			}
		})
	}
}

func TestWhenATokenWorks(t *testing.T) {
	for _, c := range []struct {
		from, to string
		zone     string
		at       string
		open     bool
	}{
		{"09:00", "17:00", "UTC", "2027-06-01T08:59:59Z", false},
		{"09:00", "17:00", "UTC", "2027-06-01T09:00:00Z", true},
		{"09:00", "17:00", "UTC", "2027-06-01T16:59:59Z", true},
		{"09:00", "17:00", "UTC", "2027-06-01T17:00:00Z", false},
		{"09:00", "17:00", "Europe/Zurich", "2027-06-01T07:00:00Z", true},
		{"09:00", "17:00", "Europe/Zurich", "2027-01-04T07:00:00Z", false}, // winter
		{"09:00", "17:00", "Asia/Kathmandu", "2027-06-01T03:15:00Z", true}, // 5:45 ahead
		{"09:00", "17:00", "Asia/Kathmandu", "2027-06-01T03:14:00Z", false},

		{"22:00", "06:00", "UTC", "2027-06-01T21:59:00Z", false},
		{"22:00", "06:00", "UTC", "2027-06-01T22:00:00Z", true},
		{"22:00", "06:00", "UTC", "2027-06-02T00:00:00Z", true},
		{"22:00", "06:00", "UTC", "2027-06-02T05:59:00Z", true},
		{"22:00", "06:00", "UTC", "2027-06-02T06:00:00Z", false},
		{"00:00", "23:59", "UTC", "2027-06-02T23:59:59Z", false},
		{"23:59", "00:00", "UTC", "2027-06-02T23:59:59Z", true},
		{"23:59", "00:00", "UTC", "2027-06-03T00:00:00Z", false},
		{"00:01", "00:00", "UTC", "2027-06-03T00:00:59Z", false},
		{"00:01", "00:00", "UTC", "2027-06-03T23:59:59Z", true},

		// On 28 March 2027 clocks in Zürich go from 02:00 to 03:00.
		{"02:00", "03:00", "Europe/Zurich", "2027-03-28T00:59:59Z", false}, // 01:59
		{"02:00", "03:00", "Europe/Zurich", "2027-03-28T01:00:00Z", false}, // 03:00
		{"02:30", "03:30", "Europe/Zurich", "2027-03-28T01:00:00Z", true},
		{"22:00", "06:00", "Europe/Zurich", "2027-03-28T03:59:00Z", true}, // an hour less
		{"22:00", "06:00", "Europe/Zurich", "2027-03-28T04:00:00Z", false},
		// On 31 October 2027 they go from 03:00 to 02:00: the hour comes twice.
		{"02:00", "03:00", "Europe/Zurich", "2027-10-30T23:59:00Z", false},
		{"02:00", "03:00", "Europe/Zurich", "2027-10-31T00:30:00Z", true},
		{"02:00", "03:00", "Europe/Zurich", "2027-10-31T01:30:00Z", true},
		{"02:00", "03:00", "Europe/Zurich", "2027-10-31T02:00:00Z", false},

		{"00:00", "23:59", "No/Where", "2027-06-01T12:00:00Z", false},
		{"00:00", "23:59", "", "2027-06-01T12:00:00Z", false},
		{"00:00", "23:59", "Local", "2027-06-01T12:00:00Z", false},
		{"00:00", "23:59", "../../etc/localtime", "2027-06-01T12:00:00Z", false},
	} {
		w := domain.NewWindow(minute(t, c.from), minute(t, c.to), c.zone)
		when, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		want := domain.OutsideHours
		if c.open {
			want = domain.Granted
		}
		if got := verdict(&domain.Conditions{Window: &w}, at(domain.InstantOf(when))); got != want {
			t.Errorf("%s to %s in %q at %s: got %s, want %s", c.from, c.to, c.zone, c.at, got, want)
		}
		if domain.Clock(w.From) != c.from || domain.Clock(w.To) != c.to {
			t.Errorf("%s to %s is written as %s to %s", c.from, c.to, domain.Clock(w.From), domain.Clock(w.To))
		}
	}
}

func minute(t *testing.T, clock string) uint16 {
	t.Helper()
	at, err := time.Parse("15:04", clock)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(at.Hour()*60 + at.Minute())
}

// The address is looked at before the hour: it is what the bearer can change.
func TestBothConditionsBind(t *testing.T) {
	w := domain.NewWindow(0, 1, "No/Where")
	c := &domain.Conditions{Deny: prefixes("10.0.0.0/8"), Window: &w}
	if got := verdict(c, domain.Circumstances{Now: now, From: here}); got != domain.WrongAddress {
		t.Errorf("got %s", got)
	}
	if got := verdict(c, domain.Circumstances{Now: now, From: netip.MustParseAddr("::1")}); got != domain.OutsideHours {
		t.Errorf("got %s", got)
	}
}

func TestConditionsAreKeptInOneForm(t *testing.T) {
	h := withToken(t)
	window := domain.Window{From: 60, To: 30, Zone: "UTC"}
	e, ok := h.do(domain.EditToken{Account: "acme", Token: "a", Conditions: &domain.Conditions{
		Allow:  prefixes("2001:db8::1/32", "10.9.9.9/8", "::ffff:10.0.0.0/104", "10.0.0.0/9", "10.1.1.1/8"),
		Deny:   prefixes("::ffff:192.0.2.1/64"),
		Window: &window,
	}}).(domain.TokenEdited)
	known := domain.NewWindow(60, 30, "UTC")
	want := domain.Conditions{Allow: prefixes("10.0.0.0/8", "10.0.0.0/9", "2001:db8::/32"), Deny: prefixes("::/64"), Window: &known}
	if !ok || !reflect.DeepEqual(*e.Conditions, want) {
		t.Fatalf("got %+v, want %+v", e.Conditions, want)
	}
	f := golden(e)
	if _, err := domain.Decode(domain.Encode(&f)); err != nil {
		t.Error(err)
	}
	if e := h.do(domain.EditToken{Account: "acme", Token: "a", Conditions: &want}); e != nil {
		t.Errorf("the same again: got %v", e)
	}
	e, ok = h.do(domain.EditToken{Account: "acme", Token: "a", Conditions: &domain.Conditions{}}).(domain.TokenEdited)
	if !ok || e.Narrows || h.state.Token.Conditions != nil {
		t.Errorf("taking them off: got %+v, and the token has %+v", e, h.state.Token.Conditions)
	}
	if e := h.do(domain.EditToken{Account: "acme", Token: "a", Conditions: &domain.Conditions{}}); e != nil {
		t.Errorf("taking off none: got %v", e)
	}
}

func TestConditionsOutOfBounds(t *testing.T) {
	window := func(from, to uint16, zone string) *domain.Conditions {
		return &domain.Conditions{Window: &domain.Window{From: from, To: to, Zone: zone}}
	}
	many := &domain.Conditions{Deny: prefixes("::1/128")}
	for i := range domain.MaxPrefixes {
		many.Allow = append(many.Allow, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16))
	}
	for name, c := range map[string]struct {
		conditions *domain.Conditions
		want       string
	}{
		"too many":           {many, "/conditions"},
		"no prefix":          {&domain.Conditions{Allow: []netip.Prefix{{}}}, "/conditions/allow"},
		"no length":          {&domain.Conditions{Deny: []netip.Prefix{netip.PrefixFrom(here, 33)}}, "/conditions/deny"},
		"window of nothing":  {window(60, 60, "UTC"), "/conditions/window"},
		"from 24:00":         {window(1440, 60, "UTC"), "/conditions/window"},
		"until 24:00":        {window(60, 1440, "UTC"), "/conditions/window"},
		"unknown zone":       {window(60, 61, "No/Where"), "/conditions/window/zone"},
		"the machine's zone": {window(60, 61, "Local"), "/conditions/window/zone"},
		"a machine's file":   {window(60, 61, "localtime"), "/conditions/window/zone"},
		"another such":       {window(60, 61, "posixrules"), "/conditions/window/zone"},
		"with leap seconds":  {window(60, 61, "right/Europe/Zurich"), "/conditions/window/zone"},
		"no zone":            {window(60, 61, ""), "/conditions/window/zone"},
		"a path as zone":     {window(60, 61, "../zoneinfo/UTC"), "/conditions/window/zone"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.do(domain.OpenAccount{Account: "acme"})
			_, err := h.try(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Conditions: c.conditions})
			if got := pointer(err); got != c.want {
				t.Errorf("got %v, want code invalid at %s", err, c.want)
			}
		})
	}
}

// pointer is where err says that a field is invalid; "" if it doesn't.
func pointer(err error) string {
	var e *domain.Error
	if errors.As(err, &e) && e.Code == domain.CodeInvalid && len(e.Fields) > 0 {
		return e.Fields[0].Pointer
	}
	return ""
}

// An edit of conditions that is not called narrowing refuses no use that passed
// before, and one that any limited caller may make lets none pass that did not.
func TestEveryLossByConditionsIsANarrowing(t *testing.T) {
	told := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		before, after := someConditions(rt), someConditions(rt)
		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: everything, Conditions: before})
		limited := grants("/token", "UpdateToken")
		h.as(limited)
		unlimited := *h
		before = h.state.Token.Conditions
		unlimited.by = domain.Authority{}
		_, err := h.try(domain.EditToken{Account: "acme", Token: "a", Conditions: after})
		e, _ := unlimited.try(domain.EditToken{Account: "acme", Token: "a", Conditions: after})
		edited, ok := e.(domain.TokenEdited)
		if !ok {
			return // they are the same
		}
		after = edited.Conditions
		told[fmt.Sprint("narrows ", edited.Narrows)]++
		told[fmt.Sprint("allowed ", err == nil)]++
		for _, use := range uses(rt, before, after) {
			was, is := verdict(before, use) == domain.Granted, verdict(after, use) == domain.Granted
			if was && !is && !edited.Narrows {
				rt.Fatalf("%v at %v was lost by an edit that is not called narrowing", use.From, use.Now.Time())
			}
			if is && !was && err == nil {
				rt.Fatalf("%v at %v was opened by a caller who may less than the token", use.From, use.Now.Time())
			}
		}
	})
	for _, what := range []string{"narrows true", "narrows false", "allowed true", "allowed false"} {
		if told[what] == 0 {
			t.Errorf("%s was never seen: %v", what, told)
		}
	}
}

func someConditions(t *rapid.T) *domain.Conditions {
	some := rapid.SliceOfN(rapid.SampledFrom([]netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/9"),
		netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::/0"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::ffff:10.0.0.0/104"),
	}), 0, 2)
	c := &domain.Conditions{Allow: some.Draw(t, "allow"), Deny: some.Draw(t, "deny")}
	if rapid.Bool().Draw(t, "window") {
		from := rapid.SampledFrom([]uint16{0, 1, 540, 600, 1320, 1439}).Draw(t, "from")
		to := rapid.SampledFrom([]uint16{0, 1, 360, 541, 1020, 1439}).Filter(func(m uint16) bool { return m != from }).Draw(t, "to")
		w := domain.NewWindow(from, to, rapid.SampledFrom([]string{"UTC", "Europe/Zurich"}).Draw(t, "zone"))
		c.Window = &w
	}
	return c
}

// uses are from everywhere where something may change, at every minute at which
// something may.
func uses(t *rapid.T, conditions ...*domain.Conditions) (list []domain.Circumstances) {
	day := domain.InstantOf(rapid.SampledFrom([]time.Time{
		time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2027, 10, 31, 0, 0, 0, 0, time.UTC),
	}).Draw(t, "day"))
	from := []netip.Addr{{}, netip.MustParseAddr("::1"), netip.MustParseAddr("255.255.255.255")}
	minutes := []int{rapid.IntRange(0, 1439).Draw(t, "minute")}
	for _, c := range conditions {
		if c == nil {
			continue
		}
		for _, p := range append(append([]netip.Prefix{}, c.Allow...), c.Deny...) {
			from = append(from, p.Addr(), p.Addr().Unmap().Prev(), p.Addr().Next())
		}
		if c.Window != nil {
			for shift := range 3 { // as far as zones differ from UTC here
				for _, m := range []uint16{c.Window.From, c.Window.To} {
					minutes = append(minutes, (int(m)+1440-60*shift)%1440, (int(m)+1439-60*shift)%1440)
				}
			}
		}
	}
	for _, a := range from {
		for _, m := range minutes {
			list = append(list, domain.Circumstances{Now: day + domain.Instant(m)*60_000, From: a})
		}
	}
	return list
}

func TestPrefixesAreRead(t *testing.T) {
	for s, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "2001:db8::1": "2001:db8::1/128",
		"2001:db8::1/32": "2001:db8::/32", "::ffff:10.1.2.3": "10.1.2.3/32", "::ffff:10.1.2.3/104": "10.0.0.0/8", "fe80::1%eth0": "fe80::1/128",
		"0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
	} {
		if got, err := domain.ParsePrefix(s, "/x"); err != nil || got.String() != want {
			t.Errorf("%s: got %s, error %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0/8", "010.0.0.1", "fe80::1%eth0/64", "::/129", "host", "10.0.0.0/8 ", "::ffff:10.0.0.0/-1"} {
		if got, err := domain.ParsePrefix(s, "/x"); pointer(err) != "/x" || got.IsValid() {
			t.Errorf("%q: got %s, error %v", s, got, err)
		}
	}
}
