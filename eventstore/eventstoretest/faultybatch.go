package eventstoretest

import (
	"context"

	"hallpass/eventstore"
)

// AppendBatch implements eventstore.Log. OnAppend decides about each entry, and
// the first fault is the whole batch's; OnStored is told of each.
func (l *Faulty) AppendBatch(ctx context.Context, entries []eventstore.Entry) (eventstore.Seq, error) {
	if err := l.reach(ctx); err != nil {
		return 0, err
	}
	l.mu.Lock()
	before, after := l.before, l.after
	l.mu.Unlock()
	fault := None
	for i := 0; before != nil && fault == None && i < len(entries); i++ {
		fault = before(entries[i])
	}
	switch fault {
	case LoseSend:
		return 0, errLost
	case Full:
		return 0, eventstore.ErrFull
	}
	seq, err := l.Log.AppendBatch(ctx, entries)
	if err != nil {
		return seq, err
	}
	for i := range entries {
		if after != nil {
			after(entries[i], seq-eventstore.Seq(len(entries)-1-i))
		}
	}
	switch fault {
	case LoseAck:
		return 0, errLost
	case Conflict:
		return 0, &eventstore.ConflictError{Subject: entries[len(entries)-1].Subject, Last: seq}
	case Repeat:
		if again, err := l.Log.AppendBatch(ctx, entries); again != seq || err != nil {
			return again, err
		}
	}
	return seq, nil
}
