package projections

import (
	"fmt"
	"strings"

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

	// Of the records being applied, kept to be used again.
	facts   [lockFor]*domain.Fact
	entries []Entry
	met     []*Pending
	actions actionLists
	likes   *likes
	stored  domain.Instant // the newest stream time so far
	applied Seq            // ahead of position by what isn't published yet
}

func newFold(log eventstore.Log, cfg Config) *fold {
	f := &fold{
		directory: newDirectory(), position: newPosition(), verdicts: newVerdicts(), pending: newPendings(),
		actions: actionLists{}, likes: newLikes(),
	}
	f.index = &Index{digests: newTable(), position: f.position, wall: cfg.Now}
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
// the record it names, and all after it, are not applied.
func (f *fold) apply(records []eventstore.Record) error {
	for len(records) > 0 {
		n := min(len(records), lockFor)
		if err := f.applyFew(records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// applyFew decodes first, so that the lock is held for the folding alone.
func (f *fold) applyFew(records []eventstore.Record) error {
	var failed error
	for i := range records {
		rec := &records[i]
		f.facts[i] = nil
		if isBarrier(rec.Subject) {
			continue
		}
		fact, err := domain.Decode(rec.Data)
		if err != nil {
			failed = &RecordError{rec.Seq, rec.Subject, err}
			records = records[:i]
			break
		}
		f.facts[i] = fact
		if d, ok := brought(fact.Event); ok {
			f.index.digests.touch(&d)
		}
	}
	if err := f.foldAll(records); err != nil {
		failed = err
	}
	f.publish()
	return failed
}

func (f *fold) foldAll(records []eventstore.Record) error {
	f.directory.mu.Lock()
	defer f.directory.mu.Unlock()
	for i := range records {
		if err := f.foldLocked(&records[i], f.facts[i]); err != nil {
			return &RecordError{records[i].Seq, records[i].Subject, err}
		}
	}
	return nil
}

// publish lets everyone know what was folded. The order matters: outcomes are
// known before the position is, so that who sees the position finds them; the
// feed and the waiting come after it, so that who is woken finds the position.
func (f *fold) publish() {
	f.index.noLess(f.stored)
	f.position.publish(f.applied)
	for _, p := range f.met {
		close(p.done)
	}
	clear(f.met)
	f.met = f.met[:0]
	f.feed.add(f.entries)
	clear(f.entries)
	f.entries = f.entries[:0]
	clear(f.facts[:])
}

// foldLocked applies one record; fact is nil for a barrier.
func (f *fold) foldLocked(rec *eventstore.Record, fact *domain.Fact) error {
	if err := f.contiguous(rec.Seq); err != nil {
		return err
	}
	if fact != nil {
		is, err := f.factLocked(rec, fact)
		if err != nil {
			return err
		}
		f.verdicts.note(rec.Seq, is)
		f.met = f.pending.met(fact.ID, Outcome{rec.Seq, is.void, is.secretLost}, f.met)
		f.entries = append(f.entries, Entry{rec.Seq, rec.Stored, fact, is.void, is.secretLost})
	}
	f.applied, f.stored = rec.Seq, max(f.stored, rec.Stored)
	return nil
}

func (f *fold) contiguous(seq Seq) error {
	switch want := f.applied + 1; {
	case seq < want:
		return fmt.Errorf("it comes again after record %d", f.applied)
	case seq > want:
		return fmt.Errorf("records %d to %d before it are missing", want, seq-1)
	}
	return nil
}

func isBarrier(s eventstore.Subject) bool { return strings.HasPrefix(string(s), barrierPrefix) }
