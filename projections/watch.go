package projections

import (
	"context"
	"fmt"

	"hallpass/eventstore"
)

// watch takes records from a reader, and finds out when silence is not peace.
type watch struct {
	*follower
	reader eventstore.Reader
	period context.Context // ends one stall time after it began
	cancel context.CancelFunc
	heard  bool // whether records came in this period
	owed   Seq  // what the log had when the period began, and more than the reader brought; or 0
}

// next fills the follower's buffer. known is false while the reader owes the
// record that it was to start with.
func (w *watch) next(ctx context.Context, known bool) (int, error) {
	for {
		if w.period == nil {
			w.period, w.cancel = context.WithTimeout(ctx, w.stall)
			w.heard = false
		}
		n, err := w.reader.Next(w.period, w.buf)
		switch {
		case err == nil && n > 0:
			w.heard = true
			return n, nil
		case err == nil:
			return 0, fmt.Errorf("%w: a reader brought nothing and no error", eventstore.ErrLost)
		case w.period.Err() == nil:
			return 0, err
		case ctx.Err() != nil:
			return 0, ctx.Err()
		}
		w.stop()
		if err := w.quiet(ctx, known); err != nil {
			return 0, err
		}
	}
}

// quiet returns an error if the reader brought nothing in a whole period in
// which it could have. What the log has only now it may bring in the next.
func (w *watch) quiet(ctx context.Context, known bool) error {
	if w.heard {
		w.owed = 0
		return nil
	}
	if !known || w.owed != 0 {
		return fmt.Errorf("%w: a reader at record %d brought nothing in %v, although the log has more",
			eventstore.ErrLost, w.fold.applied, w.stall)
	}
	last, err := w.lastOf(ctx)
	if err != nil {
		return err
	}
	if last > w.fold.applied {
		w.owed = last
	}
	return nil
}

func (w *watch) stop() {
	if w.period != nil {
		w.cancel()
		w.period = nil
	}
}
