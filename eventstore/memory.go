package eventstore

import (
	"bytes"
	"context"
	"sync"
	"time"

	"hallpass/domain"
)

// Memory is a Log in memory, for tests. It acts as a JetStream on one server
// does: a repeated append answers with a conflict that names its own record.
type Memory struct {
	stream   [16]byte
	maxBytes uint64
	now      func() time.Time

	mu      sync.Mutex // guards what follows
	records []Record   // the record numbered n is at n-1; only ever appended to
	last    map[Subject]Seq
	bytes   uint64
	closed  bool
	grown   chan struct{} // closed at the next append, and at Close
}

// MemoryConfig configures NewMemory; the zero value is fine.
type MemoryConfig struct {
	MaxBytes uint64           // of subjects and data together; 0: no bound
	Now      func() time.Time // the stream's time; default time.Now
}

// NewMemory returns a log that holds its genesis.
func NewMemory(cfg MemoryConfig) *Memory {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Memory{maxBytes: cfg.MaxBytes, now: cfg.Now, last: map[Subject]Seq{}, grown: make(chan struct{})}
	fact := newGenesis(cfg.Now())
	m.stream = fact.Event.(domain.Genesis).Stream
	m.mu.Lock()
	m.storeLocked(genesisEntry(fact))
	m.mu.Unlock()
	return m
}

// StreamID returns the random id in the log's genesis.
func (m *Memory) StreamID() [16]byte { return m.stream }

// Append implements Log.
func (m *Memory) Append(ctx context.Context, e Entry) (Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	if last := m.last[e.Subject]; last != e.Expect {
		return 0, &ConflictError{Subject: e.Subject, Last: last}
	}
	if m.maxBytes > 0 && m.bytes+sizeOf(e) > m.maxBytes {
		return 0, ErrFull
	}
	return m.storeLocked(e), nil
}

func (m *Memory) storeLocked(e Entry) Seq {
	seq := Seq(len(m.records) + 1)
	m.records = append(m.records, Record{
		Seq: seq, Stored: domain.InstantOf(m.now()), Subject: e.Subject, Data: bytes.Clone(e.Data),
	})
	m.last[e.Subject] = seq
	m.bytes += sizeOf(e)
	close(m.grown)
	m.grown = make(chan struct{})
	return seq
}

func sizeOf(e Entry) uint64 { return uint64(len(e.Subject) + len(e.Data)) }

// Read implements Log.
func (m *Memory) Read(ctx context.Context, from Seq) (Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	return &memoryReader{log: m, next: max(from, 1), done: make(chan struct{})}, nil
}

// History implements Log.
func (m *Memory) History(ctx context.Context, s Subject, after Seq, limit int) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	m.mu.Lock()
	records, closed := m.records, m.closed
	m.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	var out []Record
	for i := uint64(after); i < uint64(len(records)) && len(out) < limit; i++ {
		if records[i].Subject == s {
			out = append(out, records[i])
		}
	}
	return out, nil
}

// Last implements Log.
func (m *Memory) Last(ctx context.Context) (Seq, error) {
	u, err := m.Usage(ctx)
	return Seq(u.Records), err
}

// Usage implements Log.
func (m *Memory) Usage(ctx context.Context) (Usage, error) {
	if err := ctx.Err(); err != nil {
		return Usage{}, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Usage{}, ErrClosed
	}
	return Usage{Records: uint64(len(m.records)), Bytes: m.bytes, MaxBytes: m.maxBytes}, nil
}

// Close implements Log. The records are gone with the last reference to m.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.grown)
	}
	return nil
}

type memoryReader struct {
	log  *Memory
	next Seq
	once sync.Once
	done chan struct{} // closed by Close
}

// Next implements Reader.
func (r *memoryReader) Next(ctx context.Context, buf []Record) (int, error) {
	for {
		r.log.mu.Lock()
		records, grown, closed := r.log.records, r.log.grown, r.log.closed
		r.log.mu.Unlock()
		select {
		case <-r.done:
			return 0, ErrLost
		default:
		}
		switch {
		case closed:
			return 0, ErrClosed
		case len(buf) == 0:
			return 0, nil
		case uint64(r.next) <= uint64(len(records)):
			n := copy(buf, records[r.next-1:])
			r.next += Seq(n)
			return n, nil
		}
		select {
		case <-grown:
		case <-r.done:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Close implements Reader.
func (r *memoryReader) Close() { r.once.Do(func() { close(r.done) }) }
