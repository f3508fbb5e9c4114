package projections

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"hallpass/domain"
	"hallpass/eventstore"
)

// RecordError names the record at which a node stopped, and why.
type RecordError struct {
	Seq     Seq
	Subject eventstore.Subject
	Why     error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %d (%s) can't be applied: %v; this node answers no checks until it can: "+
		"run a hallpass at least as new as the one that wrote the record, or restore the stream from a backup",
		e.Seq, e.Subject, e.Why)
}

func (e *RecordError) Unwrap() error { return e.Why }

// barrierPrefix is the subject space of barriers, which share the stream and
// are no facts.
const barrierPrefix = "hp.l."

// lockFor is how many records are applied under one hold of the directory's
// lock: a third of a millisecond.
const lockFor = 256

// fold applies records, in order, to everything that is asked of them. One
// goroutine calls apply; readers use the parts.
type fold struct {
	directory *Directory
	index     *Index
	position  *Position
	feed      *Feed
	verdicts  *verdicts
	pending   *pendings
	tree      tree
	members   *members
	leases    *leases
	asker     *asker // nil: of a node that takes no part; see hook.Hook
	accepted  map[Seq][sha256.Size]byte
	heads     *heads
	syncDue   atomic.Bool // head is to reach the disk
	current   bool        // the replay has been caught up with once
	settings  func() eventstore.Settings
	stream    [16]byte
	boot      func() time.Duration

	mu          sync.Mutex // guards what follows, for readers; the fold alone writes it
	checkpoints checkpoints
	passedOver  []Seq // records that can't be read, and are accepted

	// Of the records being applied, kept to be used again.
	chunks  [6]chunk
	entries []Entry
	met     []*Pending
	actions actionLists
	likes   *likes
	stored  domain.Instant // the newest stream time so far
	applied Seq            // ahead of position by what isn't published yet
	newest  Seq            // the newest fact since the head was noted; 0: none
}

// chunk is the records that are applied under one hold of the lock, and what
// was decoded of them, which takes no lock.
type chunk struct {
	records  []eventstore.Record
	facts    [lockFor]*domain.Fact
	hashes   [lockFor]uint64 // of the names of the tokens that facts are about
	barriers [lockFor]*barrier
	leaves   [lockFor]Hash

	cells     [lockFor]*tokenCell // prefetch's, as are the next two
	snapshots [lockFor]*snapshot
	fetched   uint64
	failed    error // why the record behind them can't be read; else nil
	scratch   []byte
}

func newFold(log eventstore.Log, cfg *Config) *fold {
	settings := log.Settings()
	f := &fold{
		directory: newDirectory(), position: newPosition(), verdicts: newVerdicts(), pending: newPendings(),
		members: newMembers(cfg.Node.Incarnation), accepted: cfg.Accept, settings: log.Settings, stream: settings.Stream,
		heads: newHeads(cfg), boot: cfg.Boot, actions: actionLists{}, likes: newLikes(),
	}
	f.leases = newLeases(cfg.Boot, cfg.Node.Lease, func() time.Duration { return log.Settings().MaxLease })
	f.index = &Index{
		digests: newTable(), position: f.position, wall: cfg.Now, fold: f.directory.mu.RLocker(), decided: func() {},
		firstUsed: cfg.FirstUsed,
	}
	if cfg.Hook != nil && cfg.Hook.Decided != nil {
		f.index.decided = cfg.Hook.Decided
	}
	if cfg.Hook != nil {
		f.index.between = cfg.Hook.Between
	}
	f.feed = newFeed(log, cfg.Stall, f.position, f.verdicts)
	return f
}

// end tells whoever waits that nothing will be applied any more, because of err.
func (f *fold) end(err error) {
	f.pending.end(err)
	f.position.end(err)
	f.feed.close(err)
}

// apply applies records and publishes the position. An error is a *RecordError:
// the record it names, and all after it, are not applied. While one chunk is
// folded, those behind it are decoded on another core.
func (f *fold) apply(records []eventstore.Record) error {
	if len(records) <= lockFor {
		c := &f.chunks[0]
		f.decode(c, records)
		return f.foldChunk(c)
	}
	free, decoded := make(chan *chunk, len(f.chunks)), make(chan *chunk, len(f.chunks))
	for i := range f.chunks {
		free <- &f.chunks[i]
	}
	go func() {
		defer close(decoded)
		for failed := false; len(records) > 0 && !failed; {
			c := <-free
			records = f.decode(c, records)
			failed = c.failed != nil
			decoded <- c
		}
	}()
	var err error
	for c := range decoded {
		if err == nil {
			err = f.foldChunk(c)
		} else {
			c.clear()
		}
		free <- c
	}
	return err
}

