package projections

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/eventstore"
)

// Whatever way a check takes, it says what domain.Authorize says of the token
// as it stands, at every time around those that bound it.
func TestAnswersAreThoseOfAuthorize(t *testing.T) {
	short, long := 0, 0
	missing := func() string {
		if short < 200 || long < 500 {
			return fmt.Sprintf("%d checks went the short way and %d the long", short, long)
		}
		return ""
	}
	domaintest.CheckUntil(t, missing, func(t *rapid.T) {
		time := rapid.SampledFrom([]domain.Instant{0, 0, 0, 5, 6, 10, math.MaxInt64, math.MinInt64})
		yes := rapid.SampledFrom([]bool{true, true, true, false})
		conditions := rapid.SampledFrom([]*domain.Conditions{
			nil, nil, nil, nil, nil, nil, {Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, {Deny: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		})
		few := rapid.SliceOfN(domaintest.Permissions(), 1, 2).Draw(t, "permissions")
		f := newFold(emptyLog(), &Config{Boot: bootTime, Now: func() domain.Instant { return 0 }})
		account := newAccountCell()
		var lines []domain.Lineage
		for n := range 4 {
			tok := &domain.Token{
				ID:         domain.TokenID(strconv.Itoa(n)),
				Generation: uint64(rapid.SampledFrom([]int{1, 1, 1, 0}).Draw(t, "generation")),
				Enabled:    yes.Draw(t, "enabled"), Revoked: !yes.Draw(t, "revoked"),
				NotBefore: time.Draw(t, "not before"), ExpiresAt: time.Draw(t, "expires at"),
				Permissions: rapid.SampledFrom(few).Draw(t, "one of them"),
				Kind:        rapid.SampledFrom([]domain.Kind{domain.KindAPI, domain.KindSession}).Draw(t, "kind"),
				Conditions:  conditions.Draw(t, "conditions"),
			}
			for i := range rapid.IntRange(0, 2).Draw(t, "secrets") {
				d := benchSecret(n, i).Digest()
				tok.Secrets = append(tok.Secrets, domain.Held{Digest: d, Until: time.Draw(t, "until"), Retires: !yes.Draw(t, "retires")})
			}
			line := domain.Alone(tok)
			if n > 0 && rapid.IntRange(0, 2).Draw(t, "derived") == 0 {
				above := rapid.SampledFrom(lines).Draw(t, "from")
				tok.Parent = &domain.Link{Token: above.Token.ID, Generation: uint64(rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "its generation"))}
				line.Above = append([]*domain.Token{above.Token}, above.Above...)
			}
			lines = append(lines, line)
			c := f.directory.tokenLocked(f.directory.tokens.hash(tok.Account, tok.ID), account, tok.ID)
			s := f.newSnapshotLocked(c, tok)
			c.now.Store(s)
			for i := range tok.Secrets {
				f.index.digests.open(&tok.Secrets[i].Digest, c, s, f.termsOf(s, i))
			}
		}
		need := rapid.SampledFrom(domaintest.Universe()).Draw(t, "need")
		from := rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "from")
		for _, is := range []domain.Account{
			{State: domain.AccountIsOpen}, {State: domain.AccountIsSuspended}, {State: domain.AccountIsOpen, ManagedBy: domain.SessionsOnly},
		} {
			account.set(&is)
			for _, now := range []domain.Instant{0, 4, 5, 6, 9, 10, 11, math.MaxInt64 - 1, math.MaxInt64} {
				f.index.latest.Store(int64(now))
				for n, line := range lines {
					tok := line.Token
					for i := range tok.Secrets {
						secret := benchSecret(n, i)
						want := domain.Authorize(line, &is, secret.Digest(), need, domain.Circumstances{Now: now, From: from})
						var answer Answer
						f.index.decide(&answer, secret, need, from)
						got := answer.Decision
						if got.Verdict != want.Verdict || fmt.Sprint(got.Grant) != fmt.Sprint(want.Grant) || got.Ancestor != want.Ancestor {
							t.Fatalf("at %d got %+v, want %+v for secret %d of %+v", now, got, want, i, tok)
						}
						d := secret.Digest()
						if f.index.briefly(&Answer{}, f.index.digests.find(&d), need) {
							short++
						} else {
							long++
						}
					}
				}
			}
		}
	})
	t.Logf("%d went the short way, %d the long", short, long)
}

