package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// afterConflict waits until this node has applied the record that took e's
// place. After a lost answer that may be e itself: then this is a success.
// Else e can never be stored any more, since a subject's last record only
// moves on, and the command may be decided again under a new id.
func (w *write) afterConflict(ctx context.Context, pending *projections.Pending, e eventstore.Entry, last Seq) (_ projections.Outcome, again bool, _ error) {
	if last != 0 && last < e.Expect {
		return w.contradicted(ctx, pending, e, last)
	}
	if err := w.proj.Position.Wait(ctx, last); err != nil {
		return projections.Outcome{}, false, w.unknown(e.ID, err)
	}
	moved := ctx
	if last == 0 && e.Expect != 0 {
		var cancel func()
		moved, cancel = context.WithTimeout(ctx, unsaid)
		defer cancel()
	}
	if err := w.movedOn(moved, e.Expect); err != nil {
		if moved.Err() != nil && ctx.Err() == nil {
			return w.contradicted(ctx, pending, e, last)
		}
		return projections.Outcome{}, false, w.unknown(e.ID, err)
	}
	if out, ok := pending.Outcome(); ok {
		return out, false, nil
	}
	w.metrics.conflicts.Inc()
	return projections.Outcome{}, true, nil
}

// unsaid is how long the record that took a place may take to come here, when
// the leader did not say which it is. It is committed already: if it does not
// come, there is none, and the leader does not know the record before it.
const unsaid = 2 * time.Second

// movedOn waits until this node has applied a record of the target above seq.
func (w *write) movedOn(ctx context.Context, seq Seq) error {
	for {
		at := w.Revision()
		_, now := w.proj.Directory.State(w.target)
		if now > seq && w.Revision() >= now {
			return nil
		}
		if err := w.proj.Position.Wait(ctx, at+1); err != nil {
			return err
		}
	}
}

// contradicted is for a leader that does not know a record which this node has
// applied. One that was cut off, and had another take its place meanwhile, may
// say so too, late: it is asked again, and only who says it twice has a damaged
// copy of the stream, and should let another lead.
func (w *write) contradicted(ctx context.Context, pending *projections.Pending, e eventstore.Entry, last Seq) (out projections.Outcome, again bool, _ error) {
	select {
	case <-time.After(secondLook):
	case <-ctx.Done():
		return out, false, w.unknown(e.ID, context.Cause(ctx))
	}
	_, err := w.log.Append(ctx, e) // the same once more: it is stored once, if at all
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(err, &conflict):
	case err == nil, errors.Is(err, eventstore.ErrUnknown):
		out, err = pending.Wait(ctx)
		if err != nil {
			err = w.unknown(e.ID, err)
		}
		return out, false, err
	default:
		return out, false, w.unknown(e.ID, err) // the first try may have been stored by the leader before
	}
	if out, ok := pending.Outcome(); ok {
		return out, false, nil
	}
	if conflict.Last > e.Expect { // now it knows more than this node
		return w.afterConflict(ctx, pending, e, conflict.Last)
	}
	w.logger.Error("the stream's leader contradicts what this node has applied: its copy of the stream is damaged",
		"subject", string(e.Subject), "applied", e.Expect, "leader_has", last)
	w.stepDown.ask(ctx, w.log, w.logger)
	return projections.Outcome{}, false, domain.Errorf(domain.CodeReplicaDamaged,
		"the stream's leader does not know revision %d, which this node has applied; it was asked to let another lead; look for the event %s before trying again", e.Expect, e.ID)
}

// secondLook is how long a leader that contradicts this node gets to be
// another one.
const secondLook = 500 * time.Millisecond

// stepDownEvery is how often a leader is asked to let another lead, at most.
const stepDownEvery = 5 * time.Second

// stepDownFor is how long asking it may take.
const stepDownFor = 2 * time.Second

// stepDown asks damaged leaders to let others lead.
type stepDown struct {
	mu    sync.Mutex // guards asked
	asked time.Time
}

// ask does nothing where nobody else could lead.
func (d *stepDown) ask(ctx context.Context, log eventstore.Log, logger *slog.Logger) {
	leader, ok := log.(interface {
		StepDown(ctx context.Context) error
	})
	if !ok || log.Settings().Replicas < 2 || !d.turn() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stepDownFor)
	defer cancel()
	if err := leader.StepDown(ctx); err != nil {
		logger.Error("the stream's leader could not be asked to let another lead", "error", err)
		return
	}
	logger.Warn("the stream's leader was asked to let another lead")
}

func (d *stepDown) turn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.asked) < stepDownEvery {
		return false
	}
	d.asked = time.Now()
	return true
}
