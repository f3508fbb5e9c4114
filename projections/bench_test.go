package projections

import (
	"encoding/binary"
	"strconv"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

const (
	benchTokens    = 1_000_000
	benchAccounts  = 1000
	benchResources = 100
)

func benchRecord(seq Seq, a domain.AccountID, t domain.TokenID, e domain.Event) eventstore.Record {
	at := domain.Instant(1_790_000_000_000) + domain.Instant(seq)
	fact := &domain.Fact{
		ID:   domain.NewEventID(at, [10]byte{byte(seq), byte(seq >> 8), byte(seq >> 16)}),
		Time: at, Request: "01K5ZZZZZZZZZZZZZZZZZZZZZZ", Account: a, Token: t, Event: e,
	}
	return eventstore.Record{Seq: seq, Stored: at, Subject: eventstore.SubjectOf(fact), Data: domain.Encode(fact)}
}

func benchIDs(n int) (domain.AccountID, domain.TokenID) {
	return domain.AccountID("acct" + strconv.Itoa(n%benchAccounts)), domain.TokenID("thermo" + strconv.Itoa(n))
}

func benchSecret(n, generation int) domain.Secret {
	var b [32]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(b[8:], uint64(n))
	binary.LittleEndian.PutUint64(b[16:], ^uint64(generation))
	return domain.NewSecret(b)
}

// benchResource is what token n is for. There are few of them, so that a
// benchmark doesn't wait for memory to learn what it is about to ask.
func benchResource(n int) string { return "/device/thermo" + strconv.Itoa(n%benchResources) }

func benchIssued(n int, d domain.Digest) domain.TokenIssued {
	return domain.TokenIssued{
		Generation: 1, Name: "thermo reader " + strconv.Itoa(n), Enabled: true, Kind: domain.KindAPI,
		Tags: []domain.Tag{{Key: "site", Value: "north"}},
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{
			Resource: domain.Pattern(benchResource(n)),
			Actions:  []domain.Action{"AccessDeviceResources", "Read*"},
		}}},
		Digest: d,
	}
}

// benchStart is a stream's first records: genesis and the accounts.
func benchStart() []eventstore.Record {
	records := []eventstore.Record{benchRecord(1, domain.RootAccount, "", domain.Genesis{Stream: [16]byte{1}})}
	for n := range benchAccounts {
		a, _ := benchIDs(n)
		records = append(records, benchRecord(Seq(n)+2, a, "", domain.AccountOpened{Name: "account"}))
	}
	return records
}

func benchFold(tb testing.TB) *fold {
	f := newFold(emptyLog(), &Config{Boot: bootTime, Now: func() domain.Instant { return domain.Instant(time.Now().UnixMilli()) }})
	if err := f.apply(benchStart()); err != nil {
		tb.Fatal(err)
	}
	return f
}
