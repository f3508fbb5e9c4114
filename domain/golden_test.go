package domain_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hallpass/domain"
)

var update = flag.Bool("update", false, "write golden files that are missing; never changes one")

// goldens holds, by file name, a fact of every event version ever released.
// Entries and files are added, never edited: what they say is in streams.
var goldens = map[string]domain.Fact{
	"genesis.1": {
		ID: goldenID, Time: 1_800_000_000_000, Account: "root",
		Event: domain.Genesis{Stream: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
	},

	"account.opened.1":         golden(domain.AccountOpened{Name: "Acme, Inc. – Zürich"}),
	"account.opened.1-no-name": {ID: goldenID, Time: 1_800_000_000_001, Authorised: 1, Account: "root", Event: domain.AccountOpened{}},
	"account.suspended.1":      golden(domain.AccountSuspended{Reason: goldenReason}),
	"account.resumed.1":        golden(domain.AccountResumed{}),
	"account.closed.1":         golden(domain.AccountClosed{Reason: domain.Reason{Code: domain.ReasonOwnerLeft}}),

	"token.issued.1": golden(domain.TokenIssued{
		Generation:  3,
		Name:        "line 4, greenhouse",
		Description: "Reads the thermometers.\nAsk the gardeners before it goes.",
		Tags:        []domain.Tag{{Key: "env", Value: "prod"}, {Key: "owner", Value: "gärtnerei"}, {Key: "x", Value: ""}},
		Enabled:     true,
		Kind:        domain.KindAPI,
		Immutable:   true,
		NotBefore:   1_800_000_100_000,
		ExpiresAt:   1_900_000_000_123,
		Permissions: goldenPermissions,
		Digest:      goldenDigest,
	}),
	"token.issued.1-minimal": {
		ID: goldenID, Account: "acme", Token: "t", Event: domain.TokenIssued{
			Kind: domain.KindAPI, Permissions: domain.Permissions{Mode: domain.Union}, Digest: goldenDigest,
		},
	},
	"token.issued.1-born-expired": golden(domain.TokenIssued{
		Generation: 1, Enabled: true, Kind: domain.KindAPI, NotBefore: -1, ExpiresAt: 1,
		Permissions: domain.Permissions{
			Mode:  domain.Union,
			Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}},
		},
		Digest: goldenDigest,
	}),

	"token.edited.1": golden(domain.TokenEdited{
		Name: new("new name"), Description: new("new description"), Tags: &[]domain.Tag{{Key: "k", Value: "v"}},
		Enabled: new(true), NotBefore: new(domain.Instant(1_800_000_000_000)), ExpiresAt: new(domain.Instant(1_900_000_000_000)),
		Permissions: new(goldenPermissions), Narrows: true,
	}),
	"token.edited.1-cleared": golden(domain.TokenEdited{
		Name: new(""), Description: new(""), Tags: new([]domain.Tag), Enabled: new(false),
		NotBefore: new(domain.Instant(0)), ExpiresAt: new(domain.Instant(0)), Permissions: &domain.Permissions{Mode: domain.FirstMatch},
		Narrows: true,
	}),
	"token.edited.1-name":          golden(domain.TokenEdited{Name: new("new name")}),
	"token.edited.1-description":   golden(domain.TokenEdited{Description: new("new description")}),
	"token.edited.1-tags":          golden(domain.TokenEdited{Tags: &[]domain.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}}),
	"token.edited.1-no-tags":       golden(domain.TokenEdited{Tags: new([]domain.Tag)}),
	"token.edited.1-disabled":      golden(domain.TokenEdited{Enabled: new(false)}),
	"token.edited.1-not-before":    golden(domain.TokenEdited{NotBefore: new(domain.Instant(1_800_000_000_000))}),
	"token.edited.1-expires-at":    golden(domain.TokenEdited{ExpiresAt: new(domain.Instant(1_900_000_000_000))}),
	"token.edited.1-never-expires": golden(domain.TokenEdited{ExpiresAt: new(domain.Instant(0))}),
	"token.edited.1-permissions":   golden(domain.TokenEdited{Permissions: new(goldenPermissions)}),

	"account.opened.2":         golden(domain.AccountOpened{Name: "Telenor", ManagedBy: domain.SessionsOnly}),
	"account.edited.1":         golden(domain.AccountEdited{Name: new("Acme AG"), ManagedBy: new(domain.SessionsOnly)}),
	"account.edited.1-any":     golden(domain.AccountEdited{ManagedBy: new(domain.AnyToken)}),
	"account.edited.1-no-name": golden(domain.AccountEdited{Name: new("")}),

	"token.issued.2": golden(domain.TokenIssued{
		Generation: 2, Name: "for the night shift", Description: "By the gate.", Tags: []domain.Tag{{Key: "env", Value: "prod"}},
		Enabled: true, Kind: domain.KindAPI, Immutable: true, NotBefore: 1_800_000_100_000, ExpiresAt: 1_900_000_000_123,
		Permissions: goldenPermissions, Digest: goldenDigest,
		Parent:     &domain.Link{Token: "line-4", Generation: 300},
		Conditions: &goldenConditions, Sealed: &goldenSealed, Origin: "crafter", Imported: true, Once: &goldenOnce,
	}),
	"token.issued.2-session": golden(domain.TokenIssued{
		Generation: 1, Enabled: true, Kind: domain.KindSession, Immutable: true, ExpiresAt: 1_800_003_600_000,
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}}},
		Digest:      goldenDigest,
	}),
	"token.issued.2-derived":    golden(goldenIssued(func(e *domain.TokenIssued) { e.Parent = &domain.Link{Token: "line-4"} })),
	"token.issued.2-conditions": golden(goldenIssued(func(e *domain.TokenIssued) { e.Conditions = &domain.Conditions{Deny: goldenConditions.Deny} })),
	"token.issued.2-window":     golden(goldenIssued(func(e *domain.TokenIssued) { e.Conditions = &domain.Conditions{Window: goldenWindow(0, 1, "UTC")} })),
	"token.issued.2-midnight": golden(goldenIssued(func(e *domain.TokenIssued) {
		e.Conditions = &domain.Conditions{Window: goldenWindow(1439, 0, "No/Where")}
	})),
	"token.issued.2-sealed":   golden(goldenIssued(func(e *domain.TokenIssued) { e.Sealed = &goldenSealed })),
	"token.issued.2-origin":   golden(goldenIssued(func(e *domain.TokenIssued) { e.Origin = "thinger" })),
	"token.issued.2-imported": golden(goldenIssued(func(e *domain.TokenIssued) { e.Imported = true })),
	"token.issued.2-wider":    golden(goldenIssued(func(e *domain.TokenIssued) { e.Wider = true })),
	"token.issued.2-once":     golden(goldenIssued(func(e *domain.TokenIssued) { e.Once = &goldenOnce })),

	"token.edited.2": golden(domain.TokenEdited{
		Name: new("new name"), Description: new("new description"), Tags: &[]domain.Tag{{Key: "k", Value: "v"}},
		Enabled: new(true), NotBefore: new(domain.Instant(1_800_000_000_000)), ExpiresAt: new(domain.Instant(1_900_000_000_000)),
		Permissions: new(goldenPermissions), Conditions: &goldenConditions, Narrows: true,
	}),
	"token.edited.2-conditions":    golden(domain.TokenEdited{Conditions: &domain.Conditions{Allow: goldenConditions.Allow}}),
	"token.edited.2-no-conditions": golden(domain.TokenEdited{Conditions: &domain.Conditions{}}),

	"token.rotated.2": golden(domain.TokenRotated{
		Digest: goldenDigest, PreviousUntil: 1_800_000_060_000, Retires: true, Sealed: &goldenSealed, Once: &goldenOnce,
	}),
	"token.rotated.2-retires": golden(domain.TokenRotated{Digest: goldenDigest, PreviousUntil: 1_800_000_060_000, Retires: true}),
	"token.rotated.2-sealed":  golden(domain.TokenRotated{Digest: goldenDigest, Sealed: &goldenSealed}),
	"token.rotated.2-once":    golden(domain.TokenRotated{Digest: goldenDigest, Once: &goldenOnce}),

	"token.revoked.2": golden(domain.TokenRevoked{Reason: goldenReason, Bulk: domain.BulkID{0xb0, 15: 0xbf}}),

	"token.retired.1":  goldenOfNode(domain.TokenRetired{Digest: goldenDigest}),
	"token.revealed.1": golden(domain.TokenRevealed{Digest: goldenDigest}),
	"token.resealed.1": goldenOfNode(domain.TokenResealed{Digest: goldenDigest, Sealed: goldenSealed}),

	"token.expiring.1":           goldenOfNode(domain.TokenExpiring{Notice: domain.In30Days}),
	"token.expiring.1-in-7-days": goldenOfNode(domain.TokenExpiring{Notice: domain.In7Days}),
	"token.expiring.1-in-1-day":  goldenOfNode(domain.TokenExpiring{Notice: domain.In1Day}),
	"token.expiring.1-at-expiry": goldenOfNode(domain.TokenExpiring{Notice: domain.AtExpiry}),

	"type.defined.1": goldenOfRoot(domain.TypeDefined{Def: domain.TypeDef{
		Name: "robot", Description: "A robot.\nIt waves.", Actions: []domain.ActionDef{
			{Name: "Wave", Level: domain.LevelWrite, Description: "Lift an arm."},
			{Name: "ListRobots", Level: domain.LevelList},
			{Name: "robot:look", Level: domain.LevelRead, Description: "Sehen, was er sieht – öfter."},
		},
	}}),
	"type.defined.1-minimal": goldenOfRoot(domain.TypeDefined{Def: domain.TypeDef{Name: "r", Actions: []domain.ActionDef{{Name: "A", Level: domain.LevelList}}}}),
	"type.removed.1":         goldenOfRoot(domain.TypeRemoved{Name: "robot"}),

	"token.enabled.1":  golden(domain.TokenEnabled{}),
	"token.disabled.1": golden(domain.TokenDisabled{}),

	"token.rotated.1":         golden(domain.TokenRotated{Digest: goldenDigest, PreviousUntil: 1_800_000_060_000}),
	"token.rotated.1-at-once": golden(domain.TokenRotated{Digest: goldenDigest}),

	"token.revoked.1":             golden(domain.TokenRevoked{Reason: goldenReason}),
	"token.revoked.1-unspecified": golden(domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonUnspecified}}),

	"node.joined.1": goldenOfStream(domain.NodeJoined{
		Name: "green_house-4", Incarnation: goldenIncarnation, Key: [32]byte{0xe0, 31: 0xed}, Reads: 300,
	}),
	"node.joined.1-reads-0": goldenOfStream(domain.NodeJoined{Name: "n", Incarnation: goldenIncarnation, Key: [32]byte{1}}),
	"node.left.1":           goldenOfStream(domain.NodeLeft{Name: "green_house-4", Incarnation: goldenIncarnation}),

	"checkpoint.1": goldenOfStream(domain.Checkpoint{
		Size: 4_712, Root: [32]byte{0xa0, 31: 0xaf},
		Seen: []domain.Sighting{
			{Replica: "gewächshaus 1", By: goldenIncarnation},
			{Replica: "n2", By: domain.Incarnation{15: 1}},
			{Replica: "", By: domain.Incarnation{1}},
		},
	}),
	"checkpoint.1-unseen": goldenOfStream(domain.Checkpoint{Size: 1}),
}

