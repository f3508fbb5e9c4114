package domain_test

import (
	"fmt"
	"net/netip"
	"testing"

	"hallpass/domain"
)

// family is a token and so many ancestors, all of which work and may do
// everything; "t0" is the token, "t1" its parent.
func family(ancestors int) domain.Lineage {
	var l domain.Lineage
	for i := range ancestors + 1 {
		t := &domain.Token{
			Account: "acme", ID: domain.TokenID(fmt.Sprintf("t%d", i)), Generation: uint64(i + 1), Enabled: true,
			Kind: domain.KindAPI, Permissions: everything, Secrets: []domain.Held{{Digest: digest(1)}},
		}
		if i < ancestors {
			t.Parent = &domain.Link{Token: domain.TokenID(fmt.Sprintf("t%d", i+1)), Generation: uint64(i + 2)}
		}
		if i == 0 {
			l.Token = t
		} else {
			l.Above = append(l.Above, t)
		}
	}
	return l
}

func TestADerivedTokenWorksWhileItsAncestorsDo(t *testing.T) {
	bucket := grants("/bucket", "ReadBucket")
	denied := everything
	denied.Deny = bucket.Allow
	need, err := domain.Builtin().Need("ReadBucket", "/bucket/b", false)
	if err != nil {
		t.Fatal(err)
	}
	closed := domain.NewWindow(0, 1, "No/Where")
	for name, c := range map[string]struct {
		ancestors int
		change    func(t []*domain.Token) // the token, its parent and so on
		want      domain.Verdict
		ancestor  domain.TokenID
	}{
		"works":                   {1, func([]*domain.Token) {}, domain.Granted, ""},
		"8 ancestors":             {8, func([]*domain.Token) {}, domain.Granted, ""},
		"9 ancestors":             {9, func([]*domain.Token) {}, domain.WasRevoked, "t9"},
		"parent disabled":         {2, func(t []*domain.Token) { t[1].Enabled = false }, domain.IsDisabled, "t1"},
		"root of it disabled":     {8, func(t []*domain.Token) { t[8].Enabled = false }, domain.IsDisabled, "t8"},
		"parent expires now":      {2, func(t []*domain.Token) { t[1].ExpiresAt = now }, domain.HasExpired, "t1"},
		"parent expires later":    {2, func(t []*domain.Token) { t[1].ExpiresAt = now + 1 }, domain.Granted, ""},
		"parent not yet valid":    {2, func(t []*domain.Token) { t[2].NotBefore = now + 1 }, domain.NotYetValid, "t2"},
		"parent revoked":          {2, func(t []*domain.Token) { t[1].Revoked, t[1].Enabled = true, false }, domain.WasRevoked, "t1"},
		"parent issued again":     {2, func(t []*domain.Token) { t[1].Generation++ }, domain.WasRevoked, "t1"},
		"ancestor issued again":   {3, func(t []*domain.Token) { t[3].Generation++ }, domain.WasRevoked, "t3"},
		"another as parent":       {2, func(t []*domain.Token) { t[1].ID = "other" }, domain.WasRevoked, "t1"},
		"parent rotated":          {2, func(t []*domain.Token) { t[1].Secrets = nil }, domain.Granted, ""},
		"parent narrowed":         {2, func(t []*domain.Token) { t[1].Permissions = grants("/device", "*") }, domain.NoGrant, "t1"},
		"ancestor narrowed":       {3, func(t []*domain.Token) { t[3].Permissions = domain.Permissions{} }, domain.NoGrant, "t3"},
		"ancestor denies":         {3, func(t []*domain.Token) { t[2].Permissions = denied }, domain.Denied, "t2"},
		"own grant is lacking":    {2, func(t []*domain.Token) { t[0].Permissions = grants("/device", "*") }, domain.NoGrant, ""},
		"parent of another place": {2, func(t []*domain.Token) { t[1].Conditions = &domain.Conditions{Deny: prefixes("10.0.0.0/8")} }, domain.WrongAddress, "t1"},
		"parent of another hour":  {2, func(t []*domain.Token) { t[2].Conditions = &domain.Conditions{Window: &closed} }, domain.OutsideHours, "t2"},
		"parent of this place":    {2, func(t []*domain.Token) { t[1].Conditions = &domain.Conditions{Allow: prefixes("10.0.0.0/8")} }, domain.Granted, ""},

		// What is nearer is told first, and what holds of the token whatever is
		// asked before what it may do.
		"own before parent's": {2, func(t []*domain.Token) { t[0].Enabled, t[1].Revoked = false, true }, domain.IsDisabled, ""},
		"own place before parent's": {2, func(t []*domain.Token) {
			t[0].Conditions = &domain.Conditions{Deny: prefixes("10.0.0.0/8")}
			t[1].Revoked = true
		}, domain.WrongAddress, ""},
		"parent before its parent": {2, func(t []*domain.Token) { t[1].ExpiresAt, t[2].Enabled = 1, false }, domain.HasExpired, "t1"},
		"standing before grants":   {2, func(t []*domain.Token) { t[0].Permissions, t[2].Enabled = domain.Permissions{}, false }, domain.IsDisabled, "t2"},
		"own grants before parent's": {2, func(t []*domain.Token) {
			t[0].Permissions, t[1].Permissions = denied, domain.Permissions{}
		}, domain.Denied, ""},
		"revoked before disabled": {1, func(t []*domain.Token) { t[1].Revoked, t[1].Enabled, t[1].ExpiresAt = true, false, 1 }, domain.WasRevoked, "t1"},
		"disabled before expired": {1, func(t []*domain.Token) { t[1].Enabled, t[1].ExpiresAt = false, 1 }, domain.IsDisabled, "t1"},
		"expired before the place": {1, func(t []*domain.Token) {
			t[1].ExpiresAt, t[1].Conditions = 1, &domain.Conditions{Deny: prefixes("10.0.0.0/8")}
		}, domain.HasExpired, "t1"},
	} {
		t.Run(name, func(t *testing.T) {
			l := family(c.ancestors)
			c.change(append([]*domain.Token{l.Token}, l.Above...))
			use := domain.Circumstances{Now: now, From: here}
			got := domain.Authorize(l, &open, digest(1), need, use)
			if got.Verdict != c.want || got.Ancestor != c.ancestor {
				t.Errorf("got %s on account of %q, want %s, %q", got.Verdict, got.Ancestor, c.want, c.ancestor)
			}
			byGrants := c.want == domain.Granted || c.want == domain.NoGrant || c.want == domain.Denied
			if stands := domain.Standing(l, &open, digest(1), use); stands.Allowed() != byGrants || !byGrants && stands != got {
				t.Errorf("its standing is %s on account of %q", stands.Verdict, stands.Ancestor)
			}
		})
	}
}

