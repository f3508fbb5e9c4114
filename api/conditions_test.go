package api

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"hallpass/api/wire"
)

func TestConditionsAreShownAsTheyAreRead(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.issue("acme", `{"id":"t","conditions":{"allow":["10.1.2.3/8","::ffff:192.0.2.7","2001:db8::1"],"deny":["10.9.0.0/16"],"window":{"from":"08:00","to":"18:30","zone":"Europe/Zurich"}}}`)
	const whole = `"conditions":{"allow":["10.0.0.0/8","192.0.2.7","2001:db8::1"],"deny":["10.9.0.0/16"],"window":{"from":"08:00","to":"18:30","zone":"Europe/Zurich"}}`
	for _, row := range []struct{ name, patch, want string }{
		{"as issued", `{}`, whole},
		{"a list is replaced", `{"conditions":{"deny":["10.8.0.0/16"]}}`, `"deny":["10.8.0.0/16"],"window":{`},
		{"the window merges", `{"conditions":{"window":{"to":"17:00"}}}`, `"window":{"from":"08:00","to":"17:00","zone":"Europe/Zurich"}`},
		{"the window goes", `{"conditions":{"window":null}}`, `"deny":["10.8.0.0/16"]}`},
		{"a window comes", `{"conditions":{"window":{"from":"22:00","to":"06:00","zone":"UTC"}}}`, `"window":{"from":"22:00","to":"06:00","zone":"UTC"}`},
		{"a list goes", `{"conditions":{"allow":null}}`, `"conditions":{"deny":["10.8.0.0/16"],`},
	} {
		if a := w.must(w.root, "PATCH", acmeTokens+"/t", row.patch); !strings.Contains(a.body, row.want) {
			t.Errorf("%s: %s, want %s", row.name, a.body, row.want)
		}
	}
	shown := w.must(w.root, "GET", acmeTokens+"/t", "")
	if back := w.must(w.root, "PATCH", acmeTokens+"/t", shown.body); back.body != shown.body {
		t.Errorf("sent back: %s, got %s", shown.body, back.body)
	}
	if a := w.must(w.root, "PATCH", acmeTokens+"/t", `{"conditions":null}`); strings.Contains(a.body, "conditions") {
		t.Errorf("without conditions: %s", a.body)
	}
}

func TestConditionsRefuse(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	w.issue("acme", `{"id":"t"}`)
	for _, row := range []struct{ conditions, pointer string }{
		{`{"allow":["10.0.0.0/33"]}`, "/conditions/allow/0"},
		{`{"allow":["10.0.0.1","10.0.0"]}`, "/conditions/allow/1"},
		{`{"deny":["fe80::1%eth0/64"]}`, "/conditions/deny/0"},
		{`{"deny":[""]}`, "/conditions/deny/0"},
		{`{"deny":"10.0.0.1"}`, "/conditions/deny"},
		{`{"allow":["` + strings.Repeat(`10.0.0.1","`, 128) + `10.0.0.1"]}`, "/conditions/allow"},
		{`{"window":{"from":"8:00","to":"18:00","zone":"UTC"}}`, "/conditions/window/from"},
		{`{"window":{"from":"08:00","to":"24:00","zone":"UTC"}}`, "/conditions/window/to"},
		{`{"window":{"from":"08:00","to":"+1:00","zone":"UTC"}}`, "/conditions/window/to"},
		{`{"window":{"from":"08:00","to":"08:00","zone":"UTC"}}`, "/conditions/window"},
		{`{"window":{"from":"08:00","to":"18:00","zone":"Mars/Olympus"}}`, "/conditions/window/zone"},
		{`{"window":{"from":"08:00","to":"18:00","zone":"../../etc/passwd"}}`, "/conditions/window/zone"},
		{`{"window":{"from":"08:00","to":"18:00"}}`, "/conditions/window/zone"},
		{`{"windows":{}}`, "/conditions/windows"},
		{`[]`, "/conditions"},
	} {
		for _, r := range [][2]string{{"POST", acmeTokens}, {"PATCH", acmeTokens + "/t"}} {
			p := refusedWith(t, w.as(w.root, r[0], r[1], `{"conditions":`+row.conditions+`}`), 422, "invalid")
			if len(p.Errors) == 0 || p.Errors[0].Pointer != row.pointer {
				t.Errorf("%s %s: %+v, want %s", r[0], row.conditions, p.Errors, row.pointer)
			}
		}
	}
}

