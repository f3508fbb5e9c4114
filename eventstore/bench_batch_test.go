package eventstore_test

import (
	"bytes"
	"fmt"
	"testing"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// BenchmarkAppendBatch appends batches of 300 byte records to an embedded
// server that syncs.
func BenchmarkAppendBatch(b *testing.B) {
	for _, n := range []int{10, 100, 500, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			log := openEmbedded(b, eventstore.EmbedConfig{Dir: b.TempDir(), MaxBytes: 4 << 30})
			data := bytes.Repeat([]byte{'x'}, 300)
			round := 0
			for b.Loop() {
				entries := make([]eventstore.Entry, n)
				for i := range entries {
					entries[i] = eventstoretest.NewEntry(eventstore.Subject(fmt.Sprintf("hp.e.acme.token.r%d-%d", round, i)), 0, data)
				}
				if _, err := log.AppendBatch(b.Context(), entries); err != nil {
					b.Fatal(err)
				}
				round++
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
