package crafter

import (
	"reflect"
	"strings"
	"testing"

	"hallpass/domain"
)

const exportedID = "a3f1a69c-3a7d-4b28-a944-61a7dc6877b8"

// A row of the platform's list makes the token that a create would have made.
func TestImportOfARow(t *testing.T) {
	row := []byte(`{"application":"studio","master":true,"tenantPermissions":[{"allowedActions":["*"],"tenant":"*"}],"expiresOn":1704067200000,"id":"` + exportedID + `"}`)
	got, err := Import(row)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(row)
	if err != nil {
		t.Fatal(err)
	}
	want, err := parsed.Command("")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.IssueToken, want) || got.Secret.Reveal() != exportedID || !got.Revealable || got.ExpiresAt != 1704067200000 {
		t.Errorf("got %+v, want %+v", got.IssueToken, want)
	}
}

func TestImportRefusesRows(t *testing.T) {
	for name, row := range map[string]string{
		"no object":                `[]`,
		"no id":                    `{"application":"a"}`,
		"an id that was not shown": `{"application":"a","id":null}`,
		"no application":           `{"id":"` + exportedID + `"}`,
		"another property":         `{"application":"a","id":"` + exportedID + `","secret":"x"}`,
		"an id no path can name":   `{"application":"a","id":"a/` + exportedID + `"}`,
		"an id with a space":       `{"application":"a","id":"a ` + exportedID + `"}`,
		"the id in a name":         `{"application":"` + exportedID + `","id":"` + exportedID + `"}`,
		"the id in a tenant":       `{"application":"a","tenantPermissions":[{"allowedActions":[],"tenant":"` + exportedID + `"}],"id":"` + exportedID + `"}`,
		"an action with a *":       `{"application":"a","tenantPermissions":[{"allowedActions":["READ*"]}],"id":"` + exportedID + `"}`,
	} {
		_, err := Import([]byte(row))
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(err.Error(), exportedID[1:20]) {
			t.Errorf("%s: the id shows: %v", name, err)
		}
	}
}

// The three tokens of a fresh installation, with ids that nobody knows.
func TestSeed(t *testing.T) {
	first, err := Seed("crafter", "")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := Seed("crafter", "")
	want := []string{"adminconsole", "crafterengine", "craftersocial"}
	if len(first) != len(want) {
		t.Fatalf("got %d tokens", len(first))
	}
	for i, in := range first {
		id := in.Secret.Reveal()
		if in.Name != want[i] || id == second[i].Secret.Reveal() || Published(id) {
			t.Errorf("%d is %s with the id %s", i, in.Name, id)
		}
		if _, err := domain.ImportSecret(id, false); err != nil {
			t.Errorf("%s is not taken as a secret: %v", id, err)
		}
		if master := isMaster(&domain.Token{Permissions: in.Permissions}); master != (i == 0) {
			t.Errorf("%s: master is %v", in.Name, master)
		}
	}
	if !Published("E8F5170C-877b-416f-b70f-4b09772f8e2d") || Published(exportedID) {
		t.Error("what is published is not told")
	}
}
