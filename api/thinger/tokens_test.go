package thinger

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// Clients put the user in the place of the group, as the vendor's Node-RED node
// does, and list what is there.
func TestAssets(t *testing.T) {
	w := newWorld(t)
	a := w.send("GET", "/v1/server/assets", "")
	a.is(t, 200, `[{"asset":"token","role":"user","paths":{"list":"v1/users/(?<user>[a-zA-Z0-9_-]{1,32})/tokens"}}]`)
	var found []struct {
		Asset string
		Role  string
		Paths struct{ List string }
	}
	strict(t, a.body, &found)
	at := regexp.MustCompile(`\(\?<user>[^)]+\)`).ReplaceAllString(found[0].Paths.List, "home")
	if "/"+at != tokens {
		t.Errorf("the list is at %s", at)
	}
	w.send("POST", "/v1/server/assets", "").is(t, 404, "nothing")
	w.send("GET", "/v1/server/others", "").is(t, 404, "nothing")
}

func TestCreateAndRead(t *testing.T) {
	w := newWorld(t)
	before := time.Now().UnixMilli()
	a := w.as(w.home, "POST", tokens, `{"token":"t1","name":"One","enabled":true,"description":"It reads.",
		"allow":{"Device":{"d1":["GetDeviceStats"]},"Bucket":{"*":"*"}},"deny":{"Bucket":{"b":["Delete*"]}},"expire":4102444800}`)
	var made token
	strict(t, a.body, &made)
	if made.Created < before-1000 || made.Created > time.Now().UnixMilli()+1000 || made.Modified != made.Created {
		t.Errorf("made at %d and %d", made.Created, made.Modified)
	}
	rest := fmt.Sprintf(`"allow":{"Bucket":{"*":"*"},"Device":{"d1":["GetDeviceStats"]}},"created":%d,"deny":{"Bucket":{"b":["Delete*"]}},`+
		`"description":"It reads.","enabled":true,"expire":4102444800,"modified":%d,"name":"One","token":"t1"}`, made.Created, made.Created)
	a.is(t, 200, `{"access_token":"`+made.AccessToken+`",`+rest)
	w.as(w.home, "GET", tokens+"/t1", "").is(t, 200, `{`+rest)

	// No more than it must have, and nothing that is not there.
	a = w.as(w.home, "POST", tokens, `{"token":"t2","name":"","enabled":false}`)
	strict(t, a.body, &made)
	a.is(t, 200, fmt.Sprintf(`{"access_token":"%s","allow":{},"created":%d,"enabled":false,"modified":%d,"name":"","token":"t2"}`,
		made.AccessToken, made.Created, made.Modified))
	w.as(made.AccessToken, "GET", tokens, "").is(t, 401, "does not work")
}

