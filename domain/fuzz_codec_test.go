package domain_test

import (
	"cmp"
	"net/netip"
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
	switch f.Event.Type() {
	case "type.defined.1", "type.removed.1":
		f.Account = "root"
	case "token.retired.1", "token.resealed.1", "token.expiring.1":
		f.Actor = domain.Actor{}
	}
	return f
}

func anyEvent(t *rapid.T, text *rapid.Generator[string]) domain.Event {
	reason := domain.Reason{
		Code: rapid.SampledFrom(domain.ReasonCodes).Draw(t, "reason"),
		Text: text.Draw(t, "reason text"),
	}
	flag := rapid.Bool()
	managers := rapid.SampledFrom([]domain.Managers{domain.AnyToken, domain.SessionsOnly})
	switch rapid.IntRange(0, 19).Draw(t, "type") {
	case 12:
		return domain.AccountEdited{Name: maybe(t, text.Draw(t, "name")), ManagedBy: maybe(t, managers.Draw(t, "managers"))}
	case 13:
		return domain.TokenRetired{Digest: domain.Digest(anyBytes(t, 32))}
	case 14:
		return domain.TokenRevealed{Digest: domain.Digest(anyBytes(t, 32))}
	case 15:
		return domain.TokenResealed{Digest: domain.Digest(anyBytes(t, 32)), Sealed: anySealed(t)}
	case 16:
		return domain.TokenExpiring{Notice: domain.Notice(rapid.IntRange(1, 4).Draw(t, "notice"))}
	case 17:
		return domain.TypeDefined{Def: anyType(t, text)}
	case 18:
		return domain.TypeRemoved{Name: anyID(t)}
	case 19:
		return domain.TokenRevoked{Reason: reason, Bulk: domain.BulkID(anyBytes(t, 16))}
	case 0:
		return domain.Genesis{Stream: [16]byte(anyBytes(t, 16))}
	case 1:
		return domain.AccountOpened{Name: text.Draw(t, "name"), ManagedBy: managers.Draw(t, "managers")}
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
		return domain.TokenRotated{
			Digest: domain.Digest(anyBytes(t, 32)), PreviousUntil: anyInstant(t),
			Retires: flag.Draw(t, "retires"), Sealed: maybe(t, anySealed(t)), Once: maybe(t, anyOnce(t)),
		}
	case 9:
		return domaintest.NodeEvent().Draw(t, "node event")
	case 10:
		e := domain.TokenIssued{
			Generation: rapid.Uint64().Draw(t, "generation"),
			Name:       text.Draw(t, "name"), Description: text.Draw(t, "description"), Tags: anyTags(t),
			Enabled: flag.Draw(t, "enabled"), Kind: rapid.SampledFrom([]domain.Kind{domain.KindAPI, domain.KindSession}).Draw(t, "kind"), Immutable: flag.Draw(t, "immutable"),
			NotBefore: anyInstant(t), ExpiresAt: anyInstant(t),
			Permissions: anyPermissions(t), Digest: domain.Digest(anyBytes(t, 32)),
			Sealed: maybe(t, anySealed(t)), Once: maybe(t, anyOnce(t)), Imported: flag.Draw(t, "imported"), Wider: flag.Draw(t, "wider"),
		}
		if c := anyConditions(t); !c.IsZero() {
			e.Conditions = c
		}
		if flag.Draw(t, "derived") {
			e.Parent = &domain.Link{Token: domain.TokenID(anyID(t)), Generation: rapid.Uint64().Draw(t, "parent's generation")}
		}
		if flag.Draw(t, "through a door") {
			e.Origin = anyID(t)
		}
		return e
	}
	return domain.TokenEdited{
		Name:        maybe(t, text.Draw(t, "name")),
		Description: maybe(t, text.Draw(t, "description")),
		Tags:        maybe(t, anyTags(t)),
		Enabled:     maybe(t, flag.Draw(t, "enabled")),
		NotBefore:   maybe(t, anyInstant(t)),
		ExpiresAt:   maybe(t, anyInstant(t)),
		Permissions: maybe(t, anyPermissions(t)),
		Conditions:  rapid.SampledFrom([]*domain.Conditions{nil, anyConditions(t)}).Draw(t, "conditions"),
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

func anyID(t *rapid.T) string { return rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "id") }

func anySealed(t *rapid.T) domain.Sealed {
	return domain.Sealed{Key: domain.KeyID(anyID(t)), Box: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "box")}
}

func anyOnce(t *rapid.T) domain.Once {
	return domain.Once{Key: [16]byte(anyBytes(t, 16)), Request: [16]byte(anyBytes(t, 16))}
}

// anyConditions draws conditions in their plain form, the empty ones too.
func anyConditions(t *rapid.T) *domain.Conditions {
	c := &domain.Conditions{Allow: anyPrefixes(t), Deny: anyPrefixes(t)}
	if rapid.Bool().Draw(t, "window") {
		from, after := rapid.IntRange(0, 1439).Draw(t, "from"), rapid.IntRange(1, 1439).Draw(t, "after")
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Zurich", "America/St_Johns", "Local", "No/Where"}).Draw(t, "zone")
		w := domain.NewWindow(uint16(from), uint16((from+after)%1440), zone)
		c.Window = &w
	}
	return c
}

func anyPrefixes(t *rapid.T) (list []netip.Prefix) {
	for range rapid.IntRange(0, 3).Draw(t, "prefixes") {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, "size")
		a, _ := netip.AddrFromSlice(anyBytes(t, size))
		if a.Is4In6() {
			continue
		}
		p, _ := a.Prefix(rapid.IntRange(0, 8*size).Draw(t, "bits"))
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	return slices.Compact(list)
}

func anyType(t *rapid.T, text *rapid.Generator[string]) domain.TypeDef {
	def := domain.TypeDef{Name: anyID(t), Description: text.Draw(t, "description")}
	for range rapid.IntRange(0, 4).Draw(t, "actions") {
		def.Actions = append(def.Actions, domain.ActionDef{
			Name:        rapid.StringN(1, -1, -1).Draw(t, "action"),
			Level:       domain.Level(rapid.IntRange(1, 3).Draw(t, "level")),
			Description: text.Draw(t, "description"),
		})
	}
	return def
}

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
