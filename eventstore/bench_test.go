package eventstore_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// connections are the two ways to reach an embedded server.
var connections = []struct{ name, listen string }{{"in-process", ""}, {"loopback", "127.0.0.1:0"}}

// BenchmarkAppend compares Append with the library's PublishMsg, taking turns
// on the same stream, synced, 300 bytes a record.
func BenchmarkAppend(b *testing.B) {
	for _, c := range connections {
		for _, publishers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", c.name, publishers), func(b *testing.B) {
				log := openEmbedded(b, eventstore.EmbedConfig{Dir: b.TempDir(), Listen: c.listen})
				bare, err := log.Bare()
				if err != nil {
					b.Fatal(err)
				}
				defer bare.Close()
				var mine, theirs time.Duration
				n := 0
				for b.Loop() {
					round := n
					n++
					theirs += publishRound(b, publishers, round*2, bare.Publish)
					mine += publishRound(b, publishers, round*2+1, log.Append)
				}
				per := float64(n * publishers * perPublisher)
				b.ReportMetric(per/mine.Seconds(), "append/s")
				b.ReportMetric(per/theirs.Seconds(), "bare/s")
				b.ReportMetric(theirs.Seconds()/mine.Seconds(), "ratio")
			})
		}
	}
}

const perPublisher = 50

func publishRound(b *testing.B, publishers, round int,
	publish func(context.Context, eventstore.Entry) (eventstore.Seq, error)) time.Duration {
	ctx := context.Background()
	data := bytes.Repeat([]byte{'x'}, 300)
	begin := time.Now()
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			s := eventstore.Subject(fmt.Sprintf("hp.e.acme.token.r%d-%d", round, p))
			var last eventstore.Seq
			for range perPublisher {
				seq, err := publish(ctx, eventstoretest.NewEntry(s, last, data))
				if err != nil {
					b.Error(err)
					return
				}
				last = seq
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// BenchmarkRead compares a Next loop that counts with a bare push consumer
// that counts, taking turns on the same stream. HALLPASS_BENCH_RECORDS sets
// the number of records.
func BenchmarkRead(b *testing.B) {
	records := 100_000
	if s := os.Getenv("HALLPASS_BENCH_RECORDS"); s != "" {
		var err error
		if records, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range connections {
		b.Run(c.name, func(b *testing.B) {
			log := openEmbedded(b, eventstore.EmbedConfig{Dir: b.TempDir(), Listen: c.listen, NoSync: true})
			bare, err := log.Bare()
			if err != nil {
				b.Fatal(err)
			}
			defer bare.Close()
			fill(b, bare, records)
			var mine, theirs time.Duration
			n := 0
			for b.Loop() {
				n++
				begin := time.Now()
				if err := bare.Count(context.Background(), records); err != nil {
					b.Fatal(err)
				}
				theirs += time.Since(begin)
				begin = time.Now()
				count(b, log, records)
				mine += time.Since(begin)
			}
			b.ReportMetric(float64(n*records)/mine.Seconds(), "read/s")
			b.ReportMetric(float64(n*records)/theirs.Seconds(), "bare/s")
			b.ReportMetric(theirs.Seconds()/mine.Seconds(), "ratio")
		})
	}
}

func fill(b *testing.B, bare *eventstore.Bare, records int) {
	data := bytes.Repeat([]byte("0123456789"), 20)
	n := 1 // the genesis is there
	err := bare.Fill(context.Background(), func() (eventstore.Entry, bool) {
		n++
		s := eventstore.Subject(fmt.Sprintf("hp.e.acme.token.t%d", n))
		return eventstoretest.NewEntry(s, 0, data), n <= records
	})
	if err != nil {
		b.Fatal(err)
	}
}

func count(b *testing.B, log eventstore.Log, records int) {
	ctx := context.Background()
	r, err := log.Read(ctx, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	buf := make([]eventstore.Record, 512)
	for left := records; left > 0; {
		n, err := r.Next(ctx, buf)
		if err != nil {
			b.Fatal(err)
		}
		left -= n
	}
}
