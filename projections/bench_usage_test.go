package projections

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"hallpass/domain"
)

// BenchmarkCheckGathering asks about a million tokens in random order, in turns
// with uses not gathered, gathered, and gathered with the address, so that
// what else the machine does falls on all alike; and about one token from all
// processors. A flush, without its writing, comes every million checks.
func BenchmarkCheckGathering(b *testing.B) {
	for name, q := range map[string]func() *asked{"alike": alike, "different": different, "own": own} {
		b.Run(name, func(b *testing.B) { q().benchGathering(b) })
	}
	b.Run("one/off", func(b *testing.B) { benchOne(b, alike(), nil) })
	b.Run("one/on", func(b *testing.B) { benchOne(b, alike(), new(gathered)) })
}

func (q *asked) benchGathering(b *testing.B) {
	const few = 2_000
	x := q.fold.index
	defer func() { x.gathered = nil }()
	u := newUsage(&Config{UsageEvery: time.Hour, Node: NodeConfig{Name: "n1"}}, emptyLog(), q.fold.directory, x)
	addr := netip.MustParseAddr("203.0.113.77")
	needs := make([]domain.Need, few)
	var took [3]time.Duration
	b.ReportAllocs()
	for left, sinceFlush := b.N, 0; left > 0; left -= few {
		n := min(left, few)
		for turn := range took {
			for i := range n {
				needs[i] = domain.Need{
					Resource: domain.Resource(q.resource(int(q.order[(q.at+i)%len(q.order)]))),
					Action:   "AccessDeviceResources", Level: domain.LevelWrite,
				}
			}
			x.gathered = [...]*gathered{nil, &u.gathered, &u.gathered}[turn]
			from := [...]netip.Addr{{}, {}, addr}[turn]
			began := time.Now()
			for i := range n {
				o := q.order[(q.at+i)%len(q.order)]
				a, err := x.CheckFrom(q.secrets[o], needs[i], from)
				if err != nil || !a.Allowed() {
					b.Fatalf("token %d: got %v, %v, want it granted", o, a.Verdict, err)
				}
			}
			took[turn] += time.Since(began)
			q.at += n
		}
		if sinceFlush += 3 * n; sinceFlush >= 1_000_000 {
			b.StopTimer()
			u.collect()
			b.StartTimer()
			sinceFlush = 0
		}
	}
	for turn, name := range []string{"off-ns/check", "on-ns/check", "address-ns/check"} {
		b.ReportMetric(float64(took[turn].Nanoseconds())/float64(b.N), name)
	}
}

func benchOne(b *testing.B, q *asked, g *gathered) {
	x := q.fold.index
	x.gathered = g
	defer func() { x.gathered = nil }()
	need := domain.Need{Resource: domain.Resource(q.resource(5)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
	var failed atomic.Bool
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if a, err := x.Check(q.secrets[5], need); err != nil || !a.Allowed() {
				failed.Store(true)
			}
		}
	})
	if failed.Load() {
		b.Fatal("refused")
	}
}

// BenchmarkCollect adds the uses of a million tokens to the tables, as a flush
// does that finds all of them used.
func BenchmarkCollect(b *testing.B) {
	q := alike()
	x := q.fold.index
	defer func() { x.gathered = nil }()
	u := newUsage(&Config{UsageEvery: time.Hour, Node: NodeConfig{Name: "n1"}}, emptyLog(), q.fold.directory, x)
	for b.Loop() {
		b.StopTimer()
		for i := range q.secrets {
			if _, err := x.Check(q.secrets[i], anyOf(q, i)); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		u.collect()
	}
	b.StopTimer()
	bytes := 0
	for _, t := range u.nodes["n1"] {
		bytes += len(t)
	}
	b.ReportMetric(float64(bytes)/benchTokens, "bytes/token")
}

func anyOf(q *asked, i int) domain.Need {
	return domain.Need{Resource: domain.Resource(q.resource(i)), Action: "AccessDeviceResources", Level: domain.LevelWrite}
}
