package projections

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// BenchmarkFold decodes and folds a stream of 60 % issued, 15 % edited, 10 %
// rotated, 5 % disabled and 10 % revoked, and prints the cost of an event: in
// time, in the processor's time with that of the garbage collector, and in heap.
func BenchmarkFold(b *testing.B) {
	tape := benchMix(benchTokens)
	buf := make([]eventstore.Record, bufferSize)
	b.ReportAllocs()
	b.ResetTimer()
	var cpu time.Duration
	var heap uint64
	for b.Loop() {
		b.StopTimer()
		f := benchFold(b)
		before := heapInUse()
		began := processTime(b)
		b.StartTimer()
		for at := 0; at < len(tape.ends); {
			n := tape.read(at, buf)
			if err := f.apply(buf[:n]); err != nil {
				b.Fatal(err)
			}
			at += n
		}
		b.StopTimer()
		cpu += processTime(b) - began
		heap = heapInUse() - before
		runtime.KeepAlive(f)
		b.StartTimer()
	}
	events := float64(b.N) * float64(len(tape.ends))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
	b.ReportMetric(float64(cpu.Nanoseconds())/events, "cpu-ns/event")
	b.ReportMetric(float64(heap)/float64(len(tape.ends)), "heap-B/event")
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tape is many records without a pointer in them, so that the collector's work
// in a benchmark is what the fold makes, and not what the benchmark keeps.
type tape struct {
	text []byte
	ends [][2]int // of each record's subject and data in text
}

func (p *tape) add(r eventstore.Record) {
	p.text = append(p.text, r.Subject...)
	subject := len(p.text)
	p.text = append(p.text, r.Data...)
	p.ends = append(p.ends, [2]int{subject, len(p.text)})
}

// read fills buf as a reader of the log does: with new memory for each subject
// and for the data.
func (p *tape) read(at int, buf []eventstore.Record) (n int) {
	start := 0
	if at > 0 {
		start = p.ends[at-1][1]
	}
	for ; n < len(buf) && at+n < len(p.ends); n++ {
		end := p.ends[at+n]
		seq := Seq(benchAccounts + 2 + at + n)
		buf[n] = eventstore.Record{
			Seq: seq, Stored: domain.Instant(seq),
			Subject: eventstore.Subject(p.text[start:end[0]]), Data: bytes.Clone(p.text[end[0]:end[1]]),
		}
		start = end[1]
	}
	return n
}

// benchMix follows benchStart.
func benchMix(n int) *tape {
	random := rand.New(rand.NewPCG(7, 8))
	records := &tape{}
	type token struct{ n, secrets int }
	var open []token // active tokens
	issued := 0
	add := func(token int, e domain.Event) {
		a, t := benchIDs(token)
		records.add(benchRecord(Seq(benchAccounts+2+len(records.ends)), a, t, e))
	}
	quick := func(n, s int) (d domain.Digest) { // as good as a real digest here, and faster to make
		r := rand.New(rand.NewPCG(uint64(n), uint64(s)))
		for i := 0; i < len(d); i += 8 {
			binary.LittleEndian.PutUint64(d[i:], r.Uint64())
		}
		return d
	}
	for len(records.ends) < n {
		p := random.IntN(100)
		if p < 60 || len(open) == 0 {
			add(issued, benchIssued(issued, quick(issued, 1)))
			open = append(open, token{issued, 1})
			issued++
			continue
		}
		i := random.IntN(len(open))
		t := &open[i]
		switch {
		case p < 75:
			name := "renamed " + strconv.Itoa(p)
			add(t.n, domain.TokenEdited{Name: &name})
			continue
		case p < 85:
			t.secrets++
			add(t.n, domain.TokenRotated{Digest: quick(t.n, t.secrets)})
			continue
		case p < 90:
			add(t.n, domain.TokenDisabled{})
		default:
			add(t.n, domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonNoLongerNeeded}})
		}
		open[i] = open[len(open)-1]
		open = open[:len(open)-1]
	}
	return records
}