var (
	goldenID     = domain.NewEventID(1_800_000_000_000, [10]byte{0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 1, 2, 3, 4})
	goldenReason = domain.Reason{Code: domain.ReasonCompromised, Text: "found in a public repository"}
	goldenDigest = domain.Digest{
		0xd1, 0x6e, 0x57, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
		14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 0xff,
	}
	goldenIncarnation = domain.Incarnation{0xf0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}
	goldenPermissions = domain.Permissions{
		Mode: domain.FirstMatch,
		Allow: []domain.Grant{
			{Resource: "/device/thermo1", Actions: []domain.Action{"AccessDeviceResources", "Read*"}},
			{Resource: "/*/thermö", Actions: []domain.Action{"read", "door.open"}, Unverified: true},
		},
		Deny: []domain.Grant{{Resource: "/device/thermo1/reset", Actions: []domain.Action{"*"}}},
	}
)

var (
	goldenConditions = domain.Conditions{
		Allow: []netip.Prefix{
			netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/9"),
			netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"),
		},
		Deny:   []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::/0")},
		Window: goldenWindow(22*60, 6*60+30, "Europe/Zurich"),
	}
	goldenSealed = domain.Sealed{Key: "k_2027-01", Box: []byte("\x00nonce and ciphertext\xff")}
	goldenOnce   = domain.Once{Key: [16]byte{0xc0, 15: 0xcf}, Request: [16]byte{0xd0, 15: 0xdf}}
)

