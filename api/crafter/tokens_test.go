package crafter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

const chosen = "3c1f0a9e-7d42-4b8a-9e55-d0a6f1b87c24"

// The object, property by property: what was sent comes back, in the
// platform's order, and with the id that was chosen.
func TestCreateAnswersTheObject(t *testing.T) {
	w := newWorld(t)
	want := `{"application":"studio","master":true,"tenantPermissions":[{"allowedActions":["*"],"tenant":"*"}],"expiresOn":1704067200000,"id":"` + chosen + `"}`
	w.as(w.master, "POST", "/create", want).is(t, 200, want)
	w.as(w.master, "GET", "/"+chosen, "").is(t, 200, want)
	w.as(w.master, "GET", "/"+chosen+".json", "").is(t, 200, want)
	for _, all := range []string{"/all", "/all.json"} {
		if a := w.as(w.master, "GET", all, ""); !strings.HasPrefix(a.body, "[{") || !strings.HasSuffix(a.body, ","+want+"]") || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", all, a.status, a.body)
		}
	}
	made := w.created(w.as(w.master, "POST", "/create.json", `{"application":"x"}`))
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(*made.ID) {
		t.Error("the id that was made is no UUID")
	}
	w.as(w.master, "GET", "/"+*made.ID, "").is(t, 200, `{"application":"x","master":false,"tenantPermissions":[],"expiresOn":null,"id":"`+*made.ID+`"}`)
	head := w.as(w.master, "HEAD", "/all", "")
	if head.status != 200 || head.body != "" {
		t.Errorf("HEAD: %d", head.status)
	}
}

// What is sent comes back exactly, in its order; natively it reads as it acts.
func TestPermissionsComeBackAsSent(t *testing.T) {
	w := newWorld(t)
	for sent, want := range map[string]string{
		`[]`:                                   `[]`,
		`null`:                                 `[]`,
		`[{"allowedActions":["READ_TENANT"]}]`: `[{"allowedActions":["READ_TENANT"],"tenant":"*"}]`,
		`[{"allowedActions":null,"tenant":"corp"}]`:                                                                                `[{"allowedActions":[],"tenant":"corp"}]`,
		`[{"tenant":"b","allowedActions":["*"]},{"tenant":"a","allowedActions":["X"]}]`:                                            `[{"allowedActions":["*"],"tenant":"b"},{"allowedActions":["X"],"tenant":"a"}]`,
		`[{"tenant":"a","allowedActions":["B","A"]},{"tenant":"*","allowedActions":[]},{"tenant":"a","allowedActions":["*","C"]}]`: `[{"allowedActions":["B","A"],"tenant":"a"},{"allowedActions":[],"tenant":"*"},{"allowedActions":["*","C"],"tenant":"a"}]`,
		`[{"tenant":"My site ü.<1>","allowedActions":["READ_TENANT","my.own:action"]}]`:                                            `[{"allowedActions":["READ_TENANT","my.own:action"],"tenant":"My site ü.<1>"}]`,
	} {
		for _, master := range []string{"true", "false"} {
			a := w.as(w.master, "POST", "/create", `{"tenantPermissions":`+sent+`,"application":"a \"b\" <c>","master":`+master+`}`)
			made := w.created(a)
			want := `{"application":"a \"b\" <c>","master":` + master + `,"tenantPermissions":` + want + `,"expiresOn":null,"id":"` + *made.ID + `"}`
			a.is(t, 200, want)
			w.as(w.master, "GET", "/"+*made.ID, "").is(t, 200, want)
		}
	}
}

