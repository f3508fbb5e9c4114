package nbiot

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The platform's own examples, in their order; only the secrets are ours.
func TestTheDocumentsOwnRequests(t *testing.T) {
	w := newWorld(t)
	w.as(w.session, "GET", "/tokens", "").is(t, 200, `{"tokens":[]}`)

	all := w.create(w.session, `{"resource":"/","write":true}`)
	w.as(w.session, "GET", "/tokens", "").is(t, 200, said(t, all, `{
  "tokens": [
    {
      "resource": "/",
      "write": true,
      "token": "583b2503f03e5ca2d1032e3e906e55cbb178a6025019606d917660c027661e64"
    }
  ]
}`))

	made := w.as(w.session, "POST", "/tokens", `{"resource":"/teams", "write": false, "tags":{"name": "the read-only team token"}}`)
	var teams token
	strict(t, made.body, &teams)
	if teams.Token == all {
		t.Fatal("two tokens have the same secret")
	}
	made.is(t, 201, said(t, teams.Token, `{
  "resource": "/teams",
  "write": false,
  "token": "7c7a20322b726931bbdee283f41286adc25ce38bd5b0ab0dbf1517cbcd58d70d",
  "tags": {
    "name": "the read-only team token"
  }
}`))

	w.as(w.session, "PATCH", "/tokens/"+teams.Token, `{"tags":{"new":"attribute"}}`).is(t, 200, said(t, teams.Token, `{
  "resource": "/teams",
  "write": false,
  "token": "7c7a20322b726931bbdee283f41286adc25ce38bd5b0ab0dbf1517cbcd58d70d",
  "tags": {
    "name": "the read-only team token",
    "new": "attribute"
  }
}`))

	gone := w.as(w.session, "DELETE", "/tokens/"+teams.Token, "")
	gone.is(t, 204, "")
	if gone.header.Get("Content-Type") != "" {
		t.Error("204 names a type")
	}
	w.as(w.session, "DELETE", "/tokens/"+teams.Token, "").is(t, 404, "no such token")
}

// said is an answer of the document, in few bytes, with a secret of ours.
func said(t *testing.T, secret, answer string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(answer)); err != nil {
		t.Fatal(err)
	}
	for _, theirs := range []string{
		"583b2503f03e5ca2d1032e3e906e55cbb178a6025019606d917660c027661e64",
		"7c7a20322b726931bbdee283f41286adc25ce38bd5b0ab0dbf1517cbcd58d70d",
	} {
		b = *bytes.NewBufferString(strings.ReplaceAll(b.String(), theirs, secret))
	}
	return b.String()
}