// Conditions bind every use of a secret, and whoever asks about it may name
// where it is used from.
func TestWhereATokenIsUsedFrom(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	here := w.issue("acme", `{"id":"here","conditions":{"allow":["127.0.0.0/8","::1"]},`+device+`}`).Secret
	away := w.issue("acme", `{"id":"away","conditions":{"allow":["192.0.2.0/24"],"deny":["192.0.2.9"]},`+device+`}`).Secret
	if got := w.asks(here, askThermo); got != "granted" {
		t.Errorf("from here: %s", got)
	}
	for _, r := range []req{
		{method: "POST", path: "/v1/check", body: askThermo},
		{method: "POST", path: "/v1/checks", body: `{"checks":[]}`},
		{method: "GET", path: "/v1/whoami"},
	} {
		r.bearer = away
		refusedWith(t, w.send(r), 401, "invalid_token")
	}
	for _, row := range []struct{ secret, address, want string }{
		{away, "192.0.2.1", "granted"},
		{away, "::ffff:192.0.2.1", "granted"},
		{away, "192.0.2.9", "wrong_address"},
		{away, "198.51.100.1", "wrong_address"},
		{away, "", "wrong_address"}, // not known: where w.root is says nothing of it
		{here, "", "wrong_address"},
		{here, "127.0.0.1", "granted"},
	} {
		q := `{"action":"read","resource":"/device/thermo1","secret":"` + row.secret + `","address":"` + row.address + `"}`
		if row.address == "" {
			q = `{"action":"read","resource":"/device/thermo1","secret":"` + row.secret + `"}`
		}
		one := read[wire.Decision](t, w.must(w.root, "POST", "/v1/check", q))
		many := read[wire.Decisions](t, w.must(w.root, "POST", "/v1/checks", `{"checks":[`+q+`]}`)).Results[0]
		if one.Code != row.want || many.Code != row.want {
			t.Errorf("from %q: %s and %s, want %s", row.address, one.Code, many.Code, row.want)
		}
	}
	const named = `{"action":"read","resource":"/device/thermo1","address":"192.0.2.1"}`
	refusedWith(t, w.as(here, "POST", "/v1/check", named), 403, "forbidden")
	refusedWith(t, w.as(here, "POST", "/v1/checks", `{"checks":[`+askThermo+`,`+named+`]}`), 403, "forbidden")
	looker := w.issue("acme", `{"id":"looker","conditions":{"allow":["127.0.0.0/8"]},"permissions":{"allow":[{"resource":"/token/looker","actions":["IntrospectToken"]},{"resource":"/device","actions":["*"]}]}}`).Secret
	if got := w.asks(looker, named); got != "wrong_address" {
		t.Errorf("of itself elsewhere: %s", got)
	}
	if got := w.asks(looker, strings.Replace(named, "192.0.2.1", "127.0.0.2", 1)); got != "granted" {
		t.Errorf("of itself here: %s", got)
	}
	for _, bad := range []string{"192.0.2", "192.0.2.1:80", "host", "10.0.0.0/8"} {
		p := refusedWith(t, w.as(w.root, "POST", "/v1/check", strings.Replace(named, "192.0.2.1", bad, 1)), 422, "invalid")
		if p.Errors[0].Pointer != "/address" {
			t.Errorf("%s: %+v", bad, p.Errors)
		}
	}
	p := refusedWith(t, w.as(w.root, "POST", "/v1/checks", `{"checks":[{"action":"read","resource":"/","address":"x"}]}`), 422, "invalid")
	if p.Errors[0].Pointer != "/checks/0/address" {
		t.Errorf("%+v", p.Errors)
	}
}

// X-Forwarded-For counts only as far as trusted proxies wrote it.
func TestAddressOfARequest(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, row := range []struct {
		name, remote string
		lines        []string
		want         string
	}{
		{"no proxy", "192.0.2.1:4711", nil, "192.0.2.1"},
		{"a header of nobody trusted", "192.0.2.1:4711", []string{"198.51.100.1"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a header that the client made up", "10.0.0.1:1", []string{"127.0.0.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", []string{"127.0.0.1, 198.51.100.1 ,10.0.0.2"}, "198.51.100.1"},
		{"on lines", "10.0.0.1:1", []string{"127.0.0.1", "198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		{"a proxy that says nothing", "10.0.0.1:1", nil, "10.0.0.1"},
		{"proxies alone", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"what can't be read", "10.0.0.1:1", []string{"198.51.100.1, unknown"}, "invalid IP"},
		{"an empty one", "10.0.0.1:1", []string{"198.51.100.1,"}, "invalid IP"},
		{"with a port", "10.0.0.1:1", []string{"198.51.100.1:80"}, "198.51.100.1"},
		{"IPv6", "[2001:db8::1]:1", []string{"[2001:db9::1]:80"}, "2001:db9::1"},
		{"IPv6 without a port", "[2001:db8::1]:1", []string{"2001:db9::1"}, "2001:db9::1"},
		{"a mapped proxy", "[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"no address at all", "@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &call{h: &handler{cfg: HandlerConfig{TrustedProxies: trusted}}, r: &http.Request{RemoteAddr: row.remote, Header: http.Header{forwardedFor: row.lines}}}
			if got := c.from().String(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestForwardedAddressDecides(t *testing.T) {
	w := newWorld(t)
	w.open("acme")
	away := w.issue("acme", `{"id":"away","conditions":{"allow":["192.0.2.0/24"]},`+device+`}`).Secret
	r := req{method: "POST", path: "/v1/check", bearer: away, body: askThermo, header: map[string]string{forwardedFor: "192.0.2.1"}}
	refusedWith(t, w.send(r), 401, "invalid_token")
	w.h.cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if a := w.send(r); a.status != 200 {
		t.Errorf("from a trusted proxy: %d %s", a.status, a.body)
	}
	r.header[forwardedFor] = "192.0.2.1, 198.51.100.1"
	refusedWith(t, w.send(r), 401, "invalid_token")
}