func goldenWindow(from, to uint16, zone string) *domain.Window {
	w := domain.NewWindow(from, to, zone)
	return &w
}

// goldenIssued is the least of a token.issued, with a change.
func goldenIssued(change func(*domain.TokenIssued)) domain.TokenIssued {
	e := domain.TokenIssued{
		Generation: 1, Enabled: true, Kind: domain.KindAPI, Permissions: domain.Permissions{Mode: domain.Union}, Digest: goldenDigest,
	}
	change(&e)
	return e
}

// goldenOfNode is golden for what nodes do of themselves.
func goldenOfNode(e domain.Event) domain.Fact {
	f := golden(e)
	f.Actor = domain.Actor{}
	return f
}

// goldenOfRoot is golden for what stands under the account root.
func goldenOfRoot(e domain.Event) domain.Fact {
	f := golden(e)
	f.Account = "root"
	return f
}

// golden returns a fact with e and everything else of it filled in.
func golden(e domain.Event) domain.Fact {
	f := domain.Fact{
		ID: goldenID, Time: 1_800_000_000_000,
		Actor:      domain.Actor{Account: "root", Token: "01J0000000ADMIN", Generation: 2},
		Authorised: 4711, Request: "req-7f3a", Account: "acme", Event: e,
	}
	if strings.HasPrefix(e.Type(), "token.") {
		f.Token = "green_house-4"
	}
	return f
}