func TestExpiresOn(t *testing.T) {
	w := newWorld(t)
	for sent, want := range map[string]string{
		`1704067200000`:                    `1704067200000`,
		`-86400000`:                        `-86400000`,
		`0`:                                `1`,
		`4102444800123`:                    `4102444800123`,
		`null`:                             `null`,
		`"2024-01-01"`:                     `1704067200000`,
		`"2024-01-01T00:00:00Z"`:           `1704067200000`,
		`"2024-01-01T02:00:00.000+02:00"`:  `1704067200000`,
		`"2024-01-01T02:00:00.000+0200"`:   `1704067200000`,
		`"2024-01-01T00:00:00.250"`:        `1704067200250`,
		`"2024-01-01T00:00"`:               `1704067200000`,
		`"Mon, 01 Jan 2024 00:00:00 GMT"`:  `1704067200000`,
		`"Mon, 1 Jan 2024 01:00:00 +0100"`: `1704067200000`,
	} {
		a := w.as(w.master, "POST", "/create", `{"application":"x","expiresOn":`+sent+`}`)
		if !strings.Contains(a.body, `"expiresOn":`+want+`,`) {
			t.Errorf("%s: %d %s", sent, a.status, a.body)
		}
	}
	for _, sent := range []string{`""`, `"soon"`, `1.5`, `1e3`, `true`, `[]`, `{}`, `"1704067200000"`, `"01/31/2030"`, `"2024-13-01"`,
		`"Mon, 01 Jan 2024 00:00:00 EST"`, `9223372036854775807`, `253402300800000`, `99999999999999999999`} {
		w.as(w.master, "POST", "/create", `{"application":"x","expiresOn":`+sent+`}`).says(t, 400, "PARAM_DESERIALIZATION_ERROR", "expiresOn")
	}
}

// Unknown properties, wrong types and what can't be kept as it is are refused.
func TestStrictInput(t *testing.T) {
	w := newWorld(t)
	w.quiet()
	grant := func(tenant, actions string) string {
		return `{"application":"x","tenantPermissions":[{"tenant":` + tenant + `,"allowedActions":` + actions + `}]}`
	}
	many := strings.Repeat(`{"allowedActions":["*"]},`, 256)
	for _, row := range []struct{ body, message string }{
		{``, "JSON"}, {`x`, "JSON"}, {`[]`, "JSON"}, {`null`, "JSON"}, {`"x"`, "JSON"}, {`{"application":"x"`, "JSON"}, {`{"application":"x"}{}`, "JSON"}, {`{application:"x"}`, "JSON"},
		{`{"application":"x","accessTokenId":"y"}`, "not known"},
		{`{"application":"x","Master":true}`, "not known"},
		{`{"application":"x","Id":"` + chosen + `"}`, "not known"},
		{`{"application":"x","tenantPermissions":[{"allowedActions":["*"],"name":"x"}]}`, "not known"},
		{`{"application":"x","application":"x"}`, "twice"},
		{`{}`, "application"}, {`{"application":null}`, "application"}, {`{"application":""}`, "application"}, {`{"application":1}`, "application"}, {`{"application":"a\u0007"}`, "name"},
		{`{"application":"` + strings.Repeat("x", 256) + `"}`, "255"},
		{`{"application":"x","master":"true"}`, "master"}, {`{"application":"x","master":1}`, "master"},
		{`{"application":"x","id":1}`, "id"}, {`{"application":"x","id":""}`, "id"}, {`{"application":"x","id":["` + chosen + `"]}`, "id"},
		{`{"application":"x","tenantPermissions":{}}`, "array"}, {`{"application":"x","tenantPermissions":"*"}`, "array"},
		{`{"application":"x","tenantPermissions":["*"]}`, "JSON object"}, {`{"application":"x","tenantPermissions":[null]}`, "JSON object"},
		{`{"application":"x","tenantPermissions":[{"tenant":"a"}]}`, "allowedActions"},
		{grant(`"a"`, `"*"`), "allowedActions"}, {grant(`"a"`, `[1]`), "allowedActions"}, {grant(`"a"`, `[null]`), "allowedActions"},
		{grant(`null`, `["*"]`), "tenant"}, {grant(`1`, `["*"]`), "tenant"}, {grant(`""`, `["*"]`), "tenant"},
		{grant(`"a/b"`, `["*"]`), "tenant"}, {grant(`"a*"`, `["*"]`), "tenant"}, {grant(`"%61"`, `["*"]`), "tenant"}, {grant(`".."`, `["*"]`), "tenant"}, {grant(`" a"`, `["*"]`), "tenant"}, {grant(`"a;b"`, `["*"]`), "tenant"},
		{grant(`"a"`, `["read"]`), "read"}, {grant(`"a"`, `["write"]`), "write"}, {grant(`"a"`, `["none"]`), "none"}, {grant(`"a"`, `["READ_*"]`), "*"}, {grant(`"a"`, `[""]`), "empty"}, {grant(`"a"`, `["a b"]`), "action"},
		{`{"application":"x","tenantPermissions":[` + many + `{"allowedActions":["*"]}]}`, "256"},
	} {
		w.as(w.master, "POST", "/create", row.body).says(t, 400, "PARAM_DESERIALIZATION_ERROR", row.message)
	}
}

