package thinger

import (
	"fmt"
	"strings"
	"testing"

	"hallpass/domain"
)

func TestGuard(t *testing.T) {
	w := newWorld(t)
	bearer := w.create("t1", `"allow":{"Device":{"d1":["AccessDeviceResources","Read*"]},"Product":{"*":["CloneProduct"]},"OAuthClient":{"c":"*"},"Bucket":{"*":["read"]}}`)
	foreign := w.create("f", "")
	other := w.open("other")
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
		at := "/v1/users/home/guard/Device/d1/temperature?action=AccessDeviceResources"
		if got := w.as(bearer, method, at, "{"); got.status != 200 || method != "HEAD" && got.body != `{}` {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
		if got := w.as(foreign, method, at, ""); got.status != 403 {
			t.Errorf("%s: %d", method, got.status)
		}
	}
	for at, status := range map[string]int{
		"Device/d1?action=AccessDeviceResources": 200, "device/d1?action=AccessDeviceResources": 200, "Device/d1?action=ReadAnything": 200,
		"Device/d10?action=AccessDeviceResources": 403, "Device?action=AccessDeviceResources": 403, "Device/d1?action=UpdateDevice": 403,
		"Product?action=CloneProduct": 200, "Product/p/q?action=CloneProduct": 200, "Product/p?action=Clone": 403,
		"OAuthClient/c?action=x": 200, "oAuthClient/c?action=x": 200, "Oauthclient/c?action=x": 403,
		"Bucket/b?action=ReadBucket": 200, "Bucket/b?action=read": 200, "Bucket/b?action=write": 403, "Bucket/b?action=NobodyKnows": 403,
		// What can't be read is no fault of the guard's.
		"Device/d1": 403, "Device/d1?action=": 403, "Device/d1?action=a%20b": 403, "Device/d1?action=*": 403, "Device/d1?action=Read*": 403,
		"Device/d1?action=AccessDeviceResources&action=x": 403, "Product/*?action=CloneProduct": 403, "*?action=CloneProduct": 403, "*/c?action=x": 403,
		"Product/?action=CloneProduct": 403, "?action=CloneProduct": 403, "Product//x?action=CloneProduct": 403, "Product/../Device/d1?action=ReadAnything": 403,
		"Product/a%2fb?action=CloneProduct": 403, "Product/a%2e%2e?action=CloneProduct": 403, "Device/d1?action=ReadAnything&x=%zz": 403,
		"Product/" + strings.Repeat("x", 600) + "?action=CloneProduct": 403,
	} {
		if got := w.as(bearer, "GET", "/v1/users/home/guard/"+at, ""); got.status != status {
			t.Errorf("%s: %d %s, want %d", at, got.status, got.body, status)
		}
		if got := w.as("nonsense", "GET", "/v1/users/home/guard/"+at, ""); got.status != 401 && got.status != 403 {
			t.Errorf("%s with nonsense: %d %s", at, got.status, got.body)
		}
	}
	at := "/v1/users/home/guard/Device/d1?action=ReadAnything"
	w.send("GET", at+"&authorization="+bearer, "").is(t, 200, `{}`)
	w.send("GET", at, "").is(t, 401, "send a token")
	w.as("nonsense", "GET", "/v1/users/home/guard/Device/d1", "").is(t, 401, "does not work")
	w.as("nonsense", "GET", at, "").is(t, 401, "does not work")
	w.as(other, "GET", at, "").is(t, 403, "cover") // it may do all, in its own account
	w.as(bearer, "GET", strings.Replace(at, "home", "other", 1), "").is(t, 403, "cover")
	w.as(bearer, "GET", strings.Replace(at, "home", "no.body", 1), "").is(t, 403, "cover")
	w.as(w.root, "GET", strings.Replace(at, "home", "other", 1), "").is(t, 200, `{}`)
	w.as(bearer, "GET", "/v1/users/home/guard", "").is(t, 403, "cover")
}

