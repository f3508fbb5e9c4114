package projections

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// What BenchmarkIndexCheck asks, made once: it takes a while.
var (
	alike = sync.OnceValue(func() *asked {
		return newAsked(benchResource, func(int, *domain.TokenIssued) {})
	})
	different = sync.OnceValue(func() *asked {
		return newAsked(benchResource, func(n int, e *domain.TokenIssued) { e.ExpiresAt = 4_000_000_000_000 + domain.Instant(n) })
	})
	own = sync.OnceValue(func() *asked {
		return newAsked(func(n int) string { return "/device/d" + strconv.Itoa(n) }, func(int, *domain.TokenIssued) {})
	})
)

func newAsked(resource func(int) string, change func(int, *domain.TokenIssued)) *asked {
	q := &asked{
		resource: resource,
		plain:    make(map[domain.Digest]uint32, benchTokens),
		order:    make([]uint32, 1<<20),
		fold:     newFold(emptyLog(), &Config{Boot: bootTime, Now: wallTime}),
	}
	records := benchStart()
	for n := range benchTokens {
		d := benchSecret(n, 1).Digest()
		q.plain[d] = uint32(n)
		a, t := benchIDs(n)
		e := benchIssued(n, d)
		e.Permissions.Allow[0].Resource = domain.Pattern(resource(n))
		change(n, &e)
		records = append(records, benchRecord(q.fold.applied+Seq(len(records))+1, a, t, e))
		if len(records) < 4096 && n < benchTokens-1 {
			continue
		}
		if err := q.fold.apply(records); err != nil {
			panic(err)
		}
		records = records[:0]
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i := range q.order {
		q.order[i] = random.Uint32N(benchTokens)
	}
	q.fold.index.lease = &lease{boot: bootTime, wall: wallTime}
	q.fold.index.lease.renew(proven{boot: bootTime(), wall: wallTime(), length: 24 * time.Hour})
	q.fold.index.setGate(gateOpen)
	runtime.GC()
	return q
}

type asked struct {
	resource func(int) string // of the token with that number
	plain    map[domain.Digest]uint32
	order    []uint32
	fold     *fold
	at       int
}

// BenchmarkIndexCheck asks about a million tokens in random order, with a
// writer at work, and prints how long that takes in units of what can't be
// saved: the SHA-256 of the secret and one look-up in a plain map, measured
// beside it in turns. The node's lease is looked at as in every node. The tokens
// are of a hundred kinds, or moreover each has an end of its own, or each is for
// a resource of its own.
func BenchmarkIndexCheck(b *testing.B) {
	b.Run("alike", func(b *testing.B) { alike().bench(b) })
	b.Run("different", func(b *testing.B) { different().bench(b) })
	b.Run("own", func(b *testing.B) { own().bench(b) })
}

func (q *asked) bench(b *testing.B) {
	ctx, stop := context.WithCancel(context.Background())
	wrote := make(chan int)
	go func() { wrote <- q.write(ctx) }()

	asks := make([]asking, 2_000)
	var checks, bare time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for left := b.N; left > 0; left -= len(asks) {
		asks = asks[:min(left, len(asks))]
		q.next(asks)
		b.StartTimer()
		began := time.Now()
		for i := range asks {
			a, err := q.fold.index.Check(asks[i].secret, asks[i].need)
			if err != nil || !a.Allowed() {
				b.Fatalf("token %d: got %v, %v, want it granted", asks[i].token, a.Verdict, err)
			}
		}
		checks += time.Since(began)
		b.StopTimer()
		q.next(asks)
		began = time.Now()
		for i := range asks {
			if q.plain[asks[i].secret.Digest()] != asks[i].token {
				b.Fatal("not found in the map")
			}
		}
		bare += time.Since(began)
	}
	stop()
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(checks)/float64(bare), "x-bare")
	b.ReportMetric(float64(<-wrote)/(checks+bare).Seconds(), "writes/s")
}

// asking is one question, at hand when it is asked, as it is in a request.
type asking struct {
	token  uint32
	secret domain.Secret
	need   domain.Need
}

func (q *asked) about(token uint32) asking {
	return asking{token, benchSecret(int(token), 1), domain.Need{
		Resource: domain.Resource(q.resource(int(token))), Action: "AccessDeviceResources", Level: domain.LevelWrite,
	}}
}

// next fills asks with the next questions in random order.
func (q *asked) next(asks []asking) {
	for i := range asks {
		asks[i] = q.about(q.order[q.at%len(q.order)])
		q.at++
	}
}

func (q *asked) write(ctx context.Context) (n int) {
	random := rand.New(rand.NewPCG(5, 6))
	name := "edited"
	for ; ctx.Err() == nil; n++ {
		a, t := benchIDs(random.IntN(benchTokens))
		r := benchRecord(q.fold.applied+1, a, t, domain.TokenEdited{Name: &name})
		if err := q.fold.apply([]eventstore.Record{r}); err != nil {
			panic(err)
		}
		time.Sleep(100 * time.Microsecond)
	}
	return n
}
