package projections

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
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
	x := q.fold.index
	defer func() { x.gathered = nil }()
	u := newUsage(&Config{UsageEvery: time.Hour, Node: NodeConfig{Name: "n1"}}, emptyLog(), q.fold.directory, x)
	addr := netip.MustParseAddr("203.0.113.77")
	asks := make([]asking, 2_000)
	var took [3]time.Duration
	b.ReportAllocs()
	for left, sinceFlush := b.N, 0; left > 0; left -= len(asks) {
		asks = asks[:min(left, len(asks))]
		for turn := range took {
			b.StopTimer()
			q.next(asks)
			b.StartTimer()
			x.gathered = [...]*gathered{nil, &u.gathered, &u.gathered}[turn]
			from := [...]netip.Addr{{}, {}, addr}[turn]
			began := time.Now()
			for i := range asks {
				a, err := x.CheckFrom(asks[i].secret, asks[i].need, from)
				if err != nil || !a.Allowed() {
					b.Fatalf("token %d: got %v, %v, want it granted", asks[i].token, a.Verdict, err)
				}
			}
			took[turn] += time.Since(began)
		}
		if sinceFlush += 3 * len(asks); sinceFlush >= 1_000_000 {
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
	ask := q.about(5)
	var failed atomic.Bool
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if a, err := x.Check(ask.secret, ask.need); err != nil || !a.Allowed() {
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
		for token := range uint32(benchTokens) {
			ask := q.about(token)
			if _, err := x.Check(ask.secret, ask.need); err != nil {
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