func TestAMissingAncestorIsADeadOne(t *testing.T) {
	for missing := 1; missing <= 3; missing++ {
		l := family(3)
		l.Above = l.Above[:missing-1]
		want := domain.TokenID(fmt.Sprintf("t%d", missing))
		if got := domain.Standing(l, &open, digest(1), at(now)); got.Verdict != domain.WasRevoked || got.Ancestor != want {
			t.Errorf("without t%d: got %s on account of %q", missing, got.Verdict, got.Ancestor)
		}
	}
}

// In an account whose tokens are managed by sessions no API token reaches the
// token resource, whatever it is granted, nor one derived from a session.
func TestOnlySessionsReachTheTokensOfTheirAccount(t *testing.T) {
	byAny, bySessions := open, open
	bySessions.ManagedBy = domain.SessionsOnly
	session, derived, child := family(0), family(1), family(1)
	session.Token.Kind = domain.KindSession
	derived.Above[0].Kind = domain.KindSession
	child.Token.Kind, child.Above[0].Kind = domain.KindSession, domain.KindSession
	for _, c := range []struct {
		name     string
		line     domain.Lineage
		account  *domain.Account
		resource string
		want     domain.Verdict
	}{
		{"API token", family(0), &byAny, "/token/x", domain.Granted},
		{"API token", family(0), &bySessions, "/token/x", domain.OnlySessions},
		{"API token", family(0), &bySessions, "/token", domain.OnlySessions},
		{"API token", family(0), &bySessions, "/token/x/y", domain.OnlySessions},
		{"API token", family(0), &bySessions, "/tokens", domain.Granted},
		{"API token", family(0), &bySessions, "/device/token", domain.Granted},
		{"API token", family(0), &bySessions, "/audit", domain.Granted},
		{"session", session, &bySessions, "/token/x", domain.Granted},
		{"derived from a session", derived, &bySessions, "/token/x", domain.OnlySessions},
		{"session of a session", child, &bySessions, "/token/x", domain.Granted},
	} {
		n, err := domain.Builtin().Need("write", c.resource, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := domain.Authorize(c.line, c.account, digest(1), n, at(now)); got.Verdict != c.want {
			t.Errorf("%s on %s: got %s, want %s", c.name, c.resource, got.Verdict, c.want)
		}
		by := domain.AuthorityOf(c.line, c.account, 7)
		if by.May("acme", n) != (c.want == domain.Granted) {
			t.Errorf("%s on %s: as an actor it may: %v", c.name, c.resource, by.May("acme", n))
		}
	}
}

// deepest is a token of the greatest depth with conditions at each place.
func deepest() domain.Lineage {
	l := family(domain.MaxDepth)
	w := domain.NewWindow(0, 23*60+59, "Europe/Zurich")
	for _, t := range append([]*domain.Token{l.Token}, l.Above...) {
		t.Conditions = &domain.Conditions{Allow: prefixes("192.0.2.0/24", "10.0.0.0/8"), Deny: prefixes("10.9.0.0/16", "2001:db8::/32"), Window: &w}
		t.Permissions = grants("/device/*/state", "read", "/device/thermo1", "AccessDeviceResources Read*")
	}
	return l
}

func TestAuthorizeOfDerivedTokensDoesNotAllocate(t *testing.T) {
	l := deepest()
	n, err := domain.Builtin().Need("AccessDeviceResources", "/device/thermo1/temperature", false)
	if err != nil {
		t.Fatal(err)
	}
	use := domain.Circumstances{Now: now, From: netip.MustParseAddr("::ffff:10.1.2.3%eth0")}
	if d := domain.Authorize(l, &open, digest(1), n, use); !d.Allowed() {
		t.Fatalf("refused: %s by %s", d.Verdict, d.Ancestor)
	}
	if got := testing.AllocsPerRun(100, func() { domain.Authorize(l, &open, digest(1), n, use) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

func BenchmarkAuthorize(b *testing.B) {
	n, err := domain.Builtin().Need("AccessDeviceResources", "/device/thermo1/temperature", false)
	if err != nil {
		b.Fatal(err)
	}
	use := domain.Circumstances{Now: now, From: here}
	plain := family(0)
	plain.Token.Permissions = deepest().Token.Permissions
	for name, l := range map[string]domain.Lineage{"plain": plain, "depth 8 with conditions": deepest()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !domain.Authorize(l, &open, digest(1), n, use).Allowed() {
					b.Fatal("refused")
				}
			}
		})
	}
}
