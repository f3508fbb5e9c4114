package eventstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"hallpass/domain"
)

const (
	heartbeat    = time.Second               // how often a silent server shows that it is there
	silence      = 2*heartbeat + heartbeat/2 // so long without any sign, and the reader is lost
	readPatience = 5 * time.Second           // how long Read tries to get a consumer
)

// reader is a push consumer with a connection of its own, which dies with it:
// a bulk read then never delays the answers to appends, and whatever happens
// to the connection ends the reader. The server holds back once 32 MiB are
// not yet taken by Next (flow control), so a slow reader neither loses records
// nor grows without bound.
type reader struct {
	log     *JetStream
	nc      *nats.Conn // set once, under mu
	from    Seq
	inbox   string
	replica string // whose copy is read; set once, by start
	started time.Time
	seen    atomic.Int64 // when anything last came, in ns since started

	mu     sync.Mutex // guards what follows
	queue  []Record   // came, not yet given to Next's side
	marks  []mark     // flow control requests not yet answered
	came   uint64     // records in queue since the start
	count  uint64     // deliveries since the start, as the server counts them
	err    error      // why the reader is done
	wanted bool       // Next waits for wake
	wake   chan struct{}

	// Next's side.
	spare []Record // the other half of the double buffer
	ready []Record // the part of it not yet handed out
	taken uint64   // records handed out since the start
	timer *time.Timer
}

// mark is a flow control request: the server wants to know when what came
// before it is taken.
type mark struct {
	after uint64 // count of records
	reply string
}

// Read implements Log.
func (l *JetStream) Read(ctx context.Context, from Seq) (Reader, error) {
	deadline := time.Now().Add(readPatience)
	for pause := firstPause; ; pause = longer(pause) {
		if err := l.over(ctx); err != nil {
			return nil, err
		}
		r, err := l.newReader(ctx, max(from, 1))
		if err == nil {
			return r, nil
		}
		if e := (finalError{}); errors.As(err, &e) {
			return nil, e.error
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %w", ErrLost, err)
		}
		select {
		case <-ctx.Done():
		case <-l.closing:
		case <-time.After(pause):
		}
	}
}

func (l *JetStream) newReader(ctx context.Context, from Seq) (*reader, error) {
	r := &reader{
		log: l, from: from, inbox: nats.NewInbox(), started: time.Now(),
		wake: make(chan struct{}, 1), timer: time.NewTimer(silence),
	}
	if err := l.enlist(r); err != nil {
		return nil, err
	}
	var tapped []nats.Option
	if l.dial.tap != nil {
		tapped = append(tapped, l.dial.tap(r))
	}
	nc, err := l.dial.connectOnce(func(err error) { r.fail(fmt.Errorf("%w: %w", ErrLost, err)) }, tapped...)
	if err != nil {
		l.dismiss(r)
		return nil, err
	}
	if err := r.start(ctx, nc); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// enlist makes r one that Close ends and waits for, until dismiss.
func (l *JetStream) enlist(r *reader) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.readers[r] = struct{}{}
	l.reading.Add(1)
	return nil
}

func (l *JetStream) dismiss(r *reader) {
	l.mu.Lock()
	delete(l.readers, r)
	l.mu.Unlock()
	l.reading.Done()
}

