package projections

import (
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// BenchmarkTree does what the fold does for the tree, and nothing else, on the
// records of BenchmarkFold: what it takes is the tree's part of that.
func BenchmarkTree(b *testing.B) {
	tape := benchMix(benchTokens / 10)
	buf := make([]eventstore.Record, bufferSize)
	var scratch []byte
	b.ReportAllocs()
	b.ResetTimer()
	var hashing, growing time.Duration
	var leaves [bufferSize]Hash
	for b.Loop() {
		t := new(tree)
		for at := 0; at < len(tape.ends); {
			b.StopTimer()
			n := tape.read(at, buf)
			b.StartTimer()
			began := time.Now()
			for i := range buf[:n] {
				leaves[i] = leafOf(&buf[i], &scratch)
			}
			hashed := time.Now()
			for i := range buf[:n] {
				t.add(leaf{buf[i].Seq, domain.EventID{}, leaves[i]})
			}
			hashing, growing = hashing+hashed.Sub(began), growing+time.Since(hashed)
			at += n
		}
	}
	events := float64(b.N) * float64(len(tape.ends))
	b.ReportMetric(float64((hashing+growing).Nanoseconds())/events, "ns/event")
	b.ReportMetric(float64(hashing.Nanoseconds())/events, "leaf-ns/event")
	b.ReportMetric(float64(growing.Nanoseconds())/events, "grow-ns/event")
	b.ReportMetric(float64(len(tape.text))/float64(len(tape.ends)), "bytes/event")
}
