package nbiot

import (
	"reflect"
	"strings"
	"testing"

	"hallpass/domain"
)

const exported = "583b2503f03e5ca2d1032e3e906e55cbb178a6025019606d917660c027661e64"

// A row of the platform's list makes the token that a create would have made.
func TestImportOfARow(t *testing.T) {
	got, err := Import([]byte(`{"resource":"/teams","Write":true,"Token":"` + exported + `","tags":{" Name ":"x","empty":""}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := domain.IssueToken{Origin: "nbiot", Tags: []domain.Tag{{Key: "name", Value: "x"}}, Permissions: permissions("/teams", true, nil)}
	if !reflect.DeepEqual(got.IssueToken, want) || got.Secret.Reveal() != exported || !got.Revealable {
		t.Errorf("got %+v, want %+v", got.IssueToken, want)
	}
}

func TestImportOfAResourceThatEndsInASlash(t *testing.T) {
	got, err := Import([]byte(`{"resource":"/teams/","write":false,"token":"` + exported + `"}`))
	if err != nil || got.Permissions.Allow[0].Resource != "/teams/*" {
		t.Errorf("got %+v, %v", got.Permissions, err)
	}
}

func TestImportRefusesRows(t *testing.T) {
	for name, row := range map[string]string{
		"no object":               `"` + exported + `"`,
		"no token":                `{"resource":"/","write":true}`,
		"what hallpass can't say": `{"resource":"/","write":true,"token":""}`,
		"a short token":           `{"resource":"/","write":true,"token":"` + exported[1:] + `"}`,
		"a token in capitals":     `{"resource":"/","write":true,"token":"` + strings.ToUpper(exported) + `"}`,
		"no resource":             `{"write":true,"token":"` + exported + `"}`,
		"two slashes":             `{"resource":"//","write":true,"token":"` + exported + `"}`,
		"a relative resource":     `{"resource":"teams","write":true,"token":"` + exported + `"}`,
		"no write":                `{"resource":"/","token":"` + exported + `"}`,
		"the secret in a tag":     `{"resource":"/","write":true,"token":"` + exported + `","tags":{"a":"` + exported + `"}}`,
		"the secret in a path":    `{"resource":"/` + exported + `","write":true,"token":"` + exported + `"}`,
	} {
		got, err := Import([]byte(row))
		if err == nil || !got.Secret.IsZero() {
			t.Errorf("%s is taken", name)
		} else if strings.Contains(strings.ToLower(err.Error()), exported[1:20]) {
			t.Errorf("%s: the secret shows: %v", name, err)
		}
	}
}