// The seed: "Access Tokens are immutable, if you need to change the permissions
// for an existing token you need to delete it and create a new one using the
// same value for the ID", and a delete is effective "immediately".
func TestDeleteAndCreateAgainUnderTheSameID(t *testing.T) {
	w := newWorld(t)
	one := `{"application":"one","id":"` + chosen + `","tenantPermissions":[{"tenant":"site1","allowedActions":["*"]}]}`
	two := `{"application":"two","id":"` + chosen + `","tenantPermissions":[{"tenant":"site2","allowedActions":["*"]}]}`
	w.create(w.master, one)
	id := w.nativeID(chosen)
	w.as(w.master, "POST", "/create", two).refuses(t, 409, "ACCESS_TOKEN_EXISTS", `Access token "`+chosen+`" already exists`)
	for range 3 {
		w.filter(chosen, "site1", "READ_TENANT").is(t, 200, "")
		w.as(w.master, "POST", "/"+chosen+"/delete", "").is(t, 200, "")
		w.filter(chosen, "site1", "READ_TENANT").refuses(t, 403, "ACCESS_DENIED", `No access token found for ID "`+chosen+`"`)
		w.as(w.master, "GET", "/"+chosen, "").refuses(t, 404, "NO_SUCH_ACCESS_TOKEN_ID", `No access token found for ID "`+chosen+`"`)
		w.create(w.master, two)
		w.filter(chosen, "site1", "READ_TENANT").says(t, 403, "ACTION_DENIED", "READ_TENANT", "site1")
		w.filter(chosen, "site2", "READ_TENANT").is(t, 200, "")
		if got := w.nativeID(chosen); got != id {
			t.Errorf("the native id was %s, and is %s", id, got)
		}
		w.form(tokens+"/"+chosen+"/delete", "accessTokenId", w.master).is(t, 200, "")
		w.create(w.master, one)
	}
	if n := w.native(w.root, "GET", "/v1/accounts/crafter/tokens/"+id, "")["generation"]; n != 7.0 {
		t.Errorf("it is generation %v", n)
	}
	if got := w.list(w.master); len(got) != 2 {
		t.Errorf("%d tokens are listed", len(got))
	}
	for _, r := range [][2]string{{"PATCH", ""}, {"POST", "/disable"}, {"POST", "/rotate"}} {
		a := w.send(r[0], "/v1/accounts/crafter/tokens/"+id+r[1], `{"name":"x"}`[:12*btoi(r[0] == "PATCH")], "Authorization", "Bearer "+w.root)
		if a.status != 409 || !strings.Contains(a.body, `"immutable"`) {
			t.Errorf("natively %s%s: %d %s", r[0], r[1], a.status, a.body)
		}
	}
}

