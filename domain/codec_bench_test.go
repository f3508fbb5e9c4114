package domain_test

import (
	"testing"

	"hallpass/domain"
)

// benchFact is an issued token with two grants and two tags.
var benchFact = domain.Fact{
	ID: goldenID, Time: 1_800_000_000_000,
	Actor:      domain.Actor{Account: "acme", Token: "01K3Z5C9T7QWERTYUIOPASDFGH", Generation: 1},
	Authorised: 123_456, Request: "01K3Z5C9T7QWERTYUIOPASDFGJ", Account: "acme", Token: "01K3Z5C9T7QWERTYUIOPASDFGK",
	Event: domain.TokenIssued{
		Generation: 1, Name: "greenhouse thermometer", Description: "line 4", Enabled: true, Kind: domain.KindAPI,
		Tags:      []domain.Tag{{Key: "env", Value: "prod"}, {Key: "team", Value: "garden"}},
		ExpiresAt: 1_900_000_000_000, Digest: goldenDigest,
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{
			{Resource: "/device/thermo1", Actions: []domain.Action{"AccessDeviceResources", "GetDeviceStats"}},
			{Resource: "/bucket/greenhouse", Actions: []domain.Action{"ReadBucket"}},
		}},
	},
}

func BenchmarkDecode(b *testing.B) {
	data := domain.Encode(&benchFact)
	b.ReportAllocs()
	b.ReportMetric(float64(len(data)), "bytes")
	for b.Loop() {
		if _, err := domain.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		domain.Encode(&benchFact)
	}
}
