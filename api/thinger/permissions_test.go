package thinger

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
)

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What is put in comes out again, with its names in order.
func TestPermissionsComeOutAsTheyWentIn(t *testing.T) {
	for in, out := range map[string]string{
		`{}`:                                 ``,
		`{"*":{"*":"*"}}`:                    ``,
		`{"*":{"*":["*"]}}`:                  `{"*":{"*":"*"}}`,
		`{"Device":{"*":"*"}}`:               ``,
		`{"Device":{"d1":"*"}}`:              ``,
		`{"Device":{"d1":"GetDeviceStats"}}`: `{"Device":{"d1":["GetDeviceStats"]}}`,
		`{"Device":{"d1":["UpdateDevice","DeleteDevice"]}}`:                                 `{"Device":{"d1":["DeleteDevice","UpdateDevice"]}}`,
		`{"Device":{"d1":["Read*","Read*"]}}`:                                               `{"Device":{"d1":["Read*"]}}`,
		`{"Device":{"d1":["*","Read*"]}}`:                                                   ``,
		`{"Device":{"d1":[]},"Bucket":{}}`:                                                  `{}`,
		`{"Bucket":{"b":["ReadBucket"]},"Device":{"*":"*"}}`:                                ``,
		`{"*":{"d1":["Read*"]}}`:                                                            ``,
		`{"Device":{"d1":["Read*",{"AccessDeviceResources":["led","temperature"]}]}}`:       ``,
		`{"Device":{"d1":[{"AccessDeviceResources":["temperature","led","led"]},"Read*"]}}`: `{"Device":{"d1":["Read*",{"AccessDeviceResources":["led","temperature"]}]}}`,
		`{"Device":{"d1":{"AccessDeviceResources":"led"}}}`:                                 `{"Device":{"d1":[{"AccessDeviceResources":["led"]}]}}`,
		`{"Device":{"d1":["*",{"B":"x"},{"A":["y","x/z"]},{"B":["*"]}]}}`:                   `{"Device":{"d1":["*",{"A":["x/z","y"],"B":["*","x"]}]}}`,
		` { "Device" : { "d1" : [ "A" , { "B" : [ "x" , "y" ] , "C" : "z" } ] } } `:         `{"Device":{"d1":["A",{"B":["x","y"],"C":["z"]}]}}`,
		`{"Device":{"d1":[{"*":["led"]}]}}`:                                                 ``,
		`{"Device":{"*":["A",{"B":["led"]}]},"*":{"*":[{"C":["*/x"]}],"d1":[{"D":["*"]}]}}`: `{"*":{"*":[{"C":["*/x"]}],"d1":[{"D":["*"]}]},"Device":{"*":["A",{"B":["led"]}]}}`,
		`{"Device":{"d1/temperature":["Read*"]}}`:                                           `{"Device":{"d1":[{"Read*":["temperature"]}]}}`,
		`{"Device":{"d1/temperature":[{"A":"max"}],"d1":[{"A":["temperature/min"]}]}}`:      `{"Device":{"d1":[{"A":["temperature/max","temperature/min"]}]}}`,
		`{"Device":{"*/temperature":["Read*"],"d1/*":"*"}}`:                                 `{"Device":{"*":[{"Read*":["temperature"]}],"d1":[{"*":["*"]}]}}`,
		`{"Product":{"*":["CloneToken","Whatever","a.b:c"]}}`:                               ``,
		`{"OAuthClient":{"x-1":"*"},"FileStorage":{"y":"*"}}`:                               `{"FileStorage":{"y":"*"},"OAuthClient":{"x-1":"*"}}`,
		`{"device":{"d1":"*"}}`:                                                             `{"Device":{"d1":"*"}}`,
		`{"device":{"d1":"A"},"Device":{"d1":["B"]}}`:                                       `{"Device":{"d1":["A","B"]}}`,
		`{"Device":{"*":["read","write"]}}`:                                                 ``,
		`null`:                                                                              `{}`,
	} {
		if out == "" {
			out = in
		}
		for _, name := range []string{"allow", "deny"} {
			c, err := readChange([]byte(`{"` + name + `":` + in + `}`))
			if err != nil {
				t.Errorf("%s: %v", in, err)
				continue
			}
			p := merged(domain.Permissions{Mode: domain.Union}, c.allow, c.deny)
			got := allowTree(&p)
			if name == "deny" {
				got = denyTree(&p)
			}
			if text(t, got) != out {
				t.Errorf("%s of %s comes out as %s", name, in, text(t, got))
			}
		}
	}
}

