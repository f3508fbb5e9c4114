package projections

import (
	"context"
	"strings"
	"sync"
	"time"

	"hallpass/domain"
)

// ackPatience is how long a node that is asked for an acknowledgement waits to
// have applied the revision. It is asked again long before.
const ackPatience = time.Second

// acksWaiting is how many questions a node keeps in mind at once.
const acksWaiting = 256

// acknowledge answers other nodes' fences, and takes the answers to one's own.
func (l *life) acknowledge() (stop func(), err error) {
	stopAcks, err := l.log.Listen(topicAck+l.self.String(), "", func(data []byte) {
		var a ack
		if err := strictly(data, &a); err == nil && a.Stream == l.stream && a.Epoch == epoch {
			l.fences.give(&a)
		}
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &witness{life: l, ctx: ctx, asked: map[fenceCall]struct{}{}}
	stopCalls, err := l.log.Listen(topicFence, "", w.called)
	if err != nil {
		cancel()
		stopAcks()
		return nil, err
	}
	return func() {
		stopCalls()
		stopAcks()
		w.stop(cancel)
	}, nil
}

// witness acknowledges what this node has applied.
type witness struct {
	*life
	ctx     context.Context // ends with the node
	answers sync.WaitGroup

	mu    sync.Mutex // guards asked
	asked map[fenceCall]struct{}
}

// called is a fence of some node's, this one included, which need not ask itself.
func (w *witness) called(data []byte) {
	var c fenceCall
	if err := strictly(data, &c); err != nil || !c.of(w.stream) || c.From == idOf(w.self) ||
		c.Of != "" && !strings.Contains(c.Of, w.self.String()) {
		return
	}
	c.Of = ""
	if w.fold.position.At() >= c.Seq {
		w.answer(&c)
		return
	}
	w.later(c, func() {
		ctx, cancel := context.WithTimeout(w.ctx, ackPatience)
		defer cancel()
		if w.fold.position.Wait(ctx, c.Seq) == nil {
			w.answer(&c)
		}
	})
}

// later has answer run beside, if the question is a new one and there is room.
func (w *witness) later(c fenceCall, answer func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.asked[c]; known || len(w.asked) >= acksWaiting || w.ctx.Err() != nil {
		return
	}
	w.asked[c] = struct{}{}
	w.answers.Go(func() {
		answer()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.asked, c)
	})
}

// stop waits for the answers that are under way.
func (w *witness) stop(cancel func()) {
	w.mu.Lock()
	cancel() // under the lock, so that nothing is begun any more
	w.mu.Unlock()
	w.answers.Wait()
}

// answer says that the fact at c.Seq, and all before it, are applied: from here
// on no check on this node is decided without them. What is too long past to
// be told is not answered: no lease of this node is from before it.
func (w *witness) answer(c *fenceCall) {
	event, size, root, ok := w.fold.tree.at(c.Seq)
	if !ok {
		return
	}
	a := w.ackOf(c.Seq, event, size, root)
	if err := w.log.Send(topicAck+c.From.incarnation().String(), encode(a)); err != nil {
		w.logger.Debug("an acknowledgement was not sent", "error", err)
	}
}

func (l *life) ackOf(seq Seq, event domain.EventID, size uint64, root Hash) *ack {
	a := &ack{Stream: l.stream, Epoch: epoch, Seq: seq, Event: event.String(), Size: size, Root: root, Of: idOf(l.self)}
	a.sign(l.cfg.Node.Key)
	return a
}
