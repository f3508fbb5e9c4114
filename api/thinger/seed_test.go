package thinger

import (
	"strings"
	"testing"

	"hallpass/api"
)

// The types and actions of the seed document, "Adding Permissions to an Access
// Token".
var seed = []struct{ typ, actions string }{
	{"Device", "AccessDeviceResources ListDeviceResources GetDeviceStats CreateDeviceToken ListDeviceTokens DeleteDeviceToken " +
		"ListDevices DeleteDevice CreateDevice UpdateDevice ListDeviceLocations"},
	{"Bucket", "ReadBucket WriteBucket ExportBucket ClearBucket ListBuckets DeleteBucket CreateBucket UpdateBucket ReadBucketConfig"},
	{"Endpoint", "ListEndpoints CreateEndpoint ReadEndpointConfig UpdateEndpoint DeleteEndpoint CallEndpoint"},
	{"Dashboard", "ListDashboards CreateDashboard ReadDashboardConfig UpdateDashboard DeleteDashboard"},
	{"Token", "ListTokens CreateToken ReadTokenConfig UpdateToken DeleteToken"},
}

// Each of the 36 actions is granted alone, on one resource and on all of its
// type, and opens that and nothing else, at the guard and natively.
func TestEveryActionOfTheSeed(t *testing.T) {
	w := newWorld(t)
	n := 0
	for _, s := range seed {
		path := "/" + strings.ToLower(s.typ)
		for _, action := range strings.Fields(s.actions) {
			n++
			one := w.create("one_"+action, `"allow":{"`+s.typ+`":{"x1":"`+action+`"}}`)
			every := w.create("all_"+action, `"allow":{"`+s.typ+`":{"*":["`+action+`"]}}`)
			for _, other := range strings.Fields(s.actions) {
				for _, c := range []struct {
					bearer, at string
					may        bool
				}{
					{one, s.typ + "/x1", other == action}, {one, s.typ + "/x1/under", other == action},
					{one, s.typ + "/x10", false}, {one, s.typ, false},
					{every, s.typ + "/x1", other == action}, {every, s.typ, other == action},
				} {
					want := map[bool]int{true: 200, false: 403}[c.may]
					if got := w.may(c.bearer, c.at, other); got != want {
						t.Errorf("%s granted, %s on %s: %d", action, other, c.at, got)
					}
				}
			}
			if _, err := w.svc.Need(api.Question{Action: action, Resource: path + "/x1"}); err != nil {
				t.Errorf("the catalogue: %v", err)
			}
			a := w.as(one, "POST", "/v1/check", `{"action":"`+action+`","resource":"`+path+`/x1"}`)
			if a.status != 200 || !strings.Contains(a.body, `"allowed":true`) {
				t.Errorf("a native check of %s: %d %s", action, a.status, a.body)
			}
		}
	}
	if n != 36 {
		t.Errorf("%d actions", n)
	}
}

func TestAdminAccess(t *testing.T) {
	w := newWorld(t)
	admin := w.create("admin", `"allow":{"*":{"*":"*"}}`)
	for _, at := range []string{"Device", "Device/d1", "Bucket/b", "Token", "Whatever/x/y"} {
		if got := w.may(admin, at, "AnythingAtAll"); got != 200 {
			t.Errorf("%s: %d", at, got)
		}
	}
	if got := property(t, w.as(admin, "GET", tokens+"/admin", "").body, "allow"); got != `{"*":{"*":"*"}}` {
		t.Errorf("got %s", got)
	}
	w.open("other")
	w.as(admin, "GET", "/v1/users/other/tokens", "").is(t, 403, "may not")
	w.as(admin, "GET", "/v1/users/other/guard/Device/d1?action=ListDevices", "").is(t, 403, "cover")
}

// Enabling and disabling, and editing permissions, take effect at once, and
// never change the bearer.
func TestEditsTakeEffectAtOnce(t *testing.T) {
	w := newWorld(t)
	bearer := w.create("t1", `"allow":{"Device":{"d1":["GetDeviceStats"]}}`)
	at := tokens + "/t1"
	steps := []struct {
		put    string
		d1, d2 int
	}{
		{put: `{"enabled":false}`, d1: 401, d2: 401},
		{put: `{"enabled":true}`, d1: 200, d2: 403},
		{put: `{"allow":{"Device":{"d2":"Get*"}}}`, d1: 403, d2: 200},
		{put: `{"allow":{"Device":{"*":"*"}}}`, d1: 200, d2: 200},
		{put: `{"deny":{"Device":{"d1":["GetDeviceStats"]}}}`, d1: 403, d2: 200},
		{put: `{"allow":{"*":{"*":"*"}}}`, d1: 403, d2: 200}, // deny wins
		{put: `{"deny":{"*":{"*":"Get*"}}}`, d1: 403, d2: 403},
		{put: `{"deny":{}}`, d1: 200, d2: 200},
		{put: `{"expire":1}`, d1: 401, d2: 401},
		{put: `{"expire":null}`, d1: 200, d2: 200},
		{put: `{"allow":null}`, d1: 403, d2: 403},
	}
	for _, s := range steps {
		if made := w.done("PUT", at, s.put); made.AccessToken != "" {
			t.Errorf("%s shows a bearer", s.put)
		}
		for at, want := range map[string]int{"Device/d1": s.d1, "Device/d2": s.d2} {
			if got := w.may(bearer, at, "GetDeviceStats"); got != want {
				t.Errorf("after %s, %s: %d, want %d", s.put, at, got, want)
			}
		}
		if held, ok := w.svc.Holder(bearer); !ok || held.Token != "t1" {
			t.Errorf("after %s the bearer is another", s.put)
		}
	}
}

// One or more tokens are deleted in one call.
func TestDeletingSeveral(t *testing.T) {
	w := newWorld(t)
	bearers := map[string]string{}
	for _, id := range []string{"a", "b", "c", "d"} {
		bearers[id] = w.create(id, `"allow":{"Device":{"*":"*"}}`)
	}
	for body, says := range map[string]string{
		"": "array", "[]": "array", "{}": "array", `["a",1]`: "array", `["a","b c"]`: "array", `null`: "array", `"a"`: "array", `["a"] x`: "array",
		`["` + strings.Repeat(`a","`, 1000) + `a"]`: "1000",
	} {
		w.as(w.home, "DELETE", tokens, body).is(t, 400, says)
	}
	w.as(w.home, "DELETE", tokens, `["a","nobody"]`).is(t, 404, "no such token")
	clerk := w.create("clerk", `"allow":{"Token":{"a":"DeleteToken"}}`)
	w.as(clerk, "DELETE", tokens, `["a","b"]`).is(t, 403, "may not")
	for id, bearer := range bearers {
		if got := w.may(bearer, "Device", "ListDevices"); got != 200 {
			t.Errorf("%s was deleted by what was refused: %d", id, got)
		}
	}
	w.as(w.home, "DELETE", tokens, `["a","b","a"]`).is(t, 200, `{}`)
	w.as(w.home, "DELETE", tokens, `["a","b"]`).is(t, 200, `{}`)
	w.as(w.home, "DELETE", tokens, `["b","c"]`).is(t, 200, `{}`)
	for id, want := range map[string]int{"a": 401, "b": 401, "c": 401, "d": 200} {
		if got := w.may(bearers[id], "Device", "ListDevices"); got != want {
			t.Errorf("%s: %d, want %d", id, got, want)
		}
	}
	w.as(w.home, "DELETE", tokens, `["d","owner"]`).is(t, 409, "no other token")
}
