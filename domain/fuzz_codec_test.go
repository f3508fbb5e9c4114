package domain_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
)

// FuzzDecode holds that no input makes Decode panic, and that what it accepts
// is what Encode would have written.
func FuzzDecode(f *testing.F) {
	dir := filepath.Join("testdata", "golden")
	files, err := os.ReadDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(readGolden(f, filepath.Join(dir, file.Name())))
	}
	f.Fuzz(canonical)
}

func TestDecodeUndoesEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFact(t)
		data := domain.Encode(&f)
		if len(data) > domain.MaxEventSize {
			t.Skip("too large")
		}
		got, err := domain.Decode(data)
		if err != nil {
			t.Fatalf("%v: %x", err, data)
		}
		if !reflect.DeepEqual(*got, f) {
			t.Fatalf("\n got %+v\nwant %+v", *got, f)
		}
	})
}

func anyFact(t *rapid.T) domain.Fact {
	id := rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`)
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.StringN(100, 200, -1))
	f := domain.Fact{
		ID:         domain.EventID(anyBytes(t, 16)),
		Time:       anyInstant(t),
		Authorised: domain.Seq(rapid.Uint64().Draw(t, "authorised")),
		Request:    text.Draw(t, "request"),
		Account:    domain.AccountID(id.Draw(t, "account")),
		Event:      anyEvent(t, text),
	}
	if rapid.Bool().Draw(t, "not the operator") {
		f.Actor = domain.Actor{
			Account:    domain.AccountID(id.Draw(t, "actor's account")),
			Token:      domain.TokenID(id.Draw(t, "actor's token")),
			Generation: rapid.Uint64().Draw(t, "actor's generation"),
		}
	}
	if strings.HasPrefix(f.Event.Type(), "token.") {
		f.Token = domain.TokenID(id.Draw(t, "token"))
	}
	if isOfStream(f.Event) {
		f.Account, f.Actor = "root", domain.Actor{}
	}
	return f
}

func anyEvent(t *rapid.T, text *rapid.Generator[string]) domain.Event {
	reason := domain.Reason{
		Code: rapid.SampledFrom(domain.ReasonCodes).Draw(t, "reason"),
		Text: text.Draw(t, "reason text"),
	}
	flag := rapid.Bool()
	switch rapid.IntRange(0, 11).Draw(t, "type") {
	case 0:
		return domain.Genesis{Stream: [16]byte(anyBytes(t, 16))}
	case 1:
		return domain.AccountOpened{Name: text.Draw(t, "name")}
	case 2:
		return domain.AccountSuspended{Reason: reason}
	case 3:
		return domain.AccountResumed{}
	case 4:
		return domain.AccountClosed{Reason: reason}
	case 5:
		return domain.TokenEnabled{}
	case 6:
		return domain.TokenDisabled{}
	case 7:
		return domain.TokenRevoked{Reason: reason}
	case 8:
		return domain.TokenRotated{Digest: domain.Digest(anyBytes(t, 32)), PreviousUntil: anyInstant(t)}
	case 9:
		return domaintest.NodeEvent().Draw(t, "node event")
	case 10:
		return domain.TokenIssued{
			Generation: rapid.Uint64().Draw(t, "generation"),
			Name:       text.Draw(t, "name"), Description: text.Draw(t, "description"), Tags: anyTags(t),
			Enabled: flag.Draw(t, "enabled"), Kind: domain.KindAPI, Immutable: flag.Draw(t, "immutable"),
			NotBefore: anyInstant(t), ExpiresAt: anyInstant(t),
			Permissions: anyPermissions(t), Digest: domain.Digest(anyBytes(t, 32)),
		}
	}
	return domain.TokenEdited{
		Name:        maybe(t, text.Draw(t, "name")),
		Description: maybe(t, text.Draw(t, "description")),
		Tags:        maybe(t, anyTags(t)),
		Enabled:     maybe(t, flag.Draw(t, "enabled")),
		NotBefore:   maybe(t, anyInstant(t)),
		ExpiresAt:   maybe(t, anyInstant(t)),
		Permissions: maybe(t, anyPermissions(t)),
		Narrows:     flag.Draw(t, "narrows"),
	}
}

func maybe[T any](t *rapid.T, v T) *T {
	if rapid.Bool().Draw(t, "left out") {
		return nil
	}
	return &v
}

func anyBytes(t *rapid.T, n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes") }

func anyInstant(t *rapid.T) domain.Instant {
	return domain.Instant(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "instant"))
}

func anyTags(t *rapid.T) (tags []domain.Tag) {
	keys := rapid.SliceOfNDistinct(rapid.StringN(1, -1, 64), 0, 5, rapid.ID[string]).Draw(t, "keys")
	slices.Sort(keys)
	for _, k := range keys {
		tags = append(tags, domain.Tag{Key: k, Value: rapid.String().Draw(t, "value")})
	}
	return tags
}

func anyPermissions(t *rapid.T) domain.Permissions {
	grants := func() (grants []domain.Grant) {
		for range rapid.IntRange(0, 4).Draw(t, "grants") {
			g := domain.Grant{
				Resource:   domain.Pattern("/" + rapid.String().Draw(t, "resource")),
				Unverified: rapid.Bool().Draw(t, "unverified"),
			}
			for range rapid.IntRange(0, 4).Draw(t, "actions") {
				g.Actions = append(g.Actions, domain.Action(rapid.StringN(1, -1, -1).Draw(t, "action")))
			}
			grants = append(grants, g)
		}
		return grants
	}
	return domain.Permissions{
		Mode:  rapid.SampledFrom([]domain.Mode{domain.Union, domain.FirstMatch}).Draw(t, "mode"),
		Allow: grants(), Deny: grants(),
	}
}
