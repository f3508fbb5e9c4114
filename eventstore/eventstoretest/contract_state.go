package eventstoretest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

func fidelity(t *testing.T, log eventstore.Log) {
	big := bytes.Repeat([]byte("\x00\xff\r\n."), domain.MaxEventSize/5)
	cases := [][]byte{{}, []byte("\r\n"), []byte(strings.Repeat("x", 5000)), big}
	var last eventstore.Seq
	for _, data := range cases {
		e := NewEntry(first, last, bytes.Clone(data))
		seq, err := log.Append(Context(t), e)
		if err != nil {
			t.Fatal(err)
		}
		clear(e.Data) // the caller may use its buffer again
		last = seq
	}
	read := Read(t, log, 2, last)
	hist, err := log.History(Context(t), first, 0, len(cases))
	if err != nil {
		t.Fatal(err)
	}
	for i, data := range cases {
		if !bytes.Equal(read[i].Data, data) || !bytes.Equal(hist[i].Data, data) {
			t.Errorf("%d bytes came back altered", len(data))
		}
	}
}

func history(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	const n = 300 // more than one request brings
	var places []eventstore.Seq
	var a, b eventstore.Seq
	for i := range n {
		a = Append(t, log, first, a, fmt.Sprint("a", i))
		places = append(places, a)
		if i%3 == 0 {
			b = Append(t, log, second, b, fmt.Sprint("b", i))
		}
	}
	for _, c := range []struct {
		after       eventstore.Seq
		limit       int
		from, count int
	}{
		{0, 1000, 0, n}, {0, n, 0, n}, {0, 10, 0, 10}, {0, 1, 0, 1}, {0, 0, 0, 0},
		{places[4], 3, 5, 3}, {places[4] - 1, 3, 4, 3}, {places[n-2], 10, n - 1, 1},
		{places[n-1], 10, 0, 0}, {places[n-1] + 1000, 10, 0, 0}, {^eventstore.Seq(0), 10, 0, 0},
	} {
		got, err := log.History(ctx, first, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != c.count {
			t.Errorf("history after %d, limit %d: %d records, want %d", c.after, c.limit, len(got), c.count)
			continue
		}
		for i, r := range got {
			if r.Seq != places[c.from+i] || r.Subject != first || string(r.Data) != fmt.Sprint("a", c.from+i) || r.Stored == 0 {
				t.Errorf("history after %d: record %d is %d %s %q", c.after, i, r.Seq, r.Subject, r.Data)
			}
		}
	}
	if got, err := log.History(ctx, "hp.e.acme.token.none", 0, 10); len(got) != 0 || err != nil {
		t.Errorf("history of an unknown subject: %d records, %v", len(got), err)
	}
}

func usage(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	before, err := log.Usage(ctx)
	if err != nil || before.Records != 1 || before.Subjects != 1 {
		t.Fatalf("usage of a new log: %+v, %v", before, err)
	}
	Append(t, log, first, 0, strings.Repeat("x", 1000))
	after, err := log.Usage(ctx)
	if err != nil || after.Records != 2 || after.Subjects != 2 || after.Bytes < before.Bytes+1000 || after.MaxBytes != before.MaxBytes {
		t.Errorf("usage grew from %+v to %+v, %v", before, after, err)
	}
}

func closed(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	waiting, err := log.Read(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		_, err := waiting.Next(ctx, make([]eventstore.Record, 1))
		got <- err
	}()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, eventstore.ErrClosed) && !errors.Is(err, eventstore.ErrLost) {
		t.Errorf("a waiting reader got %v", err)
	}
	if err := log.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	_, aerr := log.Append(ctx, NewEntry(first, 0, nil))
	_, rerr := log.Read(ctx, 1)
	_, herr := log.History(ctx, first, 0, 1)
	_, lerr := log.Last(ctx)
	_, uerr := log.Usage(ctx)
	for _, err := range []error{aerr, rerr, herr, lerr, uerr} {
		if !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("a closed log answered %v", err)
		}
	}
}

func full(t *testing.T, log eventstore.Log) {
	ctx := Context(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 256) // 4 KiB
	last := eventstore.Seq(1)
	for i := 0; ; i++ {
		seq, err := log.Append(ctx, NewEntry(eventstore.Subject(fmt.Sprintf("hp.e.acme.token.f%d", i)), 0, data))
		if errors.Is(err, eventstore.ErrFull) {
			break
		}
		if err != nil || i > 20 {
			t.Fatalf("append %d of 4 KiB into 64: %v", i, err)
		}
		last = seq
	}
	if last < 10 {
		t.Errorf("full after %d records of 4 KiB", last)
	}
	if got, err := log.Last(ctx); got != last || err != nil {
		t.Errorf("Last is %d, %v; want %d", got, err, last)
	}
	Read(t, log, 1, last)
	if u, err := log.Usage(ctx); err != nil || u.MaxBytes != 64<<10 || u.Bytes > u.MaxBytes {
		t.Errorf("usage of a full log: %+v, %v", u, err)
	}
}