func TestList(t *testing.T) {
	w := newWorld(t)
	w.create("b", "")
	w.create("a", "")
	for i := range 58 {
		w.create(fmt.Sprintf("n%d", i), "")
	}
	w.native("POST", "/v1/sessions", `{"account":"home"}`)
	w.native("POST", "/v1/accounts/home/tokens", `{"id":"made-natively-with-a-rather-long-id-that-is-not-the-vendors-form","name":"native"}`)
	w.as(w.home, "DELETE", tokens+"/n57", "").is(t, 200, `{}`)
	list := func(query string) (names []string) {
		a := w.as(w.home, "GET", tokens+query, "")
		if a.status != 200 {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		var l []struct {
			Created  *int64  `json:"created"`
			Enabled  *bool   `json:"enabled"`
			Modified *int64  `json:"modified"`
			Name     *string `json:"name"`
			Token    *string `json:"token"`
		}
		strict(t, a.body, &l)
		for _, l := range l {
			if l.Created == nil || l.Enabled == nil || l.Modified == nil || l.Name == nil || l.Token == nil {
				t.Fatalf("something is missing in %s", a.body)
			}
			names = append(names, *l.Token)
		}
		return names
	}
	all := []string{"owner", "b", "a"}
	for i := range 57 {
		all = append(all, fmt.Sprintf("n%d", i))
	}
	all = append(all, "made-natively-with-a-rather-long-id-that-is-not-the-vendors-form")
	for query, want := range map[string][]string{
		"": all[:50], "?count=1000": all, "?count=2": all[:2], "?index=1&count=2": all[1:3], "?index=50": all[50:], "?index=61": nil, "?index=2000000000": nil,
		"?count=50&count=7": all[:50], "?asset_type=x&name=&index=0&": all[:50], "?name=Name+of+a": {"a"}, "?name=Name+of+n&count=2&index=1": {"n1", "n2"},
		"?name=nobody": nil, "?name=native": all[60:], "?count=0": all[:50], "?name=name+OF+a": {"a"}, "?name=OWN": {"owner"},
		"?name=ame+OF+N1": slices.Concat(all[4:5], all[13:23]), "?name=ame+of+n1&index=1&count=3": all[13:16], "?name=a&index=2&count=2": all[3:5],
	} {
		if got := list(query); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	// The loop that clients run.
	var got []string
	for index, length := 0, 20; length == 20; index += length {
		page := list(fmt.Sprintf("?index=%d&count=20", index))
		got, length = append(got, page...), len(page)
	}
	if !slices.Equal(got, all) {
		t.Errorf("page by page: %v", got)
	}
	w.as(w.home, "GET", tokens+"?name=nobody", "").is(t, 200, `[]`)
	for _, query := range []string{"?count=1001", "?count=-1", "?count=x", "?index=-1", "?index=1.5", "?index=99999999999999999999"} {
		w.as(w.home, "GET", tokens+query, "").is(t, 400, "is a number from")
	}
}

// A PUT changes what it has, and nothing else.
func TestUpdateIsPartial(t *testing.T) {
	w := newWorld(t)
	w.create("t1", `"description":"D","allow":{"Device":{"d1":["A"]}},"deny":{"Bucket":{"*":"*"}},"expire":4102444800`)
	at := tokens + "/t1"
	was := w.done("GET", at, "")
	full := func(k *token) string {
		k.Created, k.Modified = 0, 0
		return text(t, *k)
	}
	for _, s := range []struct {
		put    string
		change func(*token)
	}{
		{`{"name":"Two"}`, func(k *token) { k.Name = "Two" }},
		{`{"enabled":false}`, func(k *token) { k.Enabled = false }},
		{`{"allow":{"Bucket":{"*":"*"}}}`, func(k *token) { k.Allow = map[string]map[string]any{"Bucket": {"*": "*"}} }},
		{`{"deny":{}}`, func(k *token) { k.Deny = nil }},
		{`{"expire":null}`, func(k *token) { k.Expire = nil }},
		{`{"description":""}`, func(k *token) { k.Description = nil }},
		{`{"token":"other","created":1,"modified":"x","access_token":5}`, func(*token) {}},
		{`{}`, func(*token) {}},
	} {
		s.change(&was)
		got, read := w.done("PUT", at, s.put), w.done("GET", at, "")
		if full(&got) != full(&was) || full(&read) != full(&was) {
			t.Errorf("%s: got %s and %s, want %s", s.put, full(&got), full(&read), full(&was))
		}
	}
	// Read and put back, it is as it was: there is no record of it.
	before := w.proj.Position.At()
	w.as(w.home, "PUT", at, w.as(w.home, "GET", at, "").body)
	w.as(w.home, "GET", tokens, "") // what is stored is applied
	if types := w.types("t1"); strings.Count(types, "edited")+strings.Count(types, "abled") != 6 {
		t.Errorf("since %d: %s", before, types)
	}
}

func TestExpire(t *testing.T) {
	w := newWorld(t)
	w.create("t1", "")
	for in, out := range map[string]int64{
		`4102444800`: 4102444800, `4102444800000`: 4102444800, `4102444800001`: 4102444801, `1`: 1, `99999999999`: 99999999999, `100000000000`: 100000000,
		`"2100-01-01T00:00:00Z"`: 4102444800, `"2100-01-01T01:00:00.5+01:00"`: 4102444801,
	} {
		if got := w.done("PUT", tokens+"/t1", `{"expire":`+in+`}`).Expire; got == nil || *got != out {
			t.Errorf("%s comes out as %v", in, got)
		}
	}
	for _, in := range []string{`0`, `-1`, `1.5`, `1e9`, `true`, `""`, `"soon"`, `"4102444800"`, `{}`, `[]`, `9223372036854775807`, `99999999999999999999`, `"1969-12-31T23:59:59Z"`} {
		w.as(w.home, "PUT", tokens+"/t1", `{"expire":`+in+`}`).is(t, 400, "expire")
	}
	// Put back as it was shown, an end between two seconds stays where it is.
	w.done("PUT", tokens+"/t1", `{"expire":4102444800001}`)
	w.done("PUT", tokens+"/t1", `{"expire":4102444801,"name":"x"}`)
	if at, _ := w.svc.Token(w.svc.Operator(), "home", "t1"); at.ExpiresAt != domain.Instant(4102444800001) {
		t.Errorf("it is at %d", at.ExpiresAt)
	}
}

func TestClone(t *testing.T) {
	w := newWorld(t)
	first := w.create("t1", `"description":"D","allow":{"Device":{"d1":"*"}},"deny":{"Device":{"d1":["DeleteDevice"]}},"expire":4102444800`)
	made := w.done("POST", tokens+"/t1/clone", `{"token":"t2","name":"Two","description":"E","enabled":true}`)
	if made.Token != "t2" || made.Name != "Two" || *made.Description != "E" || *made.Expire != 4102444800 || made.AccessToken == "" || made.AccessToken == first {
		t.Errorf("got %+v", made)
	}
	for action, want := range map[string]int{"UpdateDevice": 200, "DeleteDevice": 403} {
		if got := w.may(made.AccessToken, "Device/d1", action); got != want {
			t.Errorf("%s: %d", action, got)
		}
	}
	short := w.done("POST", tokens+"/t1/clone", `{"token":"t3"}`)
	if short.Name != "Name of t1" || *short.Description != "D" || !short.Enabled {
		t.Errorf("got %+v", short)
	}
	w.as(w.home, "DELETE", tokens+"/t1", "").is(t, 200, `{}`)
	if got := w.may(made.AccessToken, "Device/d1", "UpdateDevice"); got != 200 {
		t.Errorf("the clone of what was deleted: %d", got)
	}
	w.as(w.home, "POST", tokens+"/t1/clone", `{"token":"t4"}`).is(t, 404, "no such token")
	w.as(w.home, "POST", tokens+"/t2/clone", `{"token":"t3"}`).is(t, 409, "this id")
	w.as(w.home, "POST", tokens+"/t2/clone", `{}`).is(t, 400, "token is required")
	w.as(w.home, "POST", tokens+"/t2/clone", `{"token":"t4","allow":{}}`).is(t, 400, "source")

	// The vendor's form for a clone's id has a "-" more than that of a new token's.
	w.done("POST", tokens+"/t2/clone", `{"token":"t2-copy"}`)
	w.done("PUT", tokens+"/t2-copy", `{"name":"Copy"}`)
	if got := w.done("GET", tokens+"/t2-copy", ""); got.Token != "t2-copy" || got.Name != "Copy" {
		t.Errorf("got %+v", got)
	}
	w.done("POST", tokens+"/t2-copy/clone", `{"token":"`+strings.Repeat("-", 50)+`"}`)
	w.as(w.home, "DELETE", tokens+"/t2-copy", "").is(t, 200, `{}`)
	w.as(w.home, "POST", tokens, `{"token":"t2-new","name":"","enabled":true}`).is(t, 400, "token is required")
	w.as(w.home, "POST", tokens+"/t2/clone", `{"token":"t2.copy"}`).is(t, 400, "token is required")

	// What a native token is bound by, its clone is bound by.
	w.native("POST", "/v1/accounts/home/tokens", `{"id":"bound","permissions":{"allow":[{"resource":"/device","actions":["*"]}]},"conditions":{"allow":["192.0.2.1"]},"tags":{"a":"b"}}`)
	bound := w.done("POST", tokens+"/bound/clone", `{"token":"bound2"}`)
	w.as(bound.AccessToken, "GET", "/v1/users/home/guard/Device/d1?action=ListDevices", "").is(t, 401, "does not work")
	w.native("POST", "/v1/accounts/home/tokens/owner/derive", `{"id":"child","permissions":{"allow":[{"resource":"/device","actions":["*"]}]}}`)
	child := w.done("POST", tokens+"/child/clone", `{"token":"child2"}`)
	w.create("heir", `"allow":{"*":{"*":"*"}}`)
	w.native("DELETE", "/v1/accounts/home/tokens/owner?wait=all", "")
	if got := w.may(child.AccessToken, "Device/d1", "ListDevices"); got != 401 {
		t.Errorf("the clone of a derived token outlives the parent: %d", got)
	}
}

// A deleted token is gone, and its id made again is another token.
func TestABearerStaysDead(t *testing.T) {
	w := newWorld(t)
	old := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
	w.as(w.home, "DELETE", tokens+"/t1", "").is(t, 200, `{}`)
	w.as(w.home, "DELETE", tokens+"/t1", "").is(t, 404, "no such token")
	w.as(w.home, "GET", tokens+"/t1", "").is(t, 404, "no such token")
	w.as(w.home, "PUT", tokens+"/t1", `{"name":"x"}`).is(t, 404, "no such token")
	fresh := w.create("t1", `"allow":{"Device":{"*":"*"}}`)
	for bearer, want := range map[string]int{old: 401, fresh: 200} {
		if got := w.may(bearer, "Device/d1", "ListDevices"); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.create("t1", "")
	long := strings.Repeat("ä", 256)
	for body, says := range map[string]string{
		``: "JSON", `[]`: "JSON", `{`: "JSON", `{} x`: "JSON", `"x"`: "JSON", `{"name":"a","name":"b"}`: "twice",
		`{"name":"N","enabled":true}`: "token is required", `{"token":null,"name":"N","enabled":true}`: "token is", `{"token":1,"name":"N","enabled":true}`: "token is",
		`{"token":"","name":"N","enabled":true}`: "token is required", `{"token":"a-b","name":"N","enabled":true}`: "token is required",
		`{"token":"` + strings.Repeat("a", 51) + `","name":"N","enabled":true}`: "token is required",
		`{"token":"x","enabled":true}`:                                          "name is required", `{"token":"x","name":null,"enabled":true}`: "name is",
		`{"token":"x","name":"N"}`: "enabled is required", `{"token":"x","name":"N","enabled":"true"}`: "enabled is", `{"token":"x","name":"N","enabled":null}`: "enabled is",
		`{"token":"x","name":"` + long + `","enabled":true}`: "255", `{"token":"x","name":"N","description":"` + long + `","enabled":true}`: "255",
		`{"token":"x","name":"N","enabled":true,"denny":{}}`: "none of", `{"token":"x","Name":"N","enabled":true}`: "none of",
		`{"token":"x","name":"N","enabled":true,"access_token":"y"}`:          "none of",
		`{"token":"x","name":"N","enabled":true,"allow":{"Device":{"*":""}}}`: "", `{"token":"x","name":"N","enabled":true,"allow":{"Device":{"*":"a b"}}}`: "",
		`{"token":"x","name":"\u0000","enabled":true}`: "",
	} {
		w.as(w.home, "POST", tokens, body).is(t, 400, says)
	}
	w.as(w.home, "POST", tokens, `{"token":"t1","name":"N","enabled":true}`).is(t, 409, "this id")
	for _, r := range [][2]string{
		{"GET", "/v1/users/"}, {"GET", "/v1/users/home"}, {"GET", "/v1/users/home/devices"}, {"GET", "/v1/users/home/devices/d1/tokens"}, {"PUT", tokens + "/t1/projects"},
		{"GET", tokens + "/"}, {"PATCH", tokens + "/t1"}, {"POST", tokens + "/t1"},
		{"GET", tokens + "/t1/clone"}, {"POST", tokens + "/t1/clone/x"}, {"GET", tokens + "/unknown"}, {"GET", tokens + "/a.b"}, {"DELETE", tokens + "/unknown"},
	} {
		w.as(w.home, r[0], r[1], "").is(t, 404, "")
	}
	w.as(w.root, "GET", "/v1/users/nobody/tokens", "").is(t, 404, "no such user")
	w.native("POST", "/v1/accounts", `{"id":"`+strings.Repeat("a", 33)+`"}`)
	w.as(w.root, "GET", "/v1/users/"+strings.Repeat("a", 33)+"/tokens", "").is(t, 404, "no such user")
	w.as(w.home, "GET", "/v1/users/nobody/tokens", "").is(t, 403, "may not")
	w.as(w.home, "GET", tokens+"//t1", "").is(t, 400, "segments")
	w.as(w.home, "POST", tokens, strings.Repeat(" ", 1<<20+1)).is(t, 400, "1 MiB")
	w.as(w.home, "PUT", tokens+"/owner", `{"enabled":false}`).is(t, 409, "no other token")
	w.as(w.home, "DELETE", tokens+"/owner", "").is(t, 409, "no other token")
	w.native("POST", "/v1/accounts/home/tokens", `{"id":"fixed","immutable":true}`)
	w.as(w.home, "PUT", tokens+"/fixed", `{"name":"x"}`).is(t, 409, "only deleted")

	// What is not known in time is a 503, and says so.
	w.log.OnAppend(func(eventstore.Entry) eventstoretest.Fault { return eventstoretest.Full })
	w.as(w.home, "PUT", tokens+"/t1", `{"name":"x"}`).is(t, 503, "nothing was changed")
}

// Beside others who change the same token, a PUT changes what it has of the
// token as it then is.
func TestAPutBesideAnother(t *testing.T) {
	w := newWorld(t)
	w.create("t1", `"allow":{"Device":{"d1":"*"}}`)
	another := api.NewService(api.ServiceConfig{Log: w.log, Projection: w.proj}) // of another process, for who takes turns
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if !strings.HasPrefix(e.Type, "token.edited") {
			return eventstoretest.None
		}
		w.log.OnAppend(nil)
		denied := domain.Permissions{Deny: []domain.Grant{{Resource: "/bucket", Actions: []domain.Action{"*"}}}}
		if _, err := another.Do(t.Context(), another.Operator(), domain.EditToken{Account: "home", Token: "t1", Permissions: &denied}, api.WaitCommit); err != nil {
			t.Error(err)
		}
		return eventstoretest.None
	})
	got := w.done("PUT", tokens+"/t1", `{"allow":{"Device":{"d2":"*"}}}`)
	if text(t, got.Allow) != `{"Device":{"d2":"*"}}` || text(t, got.Deny) != `{"Bucket":{"*":"*"}}` {
		t.Errorf("got %s but %s", text(t, got.Allow), text(t, got.Deny))
	}
	if got := w.types("t1"); got != "issued edited edited" {
		t.Errorf("its records are %s", got)
	}
}

func TestHeadIsGet(t *testing.T) {
	w := newWorld(t)
	if a := w.as(w.home, http.MethodHead, tokens+"/owner", ""); a.status != 200 || a.body != "" || a.header.Get("Content-Length") == "0" {
		t.Errorf("%d %v", a.status, a.header)
	}
}