// goldenOfStream returns a fact about the stream itself with e.
func goldenOfStream(e domain.Event) domain.Fact {
	return domain.Fact{ID: goldenID, Time: 1_800_000_000_000, Authorised: 4711, Request: "req-7f3a", Account: "root", Event: e}
}

func TestGoldenFiles(t *testing.T) {
	for name, want := range goldens {
		t.Run(name, func(t *testing.T) {
			if typ, _, _ := strings.Cut(name, "-"); typ != want.Event.Type() {
				t.Fatalf("the name does not start with its type, %s", want.Event.Type())
			}
			path := filepath.Join("testdata", "golden", name+".txt")
			if _, err := os.Stat(path); os.IsNotExist(err) && *update {
				writeGolden(t, path, &want)
			}
			data := readGolden(t, path)
			got, err := domain.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("decoded\n got %+v\nwant %+v", *got, want)
			}
			if again := domain.Encode(&want); string(again) != string(data) {
				t.Errorf("encoded\n got %x\nwant %x", again, data)
			}
		})
	}
}

func TestEveryGoldenFileIsRead(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join("testdata", "golden", "*"))
	for _, path := range paths {
		if _, ok := goldens[strings.TrimSuffix(filepath.Base(path), ".txt")]; !ok {
			t.Errorf("%s is in no test: events of old versions are read for ever", path)
		}
	}
}

func TestEveryEventTypeHasAGoldenFile(t *testing.T) {
	have := map[string]bool{}
	for name, f := range goldens {
		if name == f.Event.Type() {
			have[reflect.TypeOf(f.Event).Name()] = true
		}
	}
	types := eventTypes(t)
	for _, typ := range types {
		if !have[typ] {
			t.Errorf("%s has no golden file that is named by its type alone", typ)
		}
	}
	if len(types) < 21 {
		t.Errorf("only %d types of event were found in the source", len(types))
	}
}

// eventTypes returns the names of all types of this package with a method event.
func eventTypes(t *testing.T) (names []string) {
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if m, ok := d.(*ast.FuncDecl); ok && m.Recv != nil && m.Name.Name == "event" && m.Type.Params.NumFields() == 0 {
				names = append(names, m.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	return names
}

// readGolden returns the bytes that stand in hex in a golden file, between
// lines of comment.
func readGolden(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes what is missing", err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			digits.WriteString(strings.TrimSpace(line))
		}
	}
	data, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}

func writeGolden(t *testing.T, path string, f *domain.Fact) {
	view, err := json.MarshalIndent(struct {
		Type, ID, Time, Actor string
		Authorised            domain.Seq
		Request               string
		Account               domain.AccountID
		Token                 domain.TokenID
		Change                map[string]any
	}{
		f.Event.Type(), f.ID.String(), f.Time.Time().Format(time.RFC3339Nano),
		fmt.Sprintf("%s/%s, generation %d", f.Actor.Account, f.Actor.Token, f.Actor.Generation),
		f.Authorised, f.Request, f.Account, f.Token, f.Change(),
	}, "# ", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Never edit this file. What the bytes below say, for people:\n# %s\n", view)
	for chunk := range slices.Chunk(domain.Encode(f), 32) {
		fmt.Fprintf(&b, "%x\n", chunk)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