func (r *reader) start(ctx context.Context, nc *nats.Conn) error {
	r.mu.Lock()
	r.nc = nc
	err := r.err
	if err != nil { // it failed before it had a connection to give back
		go r.leave()
	}
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if r.replica, err = r.log.place(ctx, r.nc, r.from, r.inbox); err != nil {
		return err
	}
	sub, err := r.nc.Subscribe(r.inbox, r.receive) // from here on the consumer delivers
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil { // flow control bounds it
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// Replica implements Reader.
func (r *reader) Replica() string { return r.replica }

// receive takes each message of the subscription, in order, on one goroutine.
func (r *reader) receive(m *nats.Msg) {
	r.seen.Store(int64(time.Since(r.started)))
	if m.Subject == r.inbox {
		r.control(m)
		return
	}
	d, ok := parseDelivery(m.Reply)
	r.deliver(d, ok, Record{
		Seq: d.seq, Stored: d.stored, Subject: Subject(m.Subject), Foreign: foreignHeader(m.Header),
		Data: bytes.Clone(m.Data), // in one piece with the header there, and facts are kept
	})
}

// deliver takes a record. d is what its reply subject says, if ok.
func (r *reader) deliver(d delivery, ok bool, rec Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	r.count++
	if !ok || d.count != r.count {
		r.failLocked(fmt.Errorf("%w: delivery %d came where %d was due", ErrLost, d.count, r.count))
		return
	}
	if d.seq < r.from { // the server starts at its end when from lies beyond
		return
	}
	r.came++
	r.queue = append(r.queue, rec)
	r.wakeLocked()
}

// control takes a heartbeat or a flow control request.
func (r *reader) control(m *nats.Msg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Reply != "" {
		r.marks = append(r.marks, mark{r.came, m.Reply})
		r.wakeLocked() // Next answers, even when it has nothing to hand out
		return
	}
	if n := m.Header.Get(server.JSLastConsumerSeq); n != "" && n != strconv.FormatUint(r.count, 10) {
		r.failLocked(fmt.Errorf("%w: %s deliveries were sent and %d came", ErrLost, n, r.count))
		return
	}
	if stalled := m.Header.Get(server.JSConsumerStalled); stalled != "" && len(r.marks) == 0 {
		// The answer to a flow control request was lost.
		r.marks = append(r.marks, mark{r.came, stalled})
		r.wakeLocked()
	}
}

func (r *reader) wakeLocked() {
	if r.wanted {
		r.wanted = false
		r.wake <- struct{}{} // has room: one per wanted
	}
}

// Next implements Reader.
func (r *reader) Next(ctx context.Context, buf []Record) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	for {
		if len(r.ready) > 0 {
			n := copy(buf, r.ready)
			r.ready = r.ready[n:]
			r.taken += uint64(n)
			return n, nil
		}
		err, waiting := r.swap()
		if err != nil {
			return 0, err
		}
		if waiting {
			if err := r.wait(ctx); err != nil {
				return 0, err
			}
		}
	}
}

// swap takes over what came; waiting: nothing did, and wake will tell.
func (r *reader) swap() (err error, waiting bool) {
	clear(r.spare) // all of it was handed out: let go of the data
	r.spare = r.spare[:0]
	var due []mark
	r.mu.Lock()
	for len(r.marks) > 0 && r.marks[0].after <= r.taken {
		due = append(due, r.marks[0])
		r.marks = r.marks[1:]
	}
	switch {
	case len(r.queue) > 0: // before any error: they are good
		r.ready, r.queue, r.spare = r.queue, r.spare, r.queue
	case r.err != nil:
		err = r.err
	default:
		waiting = true
		r.wanted = len(due) == 0 // else look again after answering
	}
	r.mu.Unlock()
	for _, m := range due {
		if e := r.nc.Publish(m.reply, nil); e != nil && err == nil && waiting {
			return fmt.Errorf("%w: answer flow control: %w", ErrLost, e), false
		}
	}
	return err, waiting && len(due) == 0
}

// wait returns when something came, or with the error that ends Next.
func (r *reader) wait(ctx context.Context) error {
	for {
		quiet := time.Since(r.started) - time.Duration(r.seen.Load())
		if quiet >= silence {
			r.fail(fmt.Errorf("%w: no heartbeat for %v", ErrLost, silence))
		}
		r.timer.Reset(max(silence-quiet, 0))
		select {
		case <-r.wake:
			return nil
		case <-ctx.Done():
			r.unwant()
			return context.Cause(ctx)
		case <-r.timer.C:
		}
	}
}

// unwant takes back the wish to be woken.
func (r *reader) unwant() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.wanted {
		<-r.wake // it was sent already
	}
	r.wanted = false
}

// fail ends the reader. What came before can still be read.
func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLocked(err)
}

// failLocked ends the reader for a reason that speaks against the copy that it
// reads.
func (r *reader) failLocked(err error) {
	if r.err == nil && r.nc != nil {
		r.log.left(r)
	}
	r.endLocked(err)
}

func (r *reader) endLocked(err error) {
	if r.err == nil {
		r.err = err
		if r.nc != nil {
			go r.leave()
		}
	}
	r.wakeLocked()
}

// Close implements Reader.
func (r *reader) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endLocked(ErrLost)
}

// Abandon is Close by somebody who is not content with the copy that is read:
// the next reader reads another one, if it can.
func (r *reader) Abandon() { r.fail(ErrLost) }

// leave gives back what the reader holds; the log's Close waits for it. The
// server drops the consumer when the connection is gone.
func (r *reader) leave() {
	r.nc.Close()
	r.log.dismiss(r)
}

// delivery is what the reply subject of a delivered message says.
type delivery struct {
	seq    Seq    // in the stream
	count  uint64 // of the consumer's deliveries
	stored domain.Instant
}

// parseDelivery reads $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.
// <consumer seq>.<time>.<pending>; newer servers may put domain and account
// hash before the stream, and more at the end.
func parseDelivery[T string | []byte](reply T) (d delivery, ok bool) {
	var dots [16]int
	n := 0
	for i := 0; i < len(reply) && n < len(dots); i++ {
		if reply[i] == '.' {
			dots[n] = i
			n++
		}
	}
	var at int // the dot before <delivered>
	switch {
	case n == 8:
		at = 3
	case n >= 10:
		at = 5
	default:
		return d, false
	}
	seq, ok1 := number(reply[dots[at+1]+1 : dots[at+2]])
	count, ok2 := number(reply[dots[at+2]+1 : dots[at+3]])
	ns, ok3 := number(reply[dots[at+3]+1 : dots[at+4]])
	return delivery{Seq(seq), count, domain.Instant(ns / 1e6)}, ok1 && ok2 && ok3
}

func number[T string | []byte](s T) (n uint64, ok bool) {
	if len(s) == 0 || len(s) > 19 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}