// foldChunk applies the chunk and publishes the position.
func (f *fold) foldChunk(c *chunk) error {
	defer c.clear()
	err := cmp.Or(f.foldAll(c), c.failed)
	f.publish()
	if err != nil {
		return f.heads.because(err)
	}
	return nil
}

// decode fills c with the first of the records and returns the others.
func (f *fold) decode(c *chunk, records []eventstore.Record) []eventstore.Record {
	n := min(len(records), lockFor)
	c.records = records[:n]
	for i := range c.records {
		if err := f.decodeOne(c, i); err != nil {
			c.failed = &RecordError{records[i].Seq, records[i].Subject, err}
			c.records = records[:i]
			break
		}
	}
	return records[n:]
}

// clear lets go of all that the chunk holds.
func (c *chunk) clear() {
	c.records, c.failed = nil, nil
	clear(c.facts[:])
	clear(c.barriers[:])
}

// decodeOne reads the record at place i. Neither a fact nor a barrier comes of a
// record that can't be read, and is accepted.
func (f *fold) decodeOne(c *chunk, i int) (err error) {
	rec := &c.records[i]
	if isBarrier(rec.Subject) {
		c.barriers[i], err = decodeBarrier(rec.Data)
		return err
	}
	c.leaves[i] = leafOf(rec, &c.scratch)
	// Nobody changes Data, and a fact keeps no more of it than of a copy.
	fact, err := domain.DecodeText(unsafe.String(unsafe.SliceData(rec.Data), len(rec.Data)))
	if err == nil && rec.Foreign != "" {
		err = fmt.Errorf("it carries the header %s, which no fact may", rec.Foreign)
	}
	if err != nil {
		if sum, ok := f.accepted[rec.Seq]; ok && sum == sha256.Sum256(rec.Data) {
			return nil
		}
		return err
	}
	c.facts[i], c.hashes[i] = fact, f.directory.tokens.hash(fact.Account, fact.Token)
	return nil
}

func (f *fold) foldAll(c *chunk) error {
	records := c.records
	f.prefetch(c)
	f.directory.mu.Lock()
	defer f.directory.mu.Unlock()
	for i := range records {
		err := f.foldLocked(c, i)
		switch {
		case err == nil:
		case errors.As(err, new(*HistoryError)), errors.Is(err, ErrSuperseded), errors.Is(err, ErrClosed):
			return err
		default:
			return &RecordError{records[i].Seq, records[i].Subject, err}
		}
	}
	return nil
}

// prefetch has the processor fetch what folding the chunk will look at, many
// places at once: one after the other, they are waited for longer than folding takes.
func (f *fold) prefetch(c *chunk) {
	facts := c.facts[:len(c.records)]
	for i, fact := range facts {
		if fact == nil {
			continue
		}
		c.cells[i] = f.directory.tokens.touch(c.hashes[i])
		if d, ok := brought(fact.Event); ok {
			f.index.digests.touch(&d)
		}
	}
	for i, cell := range c.cells[:len(facts)] {
		if cell != nil {
			c.snapshots[i] = cell.now.Load()
		}
	}
	for _, s := range c.snapshots[:len(facts)] {
		if s != nil { // reading its first, middle and last parts
			c.fetched += s.token.Generation + uint64(s.token.Revision) + uint64(len(s.allow[0].Resource))
		}
	}
	clear(c.cells[:])
	clear(c.snapshots[:])
}

// publish lets everyone know what was folded. The order matters: outcomes are
// known before the position is, so that who sees the position finds them; the
// feed and the waiting come after it, so that who is woken finds the position.
func (f *fold) publish() {
	f.index.noLess(f.stored)
	if f.current && f.newest != 0 {
		f.heads.note(&f.tree, f.newest)
		f.newest = 0
	}
	f.position.publish(f.applied)
	for _, p := range f.met {
		close(p.done)
	}
	clear(f.met)
	f.met = f.met[:0]
	f.feed.add(f.entries)
	clear(f.entries)
	f.entries = f.entries[:0]
}

