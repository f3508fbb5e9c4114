package domain_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
)

// isOfStream tells whether e is about the stream itself, and not its genesis.
func isOfStream(e domain.Event) bool {
	return strings.HasPrefix(e.Type(), "node.") || strings.HasPrefix(e.Type(), "checkpoint.")
}

func TestNodeNames(t *testing.T) {
	for _, ok := range []string{"n1", "A", "_", "-", "Genesis", "genesis1", "01J0000000ADMIN", strings.Repeat("x", 64)} {
		if n, err := domain.ParseNodeName(ok); err != nil || string(n) != ok {
			t.Errorf("%q: got %q, error %v", ok, n, err)
		}
	}
	for _, bad := range []string{"", "genesis", "n.1", "n 1", "n*", "n>", "nö", "n\x00", strings.Repeat("x", 65), domain.NewSecret([32]byte{1}).Reveal()} {
		n, err := domain.ParseNodeName(bad)
		var e *domain.Error
		if !errors.As(err, &e) || e.Code != domain.CodeInvalid || e.Fields[0].Pointer != "/name" || n != "" {
			t.Errorf("%q: got %q, error %v", bad, n, err)
		} else if len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error holds what it refuses: %v", err)
		}
	}
}

func TestAnIncarnationHasOneSpelling(t *testing.T) {
	const text = "f00102030405060708090a0b0c0d0eff"
	if got := goldenIncarnation.String(); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
	if got, err := domain.ParseIncarnation(text); err != nil || got != goldenIncarnation {
		t.Errorf("%s: got %s, error %v", text, got, err)
	}
	for _, bad := range []string{
		"", text[1:], text + "0", text + text, strings.ToUpper(text), "g" + text[1:], "0x" + text[2:], " " + text[1:],
		strings.Repeat("0", 32), "f0010203-0405-0607-0809-0a0b0c0d0eff",
	} {
		i, err := domain.ParseIncarnation(bad)
		var e *domain.Error
		if !errors.As(err, &e) || e.Code != domain.CodeInvalid || e.Fields[0].Pointer != "/incarnation" || !i.IsZero() {
			t.Errorf("%q: got %s, error %v", bad, i, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := domaintest.Incarnation().Draw(t, "incarnation")
		if got, err := domain.ParseIncarnation(want.String()); err != nil || got != want {
			t.Fatalf("got %s, error %v, want %s", got, err, want)
		}
	})
}

func TestOnlyTheZeroIncarnationIsZero(t *testing.T) {
	if !(domain.Incarnation{}).IsZero() {
		t.Error("zero is not zero")
	}
	for i := range 16 {
		var one domain.Incarnation
		one[i] = 1
		if one.IsZero() {
			t.Errorf("%s is zero", one)
		}
	}
}

// Whatever an account and a token are, records about the stream count and
// change neither.
func TestRecordsAboutTheStreamTouchNoAccountAndNoToken(t *testing.T) {
	opened := domain.Account{ID: "root", Name: "root", State: domain.AccountIsOpen, Revision: 2}
	suspended, closed := opened, opened
	suspended.State, suspended.Narrowed = domain.AccountIsSuspended, 9
	closed.State, closed.Narrowed = domain.AccountIsClosed, 9
	rapid.Check(t, func(t *rapid.T) {
		f := goldenOfStream(domaintest.NodeEvent().Draw(t, "event"))
		seq := f.Authorised + 1
		before := domain.State{
			Account: rapid.SampledFrom([]domain.Account{{}, opened, suspended, closed}).Draw(t, "account"),
			Token:   domain.Token{ID: "t", Generation: rapid.Uint64Range(0, 2).Draw(t, "generation")},
		}
		if void := domain.Void(&f, domain.State{}, &before.Account); void != "" {
			t.Fatalf("void: %s", void)
		}
		if domain.Narrows(before, f.Event) {
			t.Fatal("it narrows")
		}
		after, err := domain.Evolve(before, &f, seq)
		if err != nil || !reflect.DeepEqual(after, before) {
			t.Fatalf("error %v\n got %+v\nwant %+v", err, after, before)
		}
		if _, err := domain.Evolve(before, &f, f.Authorised); err == nil {
			t.Fatal("it was authorised at its own revision")
		}
	})
}

// What could be said before needs no newer node: only what is new does.
func TestEveryEventCanBeReadAtTheLevelOfThisVersion(t *testing.T) {
	levels := map[string]uint64{
		"account.opened.2": 2, "account.edited.1": 2, "token.issued.2": 2, "token.edited.2": 2, "token.rotated.2": 2,
		"token.revoked.2": 2, "token.retired.1": 2, "token.revealed.1": 2, "token.resealed.1": 2, "token.expiring.1": 2,
		"type.defined.1": 2, "type.removed.1": 2,
	}
	for name, f := range goldens {
		want := max(1, levels[f.Event.Type()])
		if got := domain.LevelOf(f.Event); got != want || got > domain.SchemaLevel {
			t.Errorf("%s: got level %d, want %d, and none above %d", name, got, want, domain.SchemaLevel)
		}
	}
}

func TestWhatIsNoEventIsAboveEveryLevel(t *testing.T) {
	for _, e := range []domain.Event{nil, &domain.TokenDisabled{}} {
		if got := domain.LevelOf(e); got != math.MaxUint64 {
			t.Errorf("%T: got level %d", e, got)
		}
	}
}

// The largest checkpoint that keeps to its bounds fits a record.
func TestTheLargestCheckpointIsReadBack(t *testing.T) {
	c := domain.Checkpoint{Size: math.MaxUint64, Root: goldenDigest}
	for range domain.MaxSightings {
		c.Seen = append(c.Seen, domain.Sighting{Replica: strings.Repeat("x", domain.MaxReplicaName), By: goldenIncarnation})
	}
	want := goldenOfStream(c)
	got, err := domain.Decode(domain.Encode(&want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Error("it came back otherwise")
	}
}
