package embedded

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"hallpass/api/client"
	"hallpass/domain"
	"hallpass/projections"
)

const (
	leaseLook  = 250 * time.Millisecond // how often the watch looks whether the lease is over
	blindAgain = 5 * time.Second        // how often it says that it is
)

// Revocations implements client.Watcher over the node's feed. It is Blind while
// the node has no lease; nothing is lost in that time, as the feed goes on where
// it was. A revision that the node has not reached although it is current is of
// another history: then the watch says Missed, and goes on from where the node
// is. It ends with ctx and with the node.
func (n *Node) Revocations(ctx context.Context, after uint64) iter.Seq2[client.Notice, error] {
	return func(yield func(client.Notice, error) bool) {
		w := &watch{node: n, yield: yield}
		if err := w.run(ctx, after); err != nil {
			yield(nil, err)
		}
	}
}

// watch is one sequence.
type watch struct {
	node  *Node
	yield func(client.Notice, error) bool
	sub   *projections.Subscription
	said  time.Time // when the watch last said that it is blind; zero: it is not
}

// errEnough is the caller's leaving the loop: nothing more is yielded.
var errEnough = errors.New("embedded: the caller has enough")

// run returns why the sequence ends, or nil when the caller has enough.
func (w *watch) run(ctx context.Context, after uint64) error {
	err := w.begin(ctx, after)
	if w.sub != nil {
		defer w.sub.Close()
	}
	for err == nil {
		err = w.next(ctx)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

var (
	errBegins  = errors.New("the watch begins here")
	errUnknown = errors.New("this node is current, and has not seen the revision that the watch was to go on from")
	errStale   = errors.New("this node can't vouch for being current")
)

// begin subscribes. Where that is not after the given revision, it says Missed
// with the one that it is.
func (w *watch) begin(ctx context.Context, after uint64) (err error) {
	why := errBegins
	if after != client.Now {
		if w.sub, err = w.subscribe(ctx, after); err == nil || !errors.Is(err, projections.ErrRevisionUnknown) {
			return err
		}
		why = errUnknown
	}
	at := w.node.p.Position.At()
	if w.sub, err = w.node.p.Feed.Subscribe(at); err != nil {
		return err
	}
	return w.tell(client.Missed{MinRevision: uint64(at), Why: why})
}

// subscribe waits until the node is current, if it has not reached the revision
// before.
func (w *watch) subscribe(ctx context.Context, after uint64) (*projections.Subscription, error) {
	sub, err := w.node.p.Feed.Subscribe(projections.Seq(after))
	if err == nil {
		return sub, nil
	}
	if err := w.node.Ready(ctx); err != nil {
		return nil, err
	}
	return w.node.p.Feed.Subscribe(projections.Seq(after))
}

// next takes one entry of the feed, or looks at the lease when there is none
// for a while.
func (w *watch) next(ctx context.Context) error {
	if err := w.look(); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, leaseLook)
	defer cancel()
	e, err := w.sub.Next(wait)
	switch {
	case err == nil:
		return w.entry(&e)
	case ctx.Err() != nil:
		return ctx.Err()
	case wait.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		return nil
	}
	return fmt.Errorf("the node has ended: %w", err)
}

// look says that the watch is blind, when it is.
func (w *watch) look() error {
	if w.node.p.Status().Lease.Left > 0 {
		w.said = time.Time{}
		return nil
	}
	if !w.said.IsZero() && time.Since(w.said) < blindAgain {
		return nil
	}
	w.said = time.Now()
	return w.tell(client.Missed{Blind: true, Why: errStale})
}

func (w *watch) entry(e *projections.Entry) error {
	if e.Void != "" || e.Fact == nil {
		return nil
	}
	r, ok := client.RevokedBy(client.Revoked{
		Revision: uint64(e.Seq), Account: string(e.Fact.Account), Token: string(e.Fact.Token),
		Type: domain.EventName(e.Fact.Event.Type()),
	})
	if !ok {
		return nil
	}
	return w.tell(r)
}

func (w *watch) tell(n client.Notice) error {
	if !w.yield(n, nil) {
		return errEnough
	}
	return nil
}
