package crafter

import (
	"strings"
	"testing"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
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

// What has the native id that goes with an id, and another secret, is not what
// that id names.
func TestANativeIDWithAnotherSecret(t *testing.T) {
	w := newWorld(t)
	secret, err := domain.ParseBearer(chosen)
	if err != nil {
		t.Fatal(err)
	}
	native := string(w.svc.DerivedID(secret))
	own := w.native(w.root, "POST", "/v1/accounts/crafter/tokens", `{"origin":"crafter","id":"`+native+`","name":"n","permissions":{"allow":[{"resource":"/tenant","actions":["*"]}]}}`)["secret"].(string)
	w.as(w.master, "GET", "/"+chosen, "").refuses(t, 404, "NO_SUCH_ACCESS_TOKEN_ID", noToken(chosen))
	w.as(w.master, "POST", "/"+chosen+"/delete", "").is(t, 200, "")
	w.filter(own, "a", "READ_TENANT").is(t, 200, "")
	w.as(w.master, "GET", "/"+own, "").is(t, 200, `{"application":"n","master":false,"tenantPermissions":[{"allowedActions":["*"],"tenant":"*"}],"expiresOn":null,"id":"`+own+`"}`)

	// Nor is one that was issued again, by the secret that it had before.
	w.as(w.master, "POST", "/"+own+"/delete", "").is(t, 200, "")
	second := w.native(w.root, "POST", "/v1/accounts/crafter/tokens", `{"origin":"crafter","id":"`+native+`","permissions":{"allow":[{"resource":"/tenant","actions":["*"]}]}}`)["secret"].(string)
	w.as(w.master, "GET", "/"+own, "").refuses(t, 404, "NO_SUCH_ACCESS_TOKEN_ID", noToken(own))
	w.as(w.master, "POST", "/"+own+"/delete", "").is(t, 200, "")
	w.filter(second, "a", "READ_TENANT").is(t, 200, "")
}

// That others keep changing a native token does not say that there is one.
func TestACreateThatIsHeldUp(t *testing.T) {
	w := newWorld(t)
	another := api.NewService(api.ServiceConfig{Log: w.memory, Projection: w.proj}) // of another process, for who takes turns
	do := func(c domain.Command) {
		if _, err := another.Do(t.Context(), another.Operator(), c, api.WaitCommit); err != nil {
			t.Error(err)
		}
	}
	w.log.OnAppend(func(e eventstore.Entry) eventstoretest.Fault {
		if strings.HasPrefix(e.Type, "token.issued") {
			secret, err := another.NewSecret()
			if err != nil {
				t.Error(err)
			}
			token := domain.TokenID(e.Subject[strings.LastIndexByte(string(e.Subject), '.')+1:])
			do(domain.IssueToken{Account: DefaultAccount, Token: token, Digest: secret.Digest()})
			do(domain.RevokeToken{Account: DefaultAccount, Token: token})
		}
		return eventstoretest.None
	})
	w.as(w.master, "POST", "/create", `{"application":"x","id":"`+chosen+`"}`).says(t, 503, "OTHER", "try again")
	w.log.OnAppend(nil)
	w.create(w.master, `{"application":"x","id":"`+chosen+`"}`)
}