// Rights that samePermissions takes for the same decide for each other. So
// every field has to count there: whoever adds one comes by here.
func TestEveryFieldOfPermissionsCounts(t *testing.T) {
	base := func() *domain.Permissions {
		one := func() []domain.Grant { return []domain.Grant{{Actions: []domain.Action{"x"}}} }
		return &domain.Permissions{Allow: one(), Deny: one()}
	}
	if !samePermissions(base(), base()) {
		t.Fatal("the same permissions are not the same")
	}
	check := func(path string, field func(reflect.Value) reflect.Value) {
		changed := base()
		alter(t, path, field(reflect.ValueOf(changed).Elem()))
		if samePermissions(base(), changed) {
			t.Errorf("permissions that differ in %s are taken for the same", path)
		}
	}
	for f := range reflect.TypeFor[domain.Permissions]().Fields() {
		check(f.Name, func(v reflect.Value) reflect.Value { return v.FieldByIndex(f.Index) })
	}
	for _, list := range []string{"Allow", "Deny"} {
		for f := range reflect.TypeFor[domain.Grant]().Fields() {
			check(list+"."+f.Name, func(v reflect.Value) reflect.Value {
				return v.FieldByName(list).Index(0).FieldByIndex(f.Index)
			})
		}
	}
}

// Of these fields of a token, terms keep the times, and whether it stands
// otherwise. A new field that makes domain.Standing depend on the time, or on
// anything beside the token, has to be kept there too, or must make the check
// ask domain, as parents, conditions and secrets that retire others do: whoever
// adds a field comes by here.
func TestEveryTimeOfATokenIsInItsTerms(t *testing.T) {
	known := " NotBefore ExpiresAt Secrets Digest Until Generation Enabled Revoked Permissions " +
		"Account ID Name Description Tags Kind Immutable IssuedBy CreatedAt ModifiedAt Reason Revision Narrowed " +
		"Parent Conditions Retires Revealable Sealed Told Origin Imported Done "
	for _, typ := range []reflect.Type{reflect.TypeFor[domain.Token](), reflect.TypeFor[domain.Held]()} {
		for f := range typ.Fields() {
			if !strings.Contains(known, " "+f.Name+" ") {
				t.Errorf("%s.%s is new: does a check at another time depend on it?", typ, f.Name)
			}
		}
	}
}

// alter gives the field another value.
func alter(t *testing.T, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Uint8:
		v.SetUint(v.Uint() + 1)
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	default:
		t.Fatalf("%s is a %v: say here how to alter one", path, v.Kind())
	}
}

// Digests that share their first half are one to the table, whoever brings them.
func TestDigestsOfOneHalfAreOneSecret(t *testing.T) {
	f := benchFold(t)
	f.index.setGate(gateOpen)
	a, first := benchIDs(0)
	_, second := benchIDs(benchAccounts) // of the same account
	secret := benchSecret(0, 1)
	d := secret.Digest()
	twin, other := d, benchSecret(0, 2).Digest()
	twin[31]++
	do := func(id domain.TokenID, e domain.Event) {
		t.Helper()
		if err := f.apply([]eventstore.Record{benchRecord(f.applied+1, a, id, e)}); err != nil {
			t.Fatal(err)
		}
	}
	need := domain.Need{Resource: domain.Resource(benchResource(0)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	want := func(id domain.TokenID, v domain.Verdict, secrets ...domain.Digest) {
		t.Helper()
		got, err := f.index.Check(secret, need)
		if err != nil || got.Verdict != v || got.Token.ID != first {
			t.Errorf("got %v of %v, %v; want %v of %s", got.Verdict, got.Token, err, v, first)
		}
		bearer, err := f.index.Bearer(secret, netip.Addr{})
		if err != nil || bearer.Verdict != v || bearer.Token.ID != first {
			t.Errorf("the bearer is %+v, %v; want %v of %s", bearer, err, v, first)
		}
		state, _ := f.directory.State(domain.Target{Account: a, Token: id})
		if len(state.Token.Secrets) != len(secrets) {
			t.Fatalf("%s holds %v, want %v", id, state.Token.Secrets, secrets)
		}
		for i, h := range state.Token.Secrets {
			if h.Digest != secrets[i] {
				t.Errorf("%s holds %v, want %v", id, state.Token.Secrets, secrets)
			}
		}
	}
	const later = 4_000_000_000_000
	do(first, benchIssued(0, d))
	want(first, domain.Granted, d)
	do(second, benchIssued(0, twin))
	want(second, domain.Granted) // it lost the twin
	do(first, domain.TokenRotated{Digest: twin, PreviousUntil: later})
	want(first, domain.Granted, twin)
	do(first, domain.TokenRotated{Digest: other, PreviousUntil: later})
	want(first, domain.Granted, other, twin)
	do(first, domain.TokenRotated{Digest: d, PreviousUntil: later})
	want(first, domain.Granted, d, other)
	do(first, domain.TokenDisabled{})
	want(first, domain.IsDisabled, d, other)
	do(first, domain.TokenEnabled{})
	do(first, domain.TokenRotated{Digest: other})
	want(first, domain.WasRevoked, other)
	do(first, domain.TokenRotated{Digest: twin})
	want(first, domain.Granted, twin)
	do("", domain.AccountSuspended{Reason: domain.Reason{Code: domain.ReasonPolicy}})
	want(first, domain.OnSuspended, twin)
	do(first, domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})
	want(first, domain.WasRevoked)
	do(second, domain.TokenRotated{Digest: d})
	want(second, domain.WasRevoked)
}
