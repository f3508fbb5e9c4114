package thinger

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"hallpass/domain"
)

const exported = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJqdGkiOiJ0MSIsInN2ciI6ImhvbWUiLCJ1c3IiOiJhbGljZSJ9.mZ0Xq7cV4tLw9kR2sB6nJ1yH8dF3gP5aU0eK7oIvCxQ"

// A token's configuration, with its bearer beside it, makes the same token.
func TestImportOfARow(t *testing.T) {
	got, err := Import([]byte(`{"token":"t1","name":"One","description":"d","enabled":false,"created":1,"modified":2,"user":"home","sign_key":"k","expire":1704067200,
		"allow":{"Device":{"d1":["ReadBucket","Made*",{"AccessDeviceResources":["led"]}]}},"deny":{"Token":{"*":"*"}},"access_token":"` + exported + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := domain.IssueToken{
		Token: "t1", Name: "One", Description: "d", Origin: "thinger", Disabled: true, ExpiresAt: 1704067200000,
		Permissions: domain.Permissions{
			Mode: domain.Union,
			Allow: []domain.Grant{
				{Resource: "/device/d1", Actions: []domain.Action{"ReadBucket", "Made*"}, Unverified: true},
				{Resource: "/device/d1/led", Actions: []domain.Action{"AccessDeviceResources"}, Unverified: true},
			},
			Deny: []domain.Grant{{Resource: "/token", Actions: []domain.Action{"*"}, Unverified: true}},
		},
	}
	if !reflect.DeepEqual(got.IssueToken, want) || got.Secret.Reveal() != exported || got.Revealable {
		t.Errorf("got %+v\nwant %+v", got.IssueToken, want)
	}
}

func TestImportRefusesRows(t *testing.T) {
	const rest = `"enabled":true,"allow":{},"access_token":"` + exported + `"`
	for name, row := range map[string]string{
		"as a list shows it":      `{"created":1,"enabled":true,"modified":1,"name":"n","token":"t1"}`,
		"no rights":               `{"token":"t1","name":"n","enabled":true,"access_token":"` + exported + `"}`,
		"no id":                   `{"name":"n",` + rest + `}`,
		"an id it can't have":     `{"token":"a.b",` + rest + `}`,
		"not said if enabled":     `{"token":"t1","allow":{},"access_token":"` + exported + `"}`,
		"a name that is none":     `{"token":"t1","denies":{},` + rest + `}`,
		"a bearer with a space":   `{"token":"t1","enabled":true,"allow":{},"access_token":"a ` + exported + `"}`,
		"the bearer in the name":  `{"token":"t1","name":"` + exported + `",` + rest + `}`,
		"the bearer is no string": `{"token":"t1","enabled":true,"allow":{},"access_token":7}`,
	} {
		_, err := Import([]byte(row))
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), exported[5:40]) {
			t.Errorf("%s: the bearer shows: %v", name, err)
		}
	}
	for _, id := range []string{"t1", "a-clone"} {
		if _, err := Import([]byte(`{"token":"` + id + `",` + rest + `}`)); err != nil {
			t.Errorf("%s, without what is wrong: %v", id, err)
		}
	}
}

// A fresh user has one token that may do everything, whose bearer clients can
// take apart.
func TestSeed(t *testing.T) {
	got, err := Seed("alice", "hall.example")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Token != "admin" || got[0].Permissions.Allow[0].Resource != "/" {
		t.Fatalf("got %+v", got)
	}
	part := strings.Split(got[0].Secret.Reveal(), ".")[1]
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal(raw, &c); err != nil || c.User != "alice" || c.Server != "hall.example" || c.Token != "admin" {
		t.Errorf("the claims are %s (%v)", raw, err)
	}
	if _, err := Seed("a user", ""); domain.CodeOf(err) != domain.CodeInvalid {
		t.Errorf("a name that no user has: %v", err)
	}
}