func btoi(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// Lists are in the order of creation; what was created again is newest.
func TestListInTheOrderOfCreation(t *testing.T) {
	w := newWorld(t)
	ids := []string{w.master}
	for i := range 40 {
		ids = append(ids, w.create(w.master, fmt.Sprintf(`{"application":"a%d"}`, i)))
	}
	again := ids[7]
	w.as(w.master, "POST", "/"+again+"/delete", "").is(t, 200, "")
	for at := time.Now().UnixMilli(); time.Now().UnixMilli() == at; {
		w.svc.Now() // two records of one millisecond have no order but the ids'
	}
	w.create(w.master, `{"application":"again","id":"`+again+`"}`)
	want := append(slices.Delete(slices.Clone(ids), 7, 8), again)
	var got []string
	for _, l := range w.list(w.master) {
		got = append(got, *l.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d tokens, or in another order", len(got), len(want))
	}
	if got := w.types(again); got != "issued revoked issued revealed" {
		t.Errorf("its records are: %s", got)
	}
}

func TestDeleteOfWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.quiet()
	for _, id := range []string{chosen, "x", "a%22b", strings.Repeat("x", 1000)} {
		w.as(w.master, "POST", "/"+id+"/delete", "").is(t, 200, "")
	}
	w.as(w.master, "POST", "/"+chosen+"/delete.json", "").is(t, 200, "")
	w.log.OnAppend(nil)
	// A native token is none of this door's, though its secret is known.
	secret := w.native(w.root, "POST", "/v1/accounts/crafter/tokens", `{"id":"mine","permissions":{"allow":[{"resource":"/tenant","actions":["*"]}]}}`)["secret"].(string)
	w.as(w.master, "POST", "/"+secret+"/delete", "").is(t, 200, "")
	w.as(w.master, "GET", "/"+secret, "").says(t, 404, "NO_SUCH_ACCESS_TOKEN_ID")
	w.filter(secret, "a", "READ_TENANT").is(t, 200, "")
	w.as(w.master, "POST", "/create", `{"application":"x","id":"`+secret+`"}`).says(t, 409, "ACCESS_TOKEN_EXISTS")
	w.native(w.root, "DELETE", "/v1/accounts/crafter/tokens/mine", "")
	w.as(w.master, "POST", "/create", `{"application":"x","id":"`+secret+`"}`).says(t, 409, "ACCESS_TOKEN_EXISTS")
	if got := w.list(w.master); len(got) != 1 {
		t.Errorf("%d tokens are listed", len(got))
	}
}

// A delete that was stored, and not fenced, is not done for whoever asks again:
// it is fenced then.
func TestADeleteAskedForAgainIsFenced(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"x"}`)
	w.as(w.master, "POST", "/"+id+"/delete", "").is(t, 200, "")
	fences := func() string {
		for line := range strings.SplitSeq(w.send("GET", "/metrics", "").body, "\n") {
			if strings.HasPrefix(line, "hallpass_commands_total") && strings.Contains(line, "revoke_token") && strings.Contains(line, "unchanged") {
				return line
			}
		}
		return ""
	}
	before := fences()
	w.as(w.master, "POST", "/"+id+"/delete", "").is(t, 200, "")
	if fences() == before {
		t.Error("the second delete was no command")
	}
}

// A node that is behind does not say of a token which it has not heard of that
// it is gone.
func TestADeleteOfWhatANodeHasNotHeardOf(t *testing.T) {
	w := newWorld(t)
	ring := keyring(t)
	serve := func(p *projections.Projection, log eventstore.Log, deadline time.Duration) string {
		srv := httptest.NewServer(New(api.NewService(api.ServiceConfig{
			Log: log, Projection: p, Keyring: func() *api.Keyring { return ring }, WriteDeadline: deadline,
		}), Config{}))
		t.Cleanup(srv.Close)
		return srv.URL + "/api/1/access_token"
	}
	p := projections.Open(w.memory, projections.Config{Node: projections.NodeConfig{Name: "n2"}})
	t.Cleanup(p.Close)
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ahead, behind := serve(p, w.memory, 0), serve(w.proj, w.log, 100*time.Millisecond)
	as := "?accessTokenId=" + w.master
	own := w.url
	w.url = ""
	w.log.Stall()
	id := *w.created(w.send("POST", ahead+"/create"+as, `{"application":"x"}`)).ID
	w.send("POST", behind+"/"+id+"/delete"+as, "").says(t, 503, "OTHER", "current")
	w.log.Resume()
	w.url = own
	w.as(w.master, "POST", "/"+id+"/delete", "").is(t, 200, "")
	w.url = ""
	w.send("GET", ahead+"/"+id+as, "").says(t, 404, "NO_SUCH_ACCESS_TOKEN_ID")
}

// One token, seen through both doors.
func TestATokenOfThisDoorIsANativeOne(t *testing.T) {
	w := newWorld(t)
	w.create(w.master, `{"application":"studio","master":true,"id":"`+chosen+`","tenantPermissions":[{"allowedActions":["READ_TENANT","X"],"tenant":"a"},{"allowedActions":["*"]}]}`)
	id := w.nativeID(chosen)
	at := "/v1/accounts/crafter/tokens/" + id
	shown := w.native(w.root, "GET", at, "")
	for name, want := range map[string]any{"id": id, "name": "studio", "origin": "crafter", "kind": "api", "state": "active", "revealable": true, "immutable": true, "imported": true} {
		if got := shown[name]; got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if !regexp.MustCompile(`^[a-z2-7]{32}$`).MatchString(id) {
		t.Errorf("the id %s", id)
	}
	permissions, _ := json.Marshal(shown["permissions"])
	if got, want := string(permissions), `{"allow":[{"actions":["CreateToken","ReadTokenConfig","ListTokens","DeleteToken","RevealToken","GovernTokens"],"resource":"/token"},{"actions":["READ_TENANT","X"],"resource":"/tenant/a","unverified":true},{"actions":["*"],"resource":"/tenant"}],"deny":[],"mode":"first_match"}`; got != want {
		t.Errorf("its permissions are %s", got)
	}
	w.list(w.master)
	w.as(w.master, "GET", "/"+chosen, "")
	if got := w.types(chosen); got != "issued revealed revealed" {
		t.Errorf("its records are: %s", got)
	}
	issued := w.native(w.root, "GET", at+"/events", "")["items"].([]any)[0].(map[string]any)
	if text := fmt.Sprint(issued); !strings.Contains(text, "wider:true") || !strings.Contains(text, w.nativeID(w.master)) {
		t.Errorf("its issue reads %s", text)
	}
	if account := w.native(w.root, "GET", "/v1/accounts/crafter", ""); account["state"] != "open" {
		t.Errorf("the account is %v", account)
	}
	w.native(w.root, "DELETE", at, "")
	w.filter(chosen, "", "READ_TENANT").says(t, 403, "ACCESS_DENIED", "No access token found")
}

// Two nodes that create the same id at once make one token.
func TestTheSameIDTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	body := `{"application":"x","id":"` + chosen + `"}`
	other := httptest.NewServer(New(api.NewService(api.ServiceConfig{
		Log: w.log, Projection: w.proj, Keyring: func() *api.Keyring { return keyring(t) },
	}), Config{}))
	defer other.Close()
	var first string
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, "token.issued") {
			w.log.OnAppend(nil)
			res, err := http.Post(other.URL+"/api/1/access_token/create?accessTokenId="+w.root, "", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return eventstoretest.None
			}
			first = res.Status
			_ = res.Body.Close()
		}
		return eventstoretest.None
	})
	w.as(w.master, "POST", "/create", body).says(t, 409, "ACCESS_TOKEN_EXISTS")
	if first != "200 OK" {
		t.Errorf("the first: %s", first)
	}
	if got := w.list(w.master); len(got) != 2 {
		t.Errorf("%d tokens are listed", len(got))
	}
}

// A native id tells as little of an id as its digest, and differs by stream.
func TestNativeIDsDifferByStream(t *testing.T) {
	secret, err := domain.ParseBearer(chosen)
	if err != nil {
		t.Fatal(err)
	}
	a, b := newWorldWith(t, setup{}), newWorldWith(t, setup{})
	if a.svc.DerivedID(secret) == b.svc.DerivedID(secret) {
		t.Error("two streams make the same id of a secret")
	}
}
