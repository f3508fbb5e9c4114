package domain_test

import (
	"encoding/json"
	"strings"
	"testing"

	"hallpass/domain"
)

func TestChange(t *testing.T) {
	const (
		reason      = `{"reason":"compromised","reason_text":"found in a public repository"}`
		permissions = `{"allow":[` +
			`{"actions":["AccessDeviceResources","Read*"],"resource":"/device/thermo1"},` +
			`{"actions":["read","door.open"],"resource":"/*/thermö","unverified":true}],` +
			`"deny":[{"actions":["*"],"resource":"/device/thermo1/reset"}],"mode":"first_match"}`
		conditions = `{"allow":["0.0.0.0/0","10.0.0.0/8","10.0.0.0/9","192.0.2.7/32","2001:db8::/32"],"deny":["10.1.0.0/16","::/0"],` +
			`"window":{"from":"22:00","to":"06:30","zone":"Europe/Zurich"}}`
	)
	for name, want := range map[string]string{
		"genesis.1":           `{"stream":"0102030405060708090a0b0c0d0e0f10"}`,
		"account.opened.1":    `{"name":"Acme, Inc. – Zürich"}`,
		"account.suspended.1": reason,
		"account.resumed.1":   `{}`,
		"account.closed.1":    `{"reason":"owner_left"}`,
		"token.issued.1": `{"description":"Reads the thermometers.\nAsk the gardeners before it goes.",` +
			`"digest":"sha256:d16e57010203","enabled":true,"expires_at":"2030-03-17T17:46:40.123Z","generation":3,` +
			`"immutable":true,"kind":"api","name":"line 4, greenhouse","not_before":"2027-01-15T08:01:40Z",` +
			`"permissions":` + permissions + `,"tags":{"env":"prod","owner":"gärtnerei","x":""}}`,
		"token.issued.1-minimal": `{"description":"","digest":"sha256:d16e57010203","enabled":false,"expires_at":null,` +
			`"generation":0,"immutable":false,"kind":"api","name":"","not_before":null,` +
			`"permissions":{"allow":[],"deny":[],"mode":"union"},"tags":{}}`,
		"token.edited.1": `{"description":"new description","enabled":true,"expires_at":"2030-03-17T17:46:40Z",` +
			`"name":"new name","narrows":true,"not_before":"2027-01-15T08:00:00Z","permissions":` + permissions + `,"tags":{"k":"v"}}`,
		"token.edited.1-cleared": `{"description":"","enabled":false,"expires_at":null,"name":"","narrows":true,"not_before":null,` +
			`"permissions":{"allow":[],"deny":[],"mode":"first_match"},"tags":{}}`,
		"token.edited.1-name":         `{"name":"new name"}`,
		"token.edited.1-disabled":     `{"enabled":false}`,
		"token.enabled.1":             `{}`,
		"token.disabled.1":            `{}`,
		"token.rotated.1":             `{"digest":"sha256:d16e57010203","previous_until":"2027-01-15T08:01:00Z"}`,
		"token.rotated.1-at-once":     `{"digest":"sha256:d16e57010203","previous_until":null}`,
		"token.revoked.1":             reason,
		"token.revoked.1-unspecified": `{"reason":"unspecified"}`,
		"node.joined.1": `{"incarnation":"f00102030405060708090a0b0c0d0eff",` +
			`"key":"e0000000000000000000000000000000000000000000000000000000000000ed","name":"green_house-4","reads":300}`,
		"node.left.1": `{"incarnation":"f00102030405060708090a0b0c0d0eff","name":"green_house-4"}`,
		"checkpoint.1": `{"root":"a0000000000000000000000000000000000000000000000000000000000000af","seen":[` +
			`{"by":"f00102030405060708090a0b0c0d0eff","replica":"gewächshaus 1"},` +
			`{"by":"00000000000000000000000000000001","replica":"n2"},` +
			`{"by":"01000000000000000000000000000000","replica":""}],"size":4712}`,
		"account.opened.2":         `{"name":"Telenor","tokens_managed_by":"sessions"}`,
		"account.edited.1":         `{"name":"Acme AG","tokens_managed_by":"sessions"}`,
		"account.edited.1-any":     `{"tokens_managed_by":"any"}`,
		"account.edited.1-no-name": `{"name":""}`,
		"token.issued.2": `{"conditions":` + conditions + `,"description":"By the gate.","digest":"sha256:d16e57010203","enabled":true,` +
			`"expires_at":"2030-03-17T17:46:40.123Z","generation":2,"immutable":true,"imported":true,"kind":"api","name":"for the night shift",` +
			`"not_before":"2027-01-15T08:01:40Z","origin":"crafter","parent":"line-4","parent_generation":300,` +
			`"permissions":` + permissions + `,"sealed_with":"k_2027-01","tags":{"env":"prod"}}`,
		"token.issued.2-session": `{"description":"","digest":"sha256:d16e57010203","enabled":true,"expires_at":"2027-01-15T09:00:00Z",` +
			`"generation":1,"immutable":true,"kind":"session","name":"","not_before":null,` +
			`"permissions":{"allow":[{"actions":["*"],"resource":"/"}],"deny":[],"mode":"union"},"tags":{}}`,
		"token.edited.2": `{"conditions":` + conditions + `,"description":"new description","enabled":true,"expires_at":"2030-03-17T17:46:40Z",` +
			`"name":"new name","narrows":true,"not_before":"2027-01-15T08:00:00Z","permissions":` + permissions + `,"tags":{"k":"v"}}`,
		"token.edited.2-no-conditions": `{"conditions":{"allow":[],"deny":[],"window":null},"narrows":false}`,
		"token.rotated.2": `{"digest":"sha256:d16e57010203","previous_until":"2027-01-15T08:01:00Z","retire_on_first_use":true,` +
			`"sealed_with":"k_2027-01"}`,
		"token.rotated.2-once":       `{"digest":"sha256:d16e57010203","previous_until":null}`,
		"token.revoked.2":            `{"bulk":"b00000000000000000000000000000bf","reason":"compromised","reason_text":"found in a public repository"}`,
		"token.retired.1":            `{"digest":"sha256:d16e57010203"}`,
		"token.revealed.1":           `{"digest":"sha256:d16e57010203"}`,
		"token.resealed.1":           `{"digest":"sha256:d16e57010203","sealed_with":"k_2027-01"}`,
		"token.expiring.1":           `{"days":30}`,
		"token.expiring.1-in-1-day":  `{"days":1}`,
		"token.expiring.1-at-expiry": `{"days":0}`,
		"type.defined.1": `{"actions":[{"description":"Lift an arm.","level":"write","name":"Wave"},` +
			`{"description":"","level":"list","name":"ListRobots"},` +
			`{"description":"Sehen, was er sieht – öfter.","level":"read","name":"robot:look"}],"description":"A robot.\nIt waves.","type":"robot"}`,
		"type.removed.1":      `{"type":"robot"}`,
		"checkpoint.1-unseen": `{"root":"0000000000000000000000000000000000000000000000000000000000000000","seen":[],"size":1}`,
	} {
		f := goldens[name]
		got, err := json.Marshal(f.Change())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestChangeOfEveryEventHoldsNoWholeDigest(t *testing.T) {
	for name, f := range goldens {
		got, err := json.Marshal(f.Change())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(string(got), "d16e5701020304") || strings.Contains(string(got), "ciphertext") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestEventName(t *testing.T) {
	for typ, want := range map[string]string{
		"token.issued.1":   "token.issued",
		"token.issued.12":  "token.issued",
		"genesis.1":        "genesis",
		"genesis":          "genesis",
		"token.issued":     "token.issued",
		"token.issued.x1":  "token.issued.x1",
		"":                 "",
		".1":               ".1",
		"node.joined.1":    "node.joined",
		"node.left.1":      "node.left",
		"checkpoint.1":     "checkpoint",
		"account.opened.1": domain.EventName(domain.AccountOpened{}.Type()),
	} {
		if got := domain.EventName(typ); got != want {
			t.Errorf("EventName(%q): got %q, want %q", typ, got, want)
		}
	}
}
