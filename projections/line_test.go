package projections

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

// A seesaw is a writer with two things that must both be on for a check to
// pass. It turns the one off, then the other on, then that off, and the first on
// again: there is no revision at which both are.
type seesaw struct {
	*fold
	t       testing.TB
	account domain.AccountID
	levers  [2]lever
	turns   int
	secret  domain.Secret
	need    domain.Need
}

type lever struct {
	token   domain.TokenID // empty: the account
	off, on domain.Event
}

const (
	theParent, theChild, thePlain = domain.TokenID("parent"), domain.TokenID("child"), domain.TokenID("plain")
)

func seesaws() map[string][2]lever {
	wide := domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{
		{Resource: "/a", Actions: []domain.Action{"read"}}, {Resource: domain.Pattern(benchResource(0)), Actions: []domain.Action{"*"}},
	}}
	narrow := domain.Permissions{Mode: domain.Union, Allow: wide.Allow[:1]}
	able := func(id domain.TokenID) lever { return lever{id, domain.TokenDisabled{}, domain.TokenEnabled{}} }
	granted := func(id domain.TokenID) lever {
		return lever{id, domain.TokenEdited{Permissions: &narrow}, domain.TokenEdited{Permissions: &wide}}
	}
	account := lever{"", domain.AccountSuspended{Reason: domain.Reason{Code: domain.ReasonPolicy}}, domain.AccountResumed{}}
	return map[string][2]lever{
		"child and parent":           {able(theChild), able(theParent)},
		"grants of both":             {granted(theChild), granted(theParent)},
		"child and account":          {able(theChild), account},
		"parent and account":         {granted(theParent), account},
		"a plain token, its account": {able(thePlain), account},
		"its grants, its account":    {granted(thePlain), account},
	}
}

func newSeesaw(t testing.TB, levers [2]lever) *seesaw {
	s := &seesaw{fold: benchFold(t), t: t, levers: levers, secret: benchSecret(0, 1)}
	s.account, _ = benchIDs(0)
	s.need = domain.Need{Resource: domain.Resource(benchResource(0)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	s.index.setGate(gateOpen)
	s.do(theParent, benchIssued(0, benchSecret(0, 0).Digest()))
	e := benchIssued(0, benchSecret(0, 1).Digest())
	e.Parent = &domain.Link{Token: theParent, Generation: 1}
	s.do(theChild, e)
	s.do(thePlain, benchIssued(0, benchSecret(0, 2).Digest()))
	if levers[0].token == thePlain {
		s.secret = benchSecret(0, 2)
	}
	s.do(levers[1].token, levers[1].off)
	return s
}

func (s *seesaw) do(id domain.TokenID, e domain.Event) {
	if err := s.apply([]eventstore.Record{benchRecord(s.applied+1, s.account, id, e)}); err != nil {
		s.t.Error(err)
	}
}

func (s *seesaw) turn() {
	switch one, other := s.levers[0], s.levers[1]; s.turns % 4 {
	case 0:
		s.do(one.token, one.off)
	case 1:
		s.do(other.token, other.on)
	case 2:
		s.do(other.token, other.off)
	case 3:
		s.do(one.token, one.on)
	}
	s.turns++
}

// look fails the test if both are seen on: the one as it was, and the other as
// it became.
func (s *seesaw) look() {
	if a, err := s.index.Check(s.secret, s.need); err != nil || a.Allowed() {
		s.t.Errorf("a check answers %+v, %v", a.Decision, err)
	}
	_, grants := s.levers[0].off.(domain.TokenEdited) // these don't bother a bearer
	if b, err := s.index.Bearer(s.secret, netip.Addr{}); err != nil || b.Verdict == domain.Granted && !grants {
		s.t.Errorf("the bearer is %+v, %v", b, err)
	}
}

// Whatever is written while a check reads, what it answers was so at one revision.
func TestALineIsReadAsItStoodAtOneTime(t *testing.T) {
	for name, levers := range seesaws() {
		t.Run(name, func(t *testing.T) {
			s := newSeesaw(t, levers)
			random := rand.New(rand.NewPCG(1, 2))
			s.index.between = func() {
				for range max(0, random.IntN(6)-2) { // half the time none
					s.turn()
				}
			}
			for range 3000 {
				s.look()
			}
			if levers[0].token != thePlain && s.turns < 3000 {
				t.Errorf("%d turns are too few to show anything", s.turns)
			}
		})
	}
}

// The same with a writer of its own, for the race detector to look at.
func TestLinesAreReadWhileTheyChange(t *testing.T) {
	for name, levers := range seesaws() {
		t.Run(name, func(t *testing.T) {
			s := newSeesaw(t, levers)
			var over atomic.Bool
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					for done := false; !done && !t.Failed(); done = over.Load() {
						s.look()
					}
				})
			}
			for range 4000 {
				s.turn()
			}
			over.Store(true)
			all.Wait()
		})
	}
}