// A right to a sub-resource is none to the device, and a right to the device is
// one to all in it but what is denied.
func TestSubResources(t *testing.T) {
	w := newWorld(t)
	part := w.create("part", `"allow":{"Device":{"d1":["Read*",{"AccessDeviceResources":["temperature","led"]},{"*":"door"}]}}`)
	whole := w.create("whole", `"allow":{"Device":{"*":"*"}},"deny":{"Device":{"d1":{"AccessDeviceResources":["led"]},"*":[{"*":"door"}]}}`)
	for at, want := range map[string][2]int{
		"Device/d1/temperature": {200, 200}, "Device/d1/led": {200, 403}, "Device/d1/led/red": {200, 403}, "Device/d1/door": {200, 403},
		"Device/d1": {403, 200}, "Device": {403, 200}, "Device/d1/temperatures": {403, 200}, "Device/d1/fan": {403, 200},
		"Device/d2/led": {403, 200}, "Device/d2/door": {403, 403}, "Device/d1/fan/led": {403, 200},
	} {
		for i, bearer := range []string{part, whole} {
			if got := w.may(bearer, at, "AccessDeviceResources"); got != want[i] {
				t.Errorf("%s by %d: %d, want %d", at, i, got, want[i])
			}
		}
	}
	if got := w.may(part, "Device/d1/temperature", "UpdateDevice"); got != 403 {
		t.Errorf("another action: %d", got)
	}
	if got := w.may(part, "Device/d1/fan", "ReadDeviceStatistics"); got != 200 {
		t.Errorf("what it may on the whole device: %d", got)
	}
	made := w.done("PUT", tokens+"/part", `{"allow":{"Device":{"d1":{"AccessDeviceResources":"fan"}}}}`)
	if got := text(t, made.Allow); got != `{"Device":{"d1":[{"AccessDeviceResources":["fan"]}]}}` {
		t.Errorf("after a PUT it shows %s", got)
	}
	for at, want := range map[string]int{"Device/d1/fan": 200, "Device/d1/led": 403, "Device/d1": 403} {
		if got := w.may(part, at, "AccessDeviceResources"); got != want {
			t.Errorf("%s after a PUT: %d", at, got)
		}
	}
	w.as(w.home, "PUT", tokens+"/part", `{"allow":{"Device":{"d1":[{"AccessDeviceResources":""}]}}}`).is(t, 400, "sub-resources")
}

// Nothing is let in for an account that is not open, not even root.
func TestAnAccountThatIsNotOpen(t *testing.T) {
	w := newWorld(t)
	bearer := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
	for _, row := range []struct {
		change    string
		its, root int
	}{{"suspend", 401, 403}, {"resume", 200, 200}, {"close", 401, 403}} {
		w.native("POST", "/v1/accounts/home/"+row.change, "")
		if its, root := w.may(bearer, "Device/d1", "ListDevices"), w.may(w.root, "Device/d1", "ListDevices"); its != row.its || root != row.root {
			t.Errorf("after %s: its own %d, root %d", row.change, its, root)
		}
	}
	w.as(w.root, "GET", "/v1/users/nobody/guard/Device/d1?action=ListDevices", "").is(t, 403, "cover")
	w.as(w.root, "GET", "/v1/users/root/guard/Device/d1?action=ListDevices", "").is(t, 200, `{}`)
}

// A token of root that may not do everything acts in its own account alone.
func TestOnlyAllOfRootActsElsewhere(t *testing.T) {
	w := newWorld(t)
	part := w.issue("root", "part", `{"allow":[{"resource":"/device","actions":["*"]}]}`)
	whole := w.issue("root", "whole", `{"allow":[{"resource":"/","actions":["*"]}],"deny":[{"resource":"/bucket","actions":["*"]}]}`)
	for at, want := range map[string][2]int{"Device/d1": {403, 200}, "Bucket/b": {403, 403}} {
		for i, bearer := range []string{part, whole} {
			if got := w.may(bearer, at, "ListAnything"); got != want[i] {
				t.Errorf("%s by %d: %d", at, i, got)
			}
		}
	}
	w.as(part, "GET", tokens, "").is(t, 403, "may not")
	if got := w.as(whole, "GET", tokens, ""); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// As many grants are taken as a token may have, and no more, however they are
// written.
func TestAsManyGrantsAsATokenMayHave(t *testing.T) {
	w := newWorld(t)
	w.create("t1", "")
	for _, n := range []int{domain.MaxGrants, domain.MaxGrants + 1, 20 * domain.MaxGrants} {
		var ids, parts []string
		for i := range n {
			ids = append(ids, fmt.Sprintf(`"d%d":"ListDevices"`, i))
			parts = append(parts, fmt.Sprintf(`"p%d"`, i))
		}
		for _, device := range []string{strings.Join(ids, ","), `"d1":[{"AccessDeviceResources":[` + strings.Join(parts, ",") + `]}]`} {
			r := w.as(w.home, "PUT", tokens+"/t1", `{"allow":{"Device":{`+device+`}}}`)
			switch {
			case n > domain.MaxGrants:
				r.is(t, 400, "at most 256 grants")
			case r.status != 200:
				t.Errorf("%d grants: %d %.200s", n, r.status, r.body)
			}
		}
	}
}
