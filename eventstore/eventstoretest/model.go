package eventstoretest

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"hallpass/eventstore"
)

// model compares random appends with a map from subject to last record.
func model(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	last := map[eventstore.Subject]eventstore.Seq{}
	head := eventstore.Seq(1)
	budget := 400 // appends in all, however many runs rapid makes
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 10).Draw(rt, "appends") {
			if budget--; budget < 0 {
				return
			}
			s := eventstore.Subject(fmt.Sprint("hp.e.acme.token.m", rapid.IntRange(0, 4).Draw(rt, "subject")))
			expect := last[s]
			if rapid.IntRange(0, 3).Draw(rt, "wrong") == 0 {
				expect = eventstore.Seq(rapid.Uint64Range(0, uint64(head)+2).Draw(rt, "expect"))
			}
			seq, err := log.Append(ctx, NewEntry(s, expect, []byte("m")))
			if last[s] == expect {
				if err != nil || seq != head+1 {
					rt.Fatalf("append to %s expecting %d: %d, %v; want %d", s, expect, seq, err, head+1)
				}
				head, last[s] = seq, seq
				continue
			}
			var conflict *eventstore.ConflictError
			if !errors.As(err, &conflict) || conflict.Last != last[s] {
				rt.Fatalf("append to %s expecting %d: %d, %v; want a conflict with %d", s, expect, seq, err, last[s])
			}
		}
	})
	newest := map[eventstore.Subject]eventstore.Seq{}
	for _, r := range Read(t, log, 2, head) {
		newest[r.Subject] = r.Seq
	}
	if !maps.Equal(newest, last) {
		t.Errorf("the log's newest records are %v, the map's %v", newest, last)
	}
}
