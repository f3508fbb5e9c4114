package projectionstest

import (
	"net/netip"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/eventstore"
)

// SomeAddresses are where secrets are used from: nobody knows where, or an
// address that some conditions take and others don't.
var SomeAddresses = []netip.Addr{
	{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::ffff:10.2.0.1"), netip.MustParseAddr("2001:db8::1"),
}

func randomConditions(t *rapid.T) *domain.Conditions {
	var c domain.Conditions
	switch rapid.IntRange(0, 5).Draw(t, "conditions") {
	case 0:
		c.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		c.Deny = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	case 1:
		c.Allow = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	case 2:
		at, _, _ := T0.Time().UTC().Clock()
		w := domain.NewWindow(uint16(at)*60, uint16(at)*60+59, "UTC")
		c.Window = &w
	case 3:
		w := domain.NewWindow(0, 1, "UTC")
		c.Window = &w
	}
	return &c
}

func randomDigest(t *rapid.T) domain.Digest {
	return Secret(rapid.IntRange(0, SomeSecrets-1).Draw(t, "secret")).Digest()
}

func randomEnd(t *rapid.T, name string) domain.Instant {
	return rapid.SampledFrom([]domain.Instant{0, 0, 0, T0 - 5000, T0 + 4000, T0 + 12_000}).Draw(t, name)
}

var everything = domain.Permissions{
	Mode: domain.Union, Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}},
}

func (s *Story) randomIssue(t *rapid.T, is *domain.State) domain.Event {
	e := Issued(is.Token.Generation+1, 0)
	e.Digest = randomDigest(t)
	e.Permissions = domaintest.Permissions().Draw(t, "permissions")
	if rapid.IntRange(0, 2).Draw(t, "bounded") == 0 {
		e.ExpiresAt = randomEnd(t, "expires at")
		e.NotBefore = randomEnd(t, "not before")
	}
	switch rapid.IntRange(0, 7).Draw(t, "kind") {
	case 0:
		e.Kind, e.Immutable, e.Permissions = domain.KindSession, true, everything
	case 1, 2:
		e.Permissions = everything
	case 3:
		e.Permissions, e.Sealed = ReadBuckets, randomSealed(t)
	}
	e.Once = randomOnce(t)
	if c := randomConditions(t); !c.IsZero() && rapid.Bool().Draw(t, "with conditions") {
		e.Conditions = c
	}
	if parent := s.randomParent(t, is.Account.ID); parent != nil {
		e.Parent = &domain.Link{Token: parent.ID, Generation: parent.Generation}
		if rapid.Bool().Draw(t, "all that the parent has") {
			e.Permissions = parent.Permissions
		}
	}
	return e
}

// randomParent draws a token of the account, as it stands or as it was in its
// last generation but one; nil where that is none.
func (s *Story) randomParent(t *rapid.T, account domain.AccountID) *domain.Token {
	parent := s.Model.Tokens[eventstore.TokenSubject(account, rapid.SampledFrom(someTokens).Draw(t, "parent"))]
	parent.Generation -= min(parent.Generation, uint64(rapid.SampledFrom([]int{0, 0, 0, 0, 1}).Draw(t, "earlier")))
	if parent.Generation == 0 || rapid.IntRange(0, 3).Draw(t, "derived") == 0 {
		return nil
	}
	return &parent
}

func randomOnce(t *rapid.T) *domain.Once {
	if n := rapid.IntRange(0, 3).Draw(t, "idempotency key"); n > 0 {
		return &domain.Once{Key: [16]byte{byte(n)}, Request: [16]byte{1}}
	}
	return nil
}

func randomSealed(t *rapid.T) *domain.Sealed {
	return &domain.Sealed{Key: rapid.SampledFrom([]domain.KeyID{"k1", "k2"}).Draw(t, "key"), Box: []byte("box")}
}

func randomTokenEvent(t *rapid.T, is *domain.Token) domain.Event {
	used := randomDigest(t)
	if n := len(is.Secrets); n > 0 {
		used = is.Secrets[rapid.IntRange(0, n-1).Draw(t, "which")].Digest
	}
	switch rapid.IntRange(0, 14).Draw(t, "event") {
	case 0:
		p := domaintest.Permissions().Draw(t, "permissions")
		return domain.TokenEdited{Permissions: &p, Narrows: rapid.Bool().Draw(t, "narrows")}
	case 1:
		end := randomEnd(t, "expires at")
		return domain.TokenEdited{ExpiresAt: &end}
	case 2, 3, 4:
		if is.Enabled {
			return domain.TokenDisabled{}
		}
		return domain.TokenEnabled{}
	case 5:
		return domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}}
	case 6:
		return domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}, Bulk: domain.BulkID{1}}
	case 7:
		return domain.TokenEdited{Conditions: randomConditions(t), Narrows: rapid.Bool().Draw(t, "narrows")}
	case 8, 9:
		return domain.TokenRetired{Digest: used}
	case 10:
		return domain.TokenRevealed{Digest: used}
	case 11:
		return domain.TokenResealed{Digest: used, Sealed: *randomSealed(t)}
	case 12:
		return domain.TokenExpiring{Notice: domain.Notice(rapid.IntRange(1, int(domain.AtExpiry)).Draw(t, "notice"))}
	}
	return domain.TokenRotated{
		Digest: randomDigest(t), PreviousUntil: randomEnd(t, "previous until"), Retires: rapid.Bool().Draw(t, "retires"),
		Once: randomOnce(t),
	}
}
