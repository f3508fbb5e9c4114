package eventstore

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"hallpass/domain"
)

// Memory is a Log in memory, for tests. It acts as a JetStream on one server
// does: a repeated append answers with a conflict that names its own record.
type Memory struct {
	settings Settings
	replica  string
	maxBytes uint64
	now      func() time.Time
	bus      memoryBus
	shelf    memoryShelf

	mu      sync.Mutex       // guards what follows
	records []Record         // the record numbered n is at n-1; only ever appended to
	expired map[Seq]struct{} // no longer given to anybody
	last    map[Subject]Seq
	batched map[domain.EventID]Seq // the records of batches
	bytes   uint64
	closed  bool
	grown   chan struct{} // closed at the next append, and at Close
}

// MemoryConfig configures NewMemory; the zero value is fine.
type MemoryConfig struct {
	MaxBytes uint64           // of subjects and data together; 0: no bound
	Now      func() time.Time // the stream's time; default time.Now
	Replicas int              // in Settings; default 1
	MaxLease time.Duration    // in Settings; default DefaultMaxLease
	Replica  string           // what readers say whose copy they read
}

// NewMemory returns a log that holds its genesis.
func NewMemory(cfg MemoryConfig) *Memory {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	fact := newGenesis(cfg.Now())
	m := &Memory{
		settings: Settings{
			Stream:   fact.Event.(domain.Genesis).Stream,
			Replicas: cmp.Or(cfg.Replicas, 1),
			MaxLease: cmp.Or(cfg.MaxLease, DefaultMaxLease),
		},
		replica: cfg.Replica, maxBytes: cfg.MaxBytes, now: cfg.Now,
		last: map[Subject]Seq{}, batched: map[domain.EventID]Seq{}, expired: map[Seq]struct{}{}, grown: make(chan struct{}),
	}
	m.shelf = memoryShelf{log: m, at: map[string]shelved{}}
	m.mu.Lock()
	m.storeLocked(genesisEntry(fact), "")
	m.mu.Unlock()
	return m
}

// StreamID returns the random id in the log's genesis.
func (m *Memory) StreamID() [16]byte { return m.settings.Stream }

// Settings implements Log.
func (m *Memory) Settings() Settings { return m.settings }

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
	return m.storeLocked(e, ""), nil
}

// Barrier implements Log. The record stays until Expire.
func (m *Memory) Barrier(ctx context.Context, node domain.NodeName, data []byte) (Seq, error) {
	if err := checkNode(node); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	e := Entry{Subject: BarrierSubject(node), Data: data}
	if m.maxBytes > 0 && m.bytes+sizeOf(e) > m.maxBytes {
		return 0, ErrFull
	}
	return m.storeLocked(e, server.JSMessageTTL), nil
}

// Foreign stores a record that carries a header which no fact may carry, as
// somebody with a client of the server could. It asks for no expectation.
func (m *Memory) Foreign(s Subject, data []byte, header string) Seq {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.storeLocked(Entry{Subject: s, Data: data}, header)
}

// Expire takes a record out of what readers and History deliver: it is gone,
// and its place stays empty, as with a barrier whose time is over.
func (m *Memory) Expire(seq Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, gone := m.expired[seq]; gone || seq < 1 || uint64(seq) > uint64(len(m.records)) {
		return
	}
	m.expired[seq] = struct{}{}
	r := m.records[seq-1]
	m.bytes -= sizeOf(Entry{Subject: r.Subject, Data: r.Data})
}

func (m *Memory) storeLocked(e Entry, foreign string) Seq {
	seq := Seq(len(m.records) + 1)
	m.records = append(m.records, Record{
		Seq: seq, Stored: domain.InstantOf(m.now()), Subject: e.Subject, Data: bytes.Clone(e.Data),
		Foreign: foreign,
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
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	var out []Record
	for i := uint64(after); i < uint64(len(m.records)) && len(out) < limit; i++ {
		if r := m.records[i]; r.Subject == s && m.presentLocked(r.Seq) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *Memory) presentLocked(seq Seq) bool {
	_, gone := m.expired[seq]
	return !gone
}

// Last implements Log.
func (m *Memory) Last(ctx context.Context) (Seq, error) {
	if _, err := m.Usage(ctx); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return Seq(len(m.records)), nil
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
	return Usage{Records: uint64(len(m.records) - len(m.expired)), Subjects: uint64(len(m.last)), Bytes: m.bytes, MaxBytes: m.maxBytes}, nil
}

// Close implements Log. The records are gone with the last reference to m.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.grown)
		m.bus.close()
	}
	return nil
}

// copyLocked fills buf with the records at hand from the one numbered from on,
// and returns what is next to be read.
func (m *Memory) copyLocked(buf []Record, from Seq) (n int, next Seq) {
	for next = from; n < len(buf) && uint64(next) <= uint64(len(m.records)); next++ {
		if m.presentLocked(next) {
			buf[n] = m.records[next-1]
			n++
		}
	}
	return n, next
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
		n, grown, err := r.take(buf)
		if n > 0 || err != nil || len(buf) == 0 {
			return n, err
		}
		select {
		case <-grown:
		case <-r.done:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// take fills buf with what is at hand; grown tells when there may be more.
func (r *memoryReader) take(buf []Record) (n int, grown <-chan struct{}, err error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	select {
	case <-r.done:
		return 0, nil, ErrLost
	default:
	}
	if r.log.closed {
		return 0, nil, ErrClosed
	}
	n, r.next = r.log.copyLocked(buf, r.next)
	return n, r.log.grown, nil
}

// Replica implements Reader.
func (r *memoryReader) Replica() string { return r.log.replica }

// Close implements Reader.
func (r *memoryReader) Close() { r.once.Do(func() { close(r.done) }) }
