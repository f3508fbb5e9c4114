package eventstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// childBatches, in the environment, makes the test binary a process to kill
// that appends batches.
const childBatches = "HALLPASS_TEST_KILL_BATCHES_DIR"

const killBatch = 400

// batchForEver appends batches over the same subjects, each on top of the one
// before, and prints "<subject> <seq> <data>" of the last of each once the log
// has acknowledged it. It goes on from what the stream holds.
func batchForEver(dir string) error {
	ctx := context.Background()
	log, err := eventstore.OpenEmbedded(ctx, eventstore.EmbedConfig{Dir: dir, MaxBytes: 1 << 30})
	if err != nil {
		return err
	}
	newest, count, err := perSubject(ctx, log)
	if err != nil {
		return err
	}
	fmt.Println("open")
	entries := make([]eventstore.Entry, killBatch)
	for round := count[batchSubject(0)]; ; round++ {
		for i := range entries {
			entries[i] = eventstoretest.NewEntry(batchSubject(i), newest[batchSubject(i)], []byte(strconv.Itoa(round)))
		}
		last, err := log.AppendBatch(ctx, entries)
		if err != nil {
			return err
		}
		for i := range entries {
			newest[batchSubject(i)] = last - eventstore.Seq(killBatch-1-i)
		}
		fmt.Println(batchSubject(killBatch-1), last, round)
	}
}

func batchSubject(i int) eventstore.Subject {
	return eventstore.Subject(fmt.Sprint("hp.e.acme.token.b", i))
}

// TestKillBatch kills a process that appends batches, again and again, and
// finds after each time that every acknowledged batch is in the stream, and
// that each batch is there whole or not at all.
func TestKillBatch(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	dir := t.TempDir()
	acked := map[eventstore.Seq]string{}
	whole, told := 0, 0
	for range rounds {
		killOnce(t, childBatches, dir, time.Duration(rand.IntN(60))*time.Millisecond, acked)
		log := openEmbedded(t, eventstore.EmbedConfig{Dir: dir})
		verify(t, log, acked)
		_, count, err := perSubject(eventstoretest.Context(t), log)
		if err != nil {
			t.Fatal(err)
		}
		for i := range killBatch {
			if got, want := count[batchSubject(i)], count[batchSubject(0)]; got != want {
				t.Fatalf("a batch is there in part: %d records of its first subject, %d of number %d", want, got, i)
			}
		}
		whole, told = count[batchSubject(0)], len(acked)
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds, %d batches of %d acknowledged, %d stored, none in part", rounds, told, killBatch, whole)
}