// BenchmarkLineage checks leaves of a tree of tokens, each derived from one
// above, up to eight deep, and revokes its root. It prints what a check costs
// before and after, in a small and in a large tree, and how long the revoke took
// to be in effect. A few leaves, which stay in the processor's caches, show what
// a check does; any leaf moreover waits for memory, more in a large tree.
func BenchmarkLineage(b *testing.B) {
	for _, n := range []int{1000, benchTokens} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchLineage(b, n) })
	}
}

func benchLineage(b *testing.B, n int) {
	f, leaves := newTree(b, n)
	need := domain.Need{Resource: domain.Resource(benchResource(0)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	check := func(b *testing.B, leaves []domain.Secret, want domain.Verdict) {
		b.ReportAllocs()
		at := 0
		for b.Loop() {
			if a, err := f.index.Check(leaves[at*7919%len(leaves)], need); err != nil || a.Verdict != want {
				b.Fatalf("got %+v, %v; want %s", a, err, want)
			}
			at++
		}
	}
	few := leaves[len(leaves)-64:]
	b.Run("few/granted", func(b *testing.B) { check(b, few, domain.Granted) })
	b.Run("any/granted", func(b *testing.B) { check(b, leaves, domain.Granted) })
	a, _ := benchIDs(0)
	revoke := []eventstore.Record{benchRecord(f.applied+1, a, leafID(0), domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})}
	began := f.boot()
	if err := f.apply(revoke); err != nil {
		b.Fatal(err)
	}
	took := f.boot() - began
	b.Run("few/refused", func(b *testing.B) { check(b, few, domain.WasRevoked) })
	b.Run("any/refused", func(b *testing.B) {
		check(b, leaves, domain.WasRevoked)
		b.ReportMetric(float64(took.Nanoseconds()), "revoke-ns")
	})
}

func leafID(i int) domain.TokenID { return domain.TokenID("d" + strconv.Itoa(i)) }

// newTree returns a fold with a token that has n descendants, up to eight deep,
// and the secrets of those furthest down.
func newTree(b *testing.B, n int) (*fold, []domain.Secret) {
	f := benchFold(b)
	f.index.setGate(gateOpen)
	a, _ := benchIDs(0)
	width := 2 // children of each
	for ; full(width, domain.MaxDepth) < n; width++ {
	}
	secrets := make([]domain.Secret, n+1)
	var records []eventstore.Record
	for i := range secrets {
		secrets[i] = benchSecret(i, 1)
		e := benchIssued(0, secrets[i].Digest())
		if i > 0 {
			e.Parent = &domain.Link{Token: leafID((i - 1) / width), Generation: 1}
		}
		records = append(records, benchRecord(f.applied+Seq(len(records))+1, a, leafID(i), e))
		if len(records) < 4096 && i < n {
			continue
		}
		if err := f.apply(records); err != nil {
			b.Fatal(err)
		}
		records = records[:0]
	}
	runtime.GC()
	return f, secrets[n-n/2:]
}

// full is how many descendants a token has if it and they have that many
// children each, to that depth.
func full(width, depth int) (n int) {
	for level := width; depth > 0; depth-- {
		n += level
		level *= width
	}
	return n
}
