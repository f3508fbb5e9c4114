package crafter

import (
	"strings"
	"testing"
)

// What was issued natively in this door's name is seen here: as far as the
// object can say it, and with its id where that is kept.
func TestNativeTokensInThisDoorsName(t *testing.T) {
	w := newWorld(t)
	all := "/v1/accounts/crafter/tokens"
	brought := w.native(w.root, "POST", all, `{"origin":"crafter","name":"brought","secret":"`+chosen+`","revealable":true,"permissions":{"allow":[{"resource":"/tenant/a","actions":["X"],"unverified":true},{"resource":"/device","actions":["read"]}]}}`)
	plain := w.native(w.root, "POST", all, `{"origin":"crafter","id":"own","name":"plain","permissions":{"mode":"first_match","allow":[{"resource":"/tenant","actions":["*"]}]}}`)["secret"].(string)
	w.native(w.root, "POST", all, `{"id":"foreign","name":"foreign","permissions":{"allow":[{"resource":"/tenant","actions":["*"]}]}}`)
	a := w.as(w.master, "GET", "/all", "")
	rest := `,{"application":"brought","master":false,"tenantPermissions":[{"allowedActions":["X"],"tenant":"a"}],"expiresOn":null,"id":"` + chosen +
		`"},{"application":"plain","master":false,"tenantPermissions":[{"allowedActions":["*"],"tenant":"*"}],"expiresOn":null,"id":null}]`
	if !strings.HasSuffix(a.body, `"id":"`+w.master+`"}`+rest) {
		t.Errorf("the list is %s", a.body)
	}
	w.as(w.master, "GET", "/"+plain, "").is(t, 200, `{"application":"plain","master":false,"tenantPermissions":[{"allowedActions":["*"],"tenant":"*"}],"expiresOn":null,"id":"`+plain+`"}`)
	w.as(w.master, "POST", "/create", `{"application":"x","id":"`+chosen+`"}`).says(t, 409, "ACCESS_TOKEN_EXISTS")
	for _, id := range []string{plain, chosen} {
		w.as(w.master, "POST", "/"+id+"/delete", "").is(t, 200, "")
		w.filter(id, "a", "X").refuses(t, 403, "ACCESS_DENIED", noToken(id))
	}
	w.create(w.master, `{"application":"x","id":"`+chosen+`"}`)
	if got := w.nativeID(chosen); got != brought["id"] {
		t.Errorf("it was %v, and is %s", brought["id"], got)
	}
	// One that is disabled natively is there, and is no master that works.
	second := w.native(w.root, "POST", all, `{"origin":"crafter","id":"second","permissions":{"allow":[{"resource":"/token","actions":["GovernTokens"]}]}}`)["id"].(string)
	w.native(w.root, "POST", all+"/"+second+"/disable", "")
	w.as(w.master, "POST", "/"+w.master+"/delete", "").says(t, 403, "ACTION_DENIED", "master")
	w.native(w.root, "POST", all+"/"+second+"/enable", "")
	w.as(w.master, "POST", "/"+w.master+"/delete", "").is(t, 200, "")
}
