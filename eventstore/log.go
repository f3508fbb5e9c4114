package eventstore

import (
	"context"
	"errors"
	"fmt"

	"hallpass/domain"
)

// Seq is the place of a record in the stream.
type Seq = domain.Seq

// Record is one stored fact with its place.
type Record struct {
	Seq     Seq
	Stored  domain.Instant // the stream's time
	Subject Subject
	Data    []byte // a domain.Fact, encoded, or a barrier's; never changed by anyone: facts keep parts of it
	Foreign string // a header that no fact may carry (Nats-TTL, Nats-Rollup, Nats-Schedule…); "": none. Barriers carry Nats-TTL
}

// Entry is one fact to append.
type Entry struct {
	Subject Subject
	Expect  Seq            // the last record of Subject; 0: there must be none
	ID      domain.EventID // the same on every retry: it makes them safe
	Type    string         // goes into a header, for outside subscribers
	Data    []byte
}

// Log is the ordered log of facts. Every record has one place, for ever; all
// readers see all records in that order. An acknowledged record survives the
// death of the process. The contract suite in eventstoretest holds every
// implementation to what is said here.
type Log interface {
	// Append stores e and returns its place. It retries by itself while the
	// outcome is in doubt and ctx lasts. Errors:
	//   - *ConflictError: the subject's last record is not e.Expect. After a
	//     lost answer that record may be e itself: look for e.ID in the fold.
	//   - ErrUnknown: ctx ended, or the log closed, and e may or may not be stored.
	//   - ErrFull: the log takes no more; e is not stored.
	//   - any other: e is not stored.
	Append(ctx context.Context, e Entry) (Seq, error)

	// AppendBatch stores all entries or none, in their order and with no other
	// record between them, and returns the place of the last. They are 1 to
	// MaxBatch, of distinct subjects and ids. Readers may see the first of them
	// before the others are there; a process that dies in the middle leaves all
	// or none. It retries as Append does, and errs as Append does; a
	// *ConflictError names one of the subjects at fault, or none where the
	// server didn't say which. A batch that is stored already is told by its
	// place, or by a *ConflictError once a subject of it has moved on or the log
	// has forgotten the ids (2 minutes).
	AppendBatch(ctx context.Context, entries []Entry) (last Seq, _ error)

	// Barrier appends a record that is no fact on hp.l.<node> and returns its
	// place. It states no expectation and is tried once. The record leaves the
	// log after Settings().BarrierTTL(), and its place stays empty. An error
	// leaves it open whether it is stored.
	Barrier(ctx context.Context, node domain.NodeName, data []byte) (Seq, error)

	// Read returns a reader of all records from the one numbered from (at
	// least 1), old and new, without gap.
	Read(ctx context.Context, from Seq) (Reader, error)

	// History returns up to limit records of one subject, numbered above
	// after, in order. It may lag behind Append: never prove anything with it.
	History(ctx context.Context, s Subject, after Seq, limit int) ([]Record, error)

	// Last returns the number of the newest record that the log's server
	// knows of; 0 for an empty log. It may lag, and never runs ahead.
	Last(ctx context.Context) (Seq, error)

	// Usage tells how full the log is.
	Usage(ctx context.Context) (Usage, error)

	// Settings returns what the log's server said of itself lately, from memory.
	Settings() Settings

	Bus

	// Shelf returns the values kept beside the log.
	Shelf() Shelf

	// Close ends the log and all its readers and listeners.
	Close() error
}

// Reader delivers records in order. One goroutine uses it at a time.
type Reader interface {
	// Next waits for records and fills buf from the front with those at hand:
	// n is at least 1 when err is nil. Any error but ctx's means that the
	// reader is done (link lost, server silent, log closed): open a new one
	// after the last record received.
	Next(ctx context.Context, buf []Record) (n int, err error)

	// Replica is the name of the server whose copy is read; "" when that can't
	// be told or the server stands alone.
	Replica() string

	Close()
}

// Usage is how full a log is.
type Usage struct {
	Records  uint64
	Subjects uint64 // that records are filed under: about as many as there are tokens, accounts and types
	Bytes    uint64
	MaxBytes uint64 // 0: no bound is stated
	Free     uint64 // bytes left on the disk of this process's own copy
	FreeTold bool   // whether Free can be told: there is such a copy
}

// MaxBatch is how many entries a batch has at most. Servers may be set to take
// fewer, and then refuse.
const MaxBatch = 1000

// What Append and readers may answer.
var (
	ErrUnknown = errors.New("eventstore: the outcome of the append is unknown")
	ErrFull    = errors.New("eventstore: the stream is full")
	ErrClosed  = errors.New("eventstore: the log is closed")
	ErrLost    = errors.New("eventstore: the link to the stream is lost")
)

// ConflictError says that a subject's last record isn't the expected one.
type ConflictError struct {
	Subject Subject // "": one of a batch, and it isn't known which
	Last    Seq     // what it is, if the server said so; else 0
}

func (e *ConflictError) Error() string {
	if e.Subject == "" {
		return fmt.Sprintf("eventstore: a subject of the batch has record %d as its last, which is not the expected one", e.Last)
	}
	return fmt.Sprintf("eventstore: %s has record %d as its last, which is not the expected one", e.Subject, e.Last)
}
