package projections

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/eventstore"
)

func TestACheckAllocatesNothing(t *testing.T) {
	f := benchFold(t)
	a, id := benchIDs(1)
	secret := benchSecret(1, 1)
	if err := f.apply([]eventstore.Record{benchRecord(f.applied+1, a, id, benchIssued(1, secret.Digest()))}); err != nil {
		t.Fatal(err)
	}
	f.index.setGate(gateLive)
	need := domain.Need{Resource: domain.Resource(benchResource(1)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	for name, check := range map[string]func(){
		"granted": func() {
			if a, err := f.index.Check(secret, need); err != nil || !a.Allowed() {
				t.Fatal(a, err)
			}
		},
		"unknown": func() { _, _ = f.index.Check(domain.Secret{}, need) },
		"bearer":  func() { _, _ = f.index.Bearer(secret) },
	} {
		if got := testing.AllocsPerRun(1000, check); got > 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
}

// The table holds what a plain map holds, whatever the order, through growth.
func TestTheTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		table := newTable()
		cells := make([]*tokenCell, 5)
		for i := range cells {
			cells[i] = &tokenCell{account: newAccountCell()}
			cells[i].now.Store(&snapshot{})
		}
		digests := make([]domain.Digest, 1000)
		for i := range digests {
			for j := range 17 { // some share the parts that the hash reads
				digests[i][j*15%32] = byte(random.IntN(4))
			}
		}
		owner, live := map[domain.Digest]*tokenCell{}, map[domain.Digest]*snapshot{}
		for range 1500 {
			d := digests[random.IntN(len(digests))]
			if o := table.owner(&d); o != owner[d] {
				t.Fatalf("the owner is %p, want %p", o, owner[d])
			}
			c := owner[d]
			switch {
			case c == nil:
				c = cells[random.IntN(len(cells))]
				owner[d], live[d] = c, &snapshot{}
				table.open(&d, c, live[d], live[d])
			case random.IntN(2) == 0:
				delete(live, d)
				table.shut(&d)
			default:
				live[d] = &snapshot{}
				table.open(&d, c, live[d], live[d])
			}
		}
		for _, d := range digests {
			want := live[d]
			if c := owner[d]; want == nil && c != nil {
				want = c.now.Load()
			}
			if got := table.find(&d); got.token != want || got.like != want {
				t.Fatalf("found %+v, want %p", got, want)
			}
		}
	})
}

func TestSubjectsAreComparedAsTheyAreMade(t *testing.T) {
	part := rapid.SampledFrom([]string{"", "a", "b", "ab", "token", "account", "a.token.b", ".", "a.account.a"})
	rapid.Check(t, func(t *rapid.T) {
		f := &domain.Fact{
			Account: domain.AccountID(part.Draw(t, "account")), Token: domain.TokenID(part.Draw(t, "token")),
			Event: domain.TokenEnabled{},
		}
		other := &domain.Fact{
			Account: domain.AccountID(part.Draw(t, "other account")), Token: domain.TokenID(part.Draw(t, "other token")),
			Event: domain.TokenEnabled{},
		}
		for _, s := range []eventstore.Subject{eventstore.SubjectOf(f), eventstore.SubjectOf(other), eventstore.SubjectOf(f) + "x"} {
			if got, want := filedUnder(s, f), s == eventstore.SubjectOf(f); got != want {
				t.Fatalf("%s for %q, %q: got %v, want %v", s, f.Account, f.Token, got, want)
			}
		}
	})
}

// A check may be decided by another token that sameRights takes for alike. So
// every field that domain might decide by has to count there: whoever adds one
// to Token, Held, Permissions or Grant comes by here.
func TestEveryFieldThatMayDecideCounts(t *testing.T) {
	identity := "Account ID Generation Name Description Tags IssuedBy CreatedAt ModifiedAt Reason Revision Narrowed Secrets.Digest"
	base := func() *domain.Token {
		return &domain.Token{
			Generation: 1, Secrets: []domain.Held{{}},
			Permissions: domain.Permissions{
				Allow: []domain.Grant{{Actions: []domain.Action{"x"}}}, Deny: []domain.Grant{{Actions: []domain.Action{"x"}}},
			},
		}
	}
	check := func(path string, field func(reflect.Value) reflect.Value) {
		changed := base()
		alter(t, path, field(reflect.ValueOf(changed).Elem()))
		same := sameRights(base(), changed)
		if want := strings.Contains(" "+identity+" ", " "+path+" "); same != want {
			t.Errorf("tokens that differ in %s: the same rights: %v, want %v", path, same, want)
		}
	}
	fields := func(typ reflect.Type, prefix string, in func(reflect.Value) reflect.Value) {
		for f := range typ.Fields() {
			if name := prefix + f.Name; name != "Secrets" && name != "Permissions" && f.Type != reflect.TypeFor[[]domain.Grant]() {
				check(name, func(v reflect.Value) reflect.Value { return in(v).FieldByIndex(f.Index) })
			}
		}
	}
	fields(reflect.TypeFor[domain.Token](), "", func(v reflect.Value) reflect.Value { return v })
	fields(reflect.TypeFor[domain.Held](), "Secrets.", func(v reflect.Value) reflect.Value { return v.FieldByName("Secrets").Index(0) })
	fields(reflect.TypeFor[domain.Permissions](), "Permissions.", func(v reflect.Value) reflect.Value { return v.FieldByName("Permissions") })
	for _, list := range []string{"Allow", "Deny"} {
		fields(reflect.TypeFor[domain.Grant](), list+".", func(v reflect.Value) reflect.Value {
			return v.FieldByName("Permissions").FieldByName(list).Index(0)
		})
	}
}

// alter gives the field another value.
func alter(t *testing.T, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Array:
		alter(t, path, v.Index(0))
	case reflect.Struct:
		alter(t, path, v.Field(0))
	default:
		t.Fatalf("%s is a %v: say here how to alter one", path, v.Kind())
	}
}

// Where timed says no, a check does not ask the clock.
func TestWhatIsNotTimedIsTheSameAtAllTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.SampledFrom([]domain.Instant{0, 0, 0, 5, 10})
		d := domain.Digest{1}
		tok := &domain.Token{
			Generation: 1, Enabled: true, NotBefore: end.Draw(t, "not before"), ExpiresAt: end.Draw(t, "expires at"),
			Permissions: domaintest.Permissions().Draw(t, "permissions"),
			Secrets:     []domain.Held{{Digest: d, Until: end.Draw(t, "until")}},
		}
		var verdicts []domain.Verdict
		need := rapid.SampledFrom(domaintest.Universe()).Draw(t, "need")
		for _, now := range []domain.Instant{0, 1, 7, 20} {
			verdicts = append(verdicts, domain.Authorize(tok, domain.AccountIsOpen, d, need, now).Verdict)
		}
		if !timed(tok) && (verdicts[0] != verdicts[1] || verdicts[0] != verdicts[2] || verdicts[0] != verdicts[3]) {
			t.Fatalf("%+v is %v at 0, 1, 7 and 20, and not timed", tok, verdicts)
		}
	})
}

func TestAStreamStartsWithAGenesis(t *testing.T) {
	f := newFold(nil, Config{})
	err := f.apply([]eventstore.Record{benchRecord(1, "acme", "", domain.AccountOpened{Name: "Acme"})})
	if err == nil || !strings.Contains(err.Error(), "genesis") {
		t.Errorf("got %v, want it refused for want of a genesis", err)
	}
}