// foldLocked applies the record at place i.
func (f *fold) foldLocked(c *chunk, i int) error {
	rec := &c.records[i]
	if err := f.contiguous(rec); err != nil {
		return err
	}
	switch fact, b := c.facts[i], c.barriers[i]; {
	case b != nil:
		f.barrierLocked(rec.Seq, b)
	case fact != nil:
		is, err := f.factLocked(rec, fact, c.hashes[i])
		if err != nil {
			return err
		}
		// After the index: the root says that it is in effect.
		if err := f.grow(leaf{rec.Seq, fact.ID, c.leaves[i]}); err != nil {
			return err
		}
		f.verdicts.note(rec.Seq, is)
		f.met = f.pending.met(fact.ID, Outcome{rec.Seq, is.void, is.secretLost}, f.met)
		f.entries = append(f.entries, Entry{rec.Seq, rec.Stored, fact, is.void, is.secretLost})
	default:
		if err := f.grow(leaf{rec.Seq, domain.EventID{}, c.leaves[i]}); err != nil {
			return err
		}
		f.passOver(rec.Seq)
	}
	f.applied, f.stored = rec.Seq, max(f.stored, rec.Stored)
	return nil
}

// grow adds a fact to the tree, which must be as it once was if it had grown
// to this size before.
func (f *fold) grow(l leaf) error {
	f.tree.add(l)
	f.newest = l.seq
	return f.heads.met(l.seq, &f.tree, f.checkpoints.through)
}

// contiguous refuses a record that leaves a gap in which a fact could have
// been. Barriers go after a while and leave gaps, in which nothing else was as
// long as the tree's root is that of the others. A gap where none can have
// gone yet stops the node, with a *HistoryError. Half the time that barriers
// stay is allowed for clocks that differ.
func (f *fold) contiguous(rec *eventstore.Record) error {
	want := f.applied + 1
	switch {
	case rec.Seq == want:
		return nil
	case rec.Seq < want:
		return fmt.Errorf("it comes again after record %d", f.applied)
	}
	stay := f.settings().BarrierTTL()
	age := max(f.index.Now(), rec.Stored) - f.stored
	young := f.applied == 0 || time.Duration(age)*time.Millisecond < stay/2
	if young && !without(contiguity) && (f.current || !f.heads.missing(f.applied, rec.Seq)) {
		return f.heads.lacks(f.applied, rec.Seq)
	}
	f.leases.gap()
	return nil
}

// barrierLocked takes what a barrier says: who was given which lease, and
// what its writer had folded.
func (f *fold) barrierLocked(seq Seq, b *barrier) {
	if b.Stream != f.stream || b.Epoch != epoch {
		return // of a node that has not noticed yet that the stream was made anew: it means nothing here
	}
	f.leases.add(seq, b.Proofs)
	s := sighting{at: f.boot(), replica: b.Replica, size: b.Size}
	if b.Size > 0 {
		root, known := f.tree.rootAt(b.Size)
		s.agrees = known && root == b.Root
		s.differs = known && root != b.Root || b.Size > f.tree.size() // the writer had folded nothing that isn't below its barrier
	}
	f.members.saw(b.By.incarnation(), s)
	if f.asker != nil {
		f.asker.came(seq, b.Proofs, !s.differs && !f.members.outvoted(s.at-sightingAge))
	}
}

func isBarrier(s eventstore.Subject) bool { return strings.HasPrefix(string(s), barrierPrefix) }

func (f *fold) passOver(seq Seq) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passedOver = append(f.passedOver, seq)
}

// caughtUp says that the replay has come to its end. Its error is a *HistoryError.
func (f *fold) caughtUp() error {
	if f.current {
		return nil
	}
	if err := f.heads.caughtUp(f.applied, &f.tree, f.checkpoints.through); err != nil {
		return err
	}
	f.current = true
	return nil
}

// acceptedSoFar returns the records that were passed over.
func (f *fold) acceptedSoFar() []Seq {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.passedOver)
}

func (f *fold) checkpointsNow() checkpoints {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checkpoints
}
