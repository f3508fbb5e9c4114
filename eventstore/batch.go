package eventstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// checkBatch refuses what AppendBatch does not take.
func checkBatch(entries []Entry) error {
	if n := len(entries); n < 1 || n > MaxBatch {
		return fmt.Errorf("eventstore: a batch has 1 to %d entries, not %d", MaxBatch, n)
	}
	subjects, ids := make(map[Subject]struct{}, len(entries)), make(map[string]struct{}, len(entries))
	for i := range entries {
		subjects[entries[i].Subject] = struct{}{}
		ids[entries[i].ID.String()] = struct{}{}
	}
	if len(subjects) != len(entries) || len(ids) != len(entries) {
		return errors.New("eventstore: the entries of a batch have each a subject and an id of their own")
	}
	return nil
}

// errDuplicate is the server's word that it has a record with an id of the batch.
var errDuplicate = errors.New("a record of the batch is stored already")

// AppendBatch implements Log. A process that dies here leaves all of the batch
// stored or nothing: what the server has of a batch without a commit it drops
// after 10 s, and one it was writing when it died it completes at its start.
func (l *JetStream) AppendBatch(ctx context.Context, entries []Entry) (Seq, error) {
	if err := checkBatch(entries); err != nil {
		return 0, err
	}
	if len(entries) == 1 {
		return l.Append(ctx, entries[0])
	}
	return l.untilKnown(ctx, func() (Seq, outcome, error) { return l.publishBatch(ctx, entries) })
}

// publishBatch sends the batch once, under an id of its own. The answer to its
// first message says whether the server takes a batch at all; those between
// get none, and one that is lost makes the last one answer "incomplete".
func (l *JetStream) publishBatch(ctx context.Context, entries []Entry) (Seq, outcome, error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	data, out, err := l.request(ctx, inBatch(&entries[0], id, 1))
	switch {
	case err != nil && out == inDoubt:
		return 0, notTaken, err
	case err != nil:
		return 0, out, err
	case len(bytes.TrimSpace(data)) > 0:
		return l.ofBatch(ctx, entries, data)
	}
	last := len(entries) - 1
	for i := 1; i < last; i++ {
		if err := l.nc.PublishMsg(inBatch(&entries[i], id, i+1)); err != nil {
			if out, err = unsent(err); out == inDoubt {
				out = notTaken
			}
			return 0, out, err
		}
	}
	commit := inBatch(&entries[last], id, last+1)
	commit.Header[server.JSBatchCommit] = []string{"1"}
	data, out, err = l.request(ctx, commit)
	if err != nil {
		return 0, out, err
	}
	return l.ofBatch(ctx, entries, data)
}

func inBatch(e *Entry, id string, n int) *nats.Msg {
	msg := message(*e)
	msg.Header[server.JSBatchId] = []string{id}
	msg.Header[server.JSBatchSeq] = []string{strconv.Itoa(n)}
	return msg
}

// ofBatch reads what JetStream says about a batch, and finds out what it leaves
// unsaid.
func (l *JetStream) ofBatch(ctx context.Context, entries []Entry, data []byte) (Seq, outcome, error) {
	seq, out, err := answer("", data, math.MaxUint64)
	var conflict *ConflictError
	switch {
	case errors.Is(err, errDuplicate):
		return l.storedBatch(ctx, entries)
	case errors.As(err, &conflict):
		return 0, l.nameSubject(ctx, entries, conflict), err
	}
	return seq, out, err
}

// nameSubject finds out whose last record the server named. It can't be stored
// either way; but a subject that is as expected is one that the server could
// not read, and another try may do.
func (l *JetStream) nameSubject(ctx context.Context, entries []Entry, conflict *ConflictError) outcome {
	if conflict.Last == 0 {
		return refused
	}
	rec, err := askRecord(ctx, l.nc, uint64(conflict.Last))
	if err != nil {
		return refused
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return string(e.Subject) == rec.Subject })
	switch {
	case i < 0:
		return refused
	case entries[i].Expect == conflict.Last:
		return notTaken
	}
	conflict.Subject = entries[i].Subject
	return refused
}

// storedBatch looks for a batch of which the server has a record, as its leader
// has it: what is there was committed. A batch is there whole or not at all.
func (l *JetStream) storedBatch(ctx context.Context, entries []Entry) (Seq, outcome, error) {
	end := entries[len(entries)-1]
	last, err := askLast(ctx, l.nc, end.Subject)
	if err != nil {
		return 0, inDoubt, err
	}
	if idOf(last) != end.ID.String() {
		return 0, refused, &ConflictError{Subject: end.Subject, Last: Seq(last.Sequence)}
	}
	if last.Sequence >= uint64(len(entries)) {
		begin, err := askRecord(ctx, l.nc, last.Sequence-uint64(len(entries)-1))
		switch {
		case err != nil:
			return 0, inDoubt, err
		case idOf(begin) == entries[0].ID.String():
			return Seq(last.Sequence), stored, nil
		}
	}
	return 0, refused, errors.New("eventstore: append: some of the batch's ids are those of other records")
}

// idOf returns the message id of a stored record; "": it has none.
func idOf(m *server.StoredMsg) string {
	h, err := nats.DecodeHeadersMsg(m.Header)
	if err != nil {
		return ""
	}
	return h.Get(server.JSMsgId)
}
