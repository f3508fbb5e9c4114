package crafter

import (
	"strings"
	"testing"
)

// The seed's example: "Query data from both tenants site1 and site2. Update only
// tenant site2. Query, create, update and delete profiles for both."
func TestTheSeedsExample(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"sites","tenantPermissions":[
		{"tenant":"site1","allowedActions":["READ_TENANT","MANAGE_PROFILES"]},
		{"tenant":"site2","allowedActions":["READ_TENANT","UPDATE_TENANT","MANAGE_PROFILES"]}]}`)
	for tenant, allowed := range map[string]string{"site1": "READ_TENANT MANAGE_PROFILES", "site2": "READ_TENANT UPDATE_TENANT MANAGE_PROFILES", "site3": "", "": "", "site": "", "site11": "", "Site1": ""} {
		for _, action := range strings.Fields("CREATE_TENANT READ_TENANT UPDATE_TENANT DELETE_TENANT MANAGE_PROFILES MANAGE_TICKETS") {
			a := w.filter(id, tenant, action)
			if strings.Contains(allowed, action) {
				a.is(t, 200, "")
			} else {
				a.says(t, 403, "ACTION_DENIED", action, `"`+tenant)
			}
		}
	}
}

// The first entry whose tenant is * or the same decides, even if it denies. An
// operation without a tenant matches * alone.
func TestTheFirstEntryDecides(t *testing.T) {
	w := newWorld(t)
	for _, row := range []struct{ entries, allowed, denied string }{
		{`{"tenant":"a","allowedActions":["X"]},{"tenant":"*","allowedActions":["*"]}`, "a/X b/X b/Y /Y */Y", "a/Y"},
		{`{"tenant":"*","allowedActions":["X"]},{"tenant":"a","allowedActions":["*"]}`, "a/X b/X /X", "a/Y /Y"},
		{`{"tenant":"a","allowedActions":["X"]},{"tenant":"a","allowedActions":["Y"]}`, "a/X", "a/Y b/X /X"},
		{`{"tenant":"a","allowedActions":[]},{"allowedActions":["*"]}`, "b/X /X", "a/X a/none a/READ_TENANT"},
		{`{"tenant":"a","allowedActions":null},{"allowedActions":["*"]}`, "b/X /X", "a/X a/none a/READ_TENANT"},
		{`{"allowedActions":[]},{"tenant":"a","allowedActions":["*"]}`, "", "a/X b/X /X /none"},
		{``, "", "a/X /X"},
		{`{"tenant":"a","allowedActions":["*"]}`, "a/X a/READ_TENANT", "/X */X b/X a/b/X a%2Fb/X A/X a//X ../X a/../X"},
		{`{"tenant":"a","allowedActions":["READ_TENANT"]}`, "a/READ_TENANT", "a/read_tenant a/read a/READ_TENAN a/READ_TENANTS a/*"},
		{`{"allowedActions":["*"]}`, "a/X", "a/read a/write a/none a/* a/X* a/b/X"},
	} {
		id := w.create(w.master, `{"application":"x","tenantPermissions":[`+row.entries+`]}`)
		for want, cases := range map[int]string{200: row.allowed, 403: row.denied} {
			for _, c := range strings.Fields(cases) {
				cut := strings.LastIndex(c, "/")
				a := w.filter(id, c[:cut], c[cut+1:])
				if a.status != want {
					t.Errorf("%s on %s: %d %s", c, row.entries, a.status, a.body)
				}
				if want == 403 {
					a.says(t, 403, "ACTION_DENIED", c[cut+1:])
				}
			}
		}
	}
}

// What can't be read is a 403 too: gateways take anything else for a fault.
func TestTheFilterSaysYesOrNo(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"x","tenantPermissions":[{"tenant":"a","allowedActions":["X"]}]}`)
	at := "/crafter-profile/api/1/filter"
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		for _, suffix := range []string{"", ".json"} {
			a := w.send(method, at+suffix+"?accessTokenId="+id+"&tenant=a&action=X", "whatever", "Content-Type", "text/plain")
			a.is(t, 200, "")
			w.send(method, at+suffix+"?accessTokenId="+id+"&tenant=b&action=X", "").says(t, 403, "ACTION_DENIED")
		}
	}
	w.form(at, "accessTokenId", id, "tenant", "a", "action", "X").is(t, 200, "")
	w.form(at+"?tenant=a", "accessTokenId", id, "tenant", "b", "action", "X").says(t, 403, "ACCESS_DENIED", "twice")
	w.filter(id, "a", "X", "action", "Y").says(t, 403, "ACCESS_DENIED", "twice")
	w.filter(id, "a", "").says(t, 403, "ACTION_DENIED", "action")
	w.send("GET", at+"?accessTokenId=%zz", "").says(t, 403, "ACCESS_DENIED", "parameters")
	w.send("GET", at+"?accessTokenId="+id+"&tenant=a;action=X", "").says(t, 403, "ACCESS_DENIED", "parameters")
	w.form(at, "accessTokenId", strings.Repeat("x", 16<<10)).says(t, 403, "ACCESS_DENIED", "16 KiB")
}

// A call here is a use of its token there.
func TestUsesCount(t *testing.T) {
	w := newWorld(t)
	id := w.create(w.master, `{"application":"x","tenantPermissions":[{"tenant":"a","allowedActions":["X"]}]}`)
	w.filter(id, "a", "X").is(t, 200, "")
	w.filter(id, "b", "X").says(t, 403, "ACTION_DENIED")
	w.list(w.master)
	for secret, want := range map[string]float64{id: 2, w.master: 2} {
		used, _ := w.native(w.root, "GET", "/v1/accounts/crafter/tokens/"+w.nativeID(secret), "")["last_used"].(map[string]any)
		if used["count"] != want {
			t.Errorf("used %v, want %v times", used["count"], want)
		}
	}
}