func TestPermissionsThatAreNone(t *testing.T) {
	for _, in := range []string{
		`[]`, `"*"`, `1`, `{"Device":"*"}`, `{"Device":["*"]}`, `{"Device":null}`, `{"Device":{"*":1}}`, `{"Device":{"*":{}}}`, `{"Device":{"*":null}}`,
		`{"Device":{"*":[1]}}`, `{"Device":{"*":[["A"]]}}`, `{"":{"*":"*"}}`, `{"Device":{"":"*"}}`, `{"/":{"*":"*"}}`, `{"Device/d1":{"*":"*"}}`,
		`{"Device":{"../token":"*"}}`, `{"Device":{"d*":"*"}}`, `{"Dev*":{"*":"*"}}`, `{"Device":{"/d1":"*"}}`, `{"Device":{"d1/":"*"}}`, `{"%44evice":{"x":"*"}}`,
		`{"Device":{"%2a":"*"}}`, `{"Device":{"d%31":"*"}}`, `{"Device":{"*":"A"},"Device":{"*":"B"}}`, `{"Device":{"*":"A","*":"B"}}`, `{"Device":{"*":"A"}`,
		`{"Device":{"d1":[{}]}}`, `{"Device":{"d1":[{"A":[]}]}}`, `{"Device":{"d1":[{"A":""}]}}`, `{"Device":{"d1":[{"A":["led",""]}]}}`, `{"Device":{"d1":[{"A":null}]}}`,
		`{"Device":{"d1":[{"A":1}]}}`, `{"Device":{"d1":[{"A":{}}]}}`, `{"Device":{"d1":[{"A":[["led"]]}]}}`, `{"Device":{"d1":[{"A":"x","A":"y"}]}}`, `{"Device":{"d1":[null]}}`,
		`{"Device":{"d1":[{"A":"/led"}]}}`, `{"Device":{"d1":[{"A":"led/"}]}}`, `{"Device":{"d1":[{"A":"../d2"}]}}`, `{"Device":{"d1":[{"A":"l*"}]}}`, `{"Device":{"d1":[{"A":"%6ced"}]}}`,
		`{"Device":{"":[{"A":"led"}]}}`, `{"Device":{"d%31":[{"A":"led"}]}}`,
	} {
		if c, err := readChange([]byte(`{"allow":` + in + `}`)); err == nil {
			t.Errorf("%s is taken as %v", in, *c.allow)
		}
	}
}

// What a native edit made shows as the nearest that the grammar can say.
func TestGrantsThatTheGrammarCannotSay(t *testing.T) {
	for resource, allow := range map[domain.Pattern]string{
		"/device/*": `{"Device":{"*":["A"]}}`,
		"/*":        `{"*":{"*":["A"]}}`,
		"/*/*":      `{"*":{"*":["A"]}}`,
		"/Device/x": `{"*":{"x":["A"]}}`,
		"/Device":   `{"*":{"*":["A"]}}`,
		"/Device/*": `{"*":{"*":["A"]}}`,
	} {
		grants := []domain.Grant{{Resource: resource, Actions: []domain.Action{"A"}}}
		p := domain.Permissions{Mode: domain.Union, Allow: grants, Deny: grants}
		if got := text(t, allowTree(&p)); got != allow {
			t.Errorf("allow on %s shows as %s", resource, got)
		}
		if got := text(t, denyTree(&p)); got != `{}` {
			t.Errorf("deny on %s shows as %s", resource, got)
		}
	}
}

// Whatever permissions a token has: nothing that it may do is left out of what
// is shown, and nothing seems forbidden that is not. Putting back what was shown
// changes nothing, and putting back a part of it never gives more than that part
// was before.
func TestWhatIsShownIsNeverLessThanWhatIs(t *testing.T) {
	universe := domaintest.Universe()
	rapid.Check(t, func(rt *rapid.T) {
		p := domaintest.Permissions().Draw(rt, "permissions")
		allow, deny := text(t, allowTree(&p)), text(t, denyTree(&p))
		in, err := readChange([]byte(`{"allow":` + allow + `,"deny":` + deny + `}`))
		if err != nil {
			rt.Fatalf("%s %s can't be put back: %v", allow, deny, err)
		}
		if got := merged(p, in.allow, in.deny); !reflect.DeepEqual(got, p) {
			rt.Fatalf("put back, it is\n%+v", got)
		}
		shown := domain.Permissions{Mode: domain.Union, Allow: *in.allow}
		hidden := domain.Permissions{Mode: domain.Union, Allow: *in.deny} // as what it covers
		denied := domain.Permissions{Mode: domain.Union, Allow: p.Deny}
		for _, n := range universe {
			if p.Decide(n).Allowed() && !shown.Decide(n).Allowed() {
				rt.Fatalf("%s on %s is not in %s", n.Action, n.Resource, allow)
			}
			if hidden.Decide(n).Allowed() && !denied.Decide(n).Allowed() {
				rt.Fatalf("%s on %s is not denied, as %s says", n.Action, n.Resource, deny)
			}
		}
		for typ := range allowTree(&p) { // one type less
			less := allowTree(&p)
			delete(less, typ)
			in, err := readChange([]byte(`{"allow":` + text(t, less) + `,"deny":{}}`))
			if err != nil {
				rt.Fatal(err)
			}
			got, was := merged(p, in.allow, nil), p
			was.Mode = domain.Union
			for _, n := range universe {
				if got.Decide(n).Allowed() && !was.Decide(n).Allowed() {
					rt.Fatalf("without %s, %s on %s is allowed", typ, n.Action, n.Resource)
				}
			}
		}
		left := merged(p, nil, &[]domain.Grant{})
		for _, d := range p.Deny { // what could not be seen is not taken away
			_, exact := placeOf(d.Resource)
			if there := slices.ContainsFunc(left.Deny, func(g domain.Grant) bool { return reflect.DeepEqual(g, d) }); there == exact {
				rt.Fatalf("with no deny, that on %s is there: %v", d.Resource, there)
			}
		}
	})
}
