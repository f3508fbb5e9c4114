package projections

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/eventstore"
)

func TestACheckAllocatesNothing(t *testing.T) {
	f := benchFold(t)
	a, id := benchIDs(1)
	secret := benchSecret(1, 1)
	if err := f.apply([]eventstore.Record{benchRecord(f.applied+1, a, id, benchIssued(1, secret.Digest()))}); err != nil {
		t.Fatal(err)
	}
	f.index.setGate(gateOpen)
	need := domain.Need{Resource: domain.Resource(benchResource(1)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	parent := id
	for i := range domain.MaxDepth {
		e := benchIssued(1, benchSecret(1, 2+i).Digest())
		e.Parent = &domain.Link{Token: parent, Generation: 1}
		e.Conditions = &domain.Conditions{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		if i == 0 {
			w := domain.NewWindow(60, 59, "Europe/Zurich")
			e.Conditions.Window = &w
		}
		parent = domain.TokenID("d" + strconv.Itoa(i))
		if err := f.apply([]eventstore.Record{benchRecord(f.applied+1, a, parent, e)}); err != nil {
			t.Fatal(err)
		}
	}
	derived, from := benchSecret(1, 1+domain.MaxDepth), netip.MustParseAddr("::ffff:10.0.0.1")
	for name, check := range map[string]func(){
		"derived, with conditions": func() {
			if a, err := f.index.CheckFrom(derived, need, from); err != nil || !a.Allowed() || len(a.Ancestors) != domain.MaxDepth {
				t.Fatal(a, err)
			}
		},
		"from elsewhere": func() {
			if a, err := f.index.CheckFrom(derived, need, netip.Addr{}); err != nil || a.Verdict != domain.WrongAddress {
				t.Fatal(a, err)
			}
		},
		"granted": func() {
			if a, err := f.index.Check(secret, need); err != nil || !a.Allowed() {
				t.Fatal(a, err)
			}
		},
		"unknown": func() { _, _ = f.index.Check(domain.Secret{}, need) },
		"bearer":  func() { _, _ = f.index.Bearer(secret, netip.Addr{}) },
	} {
		if got := testing.AllocsPerRun(1000, check); got > 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
}

// held is what opens a token in a slot.
type held struct {
	token *snapshot
	terms
}

// The table holds what a plain map holds, whatever the order, through growth.
func TestTheTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		table := newTable()
		table.reserve(rapid.Uint64Range(0, 2000).Draw(t, "reserved"))
		cells := make([]*tokenCell, 5)
		for i := range cells {
			cells[i] = &tokenCell{account: newAccountCell()}
			cells[i].account.state.Store(uint32(i))
			cells[i].now.Store(&snapshot{})
		}
		digests := make([]domain.Digest, 1000)
		for i := range digests {
			for j := range 17 { // some share the half that the table knows
				digests[i][j*15%32] = byte(random.IntN(4))
			}
		}
		owner, live := map[half]*tokenCell{}, map[half]held{}
		snap := func(c *tokenCell) held {
			f := held{&snapshot{}, terms{1, domain.Instant(random.IntN(4)), &domain.Permissions{}, brief{}}}
			for i := range random.IntN(3) { // either rights or a grant
				f.rights = nil
				f.grant.actions, f.grant.size, f.grant.text[i*2] = &actionList{}, random.IntN(9), random.Int64()
			}
			c.now.Store(f.token)
			return f
		}
		for range 1500 {
			d := digests[random.IntN(len(digests))]
			h := *halfOf(&d)
			if o := table.owner(&d); o != owner[h] {
				t.Fatalf("the owner is %p, want %p", o, owner[h])
			}
			c := owner[h]
			if random.IntN(200) == 0 {
				table.reserve(random.Uint64N(4000))
			}
			switch {
			case c == nil:
				c = cells[random.IntN(len(cells))]
				owner[h], live[h] = c, snap(c)
				table.open(&d, c, live[h].token, live[h].terms)
			case random.IntN(2) == 0:
				delete(live, h)
				table.shut(&d)
			default:
				live[h] = snap(c)
				table.open(&d, c, live[h].token, live[h].terms)
			}
		}
		for _, d := range digests {
			at, c, want := table.find(&d), owner[*halfOf(&d)], live[*halfOf(&d)]
			switch {
			case at == nil && c != nil, at != nil && (at.owner.Load() != c || at.account != c.account):
				t.Fatalf("found %+v, want it to be of %p", at, c)
			case at != nil && (held{at.live.Load(), at.terms()} != want):
				t.Fatalf("found %+v, want %+v", at, want)
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

func TestAStreamStartsWithAGenesis(t *testing.T) {
	f := newFold(emptyLog(), &Config{Boot: bootTime})
	err := f.apply([]eventstore.Record{benchRecord(1, "acme", "", domain.AccountOpened{Name: "Acme"})})
	if err == nil || !strings.Contains(err.Error(), "genesis") {
		t.Errorf("got %v, want it refused for want of a genesis", err)
	}
}

func emptyLog() eventstore.Log { return eventstore.NewMemory(eventstore.MemoryConfig{}) }

// Who looks into a shard that was replaced meanwhile is told nothing there that
// may have changed since.
func TestAReplacedShardAnswersNothing(t *testing.T) {
	f := benchFold(t)
	account, token := benchIDs(0)
	secret := benchSecret(0, 0)
	d := secret.Digest()
	do := func(id domain.TokenID, e domain.Event) {
		t.Helper()
		if err := f.apply([]eventstore.Record{benchRecord(f.applied+1, account, id, e)}); err != nil {
			t.Fatal(err)
		}
	}
	do(token, benchIssued(0, d))
	need := domain.Need{Resource: domain.Resource(benchResource(0)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	old := f.index.digests.find(&d)
	if !f.index.briefly(&Answer{}, old, need) {
		t.Fatal("the token is refused")
	}
	f.index.digests.reserve(10_000)
	do(token, domain.TokenDisabled{})
	if f.index.digests.find(&d) == old {
		t.Fatal("the shard was not replaced")
	}
	if a := (Answer{}); f.index.briefly(&a, old, need) {
		t.Errorf("the slot that was replaced answers %+v", a)
	}
}
