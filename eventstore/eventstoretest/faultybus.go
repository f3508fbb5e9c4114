package eventstoretest

import (
	"context"
	"errors"
	"fmt"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Direction is that of messages between a node and the bus.
type Direction uint8

// The directions of a node's messages.
const (
	Out Direction = 1 << iota // what the node sends
	In                        // what it would receive
)

// OnBarrier has f decide about each barrier before it is made. LoseAck and
// Conflict store it and answer an error; LoseSend and Full answer an error;
// Repeat stores it twice. f may wait, to delay the barrier. nil: no faults.
func (l *Faulty) OnBarrier(f func(node domain.NodeName, data []byte) Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.barrier = f
}

// OnSend has f say how often each message that this node sends is delivered: 1
// is right, 0 loses it, 2 doubles it. nil: once.
func (l *Faulty) OnSend(f func(topic string, data []byte) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.send = f
}

// CutAppends makes appends and barriers act as over a dead link: an append
// waits for the link until its time is over, and a barrier is refused at once.
// What is under way already goes on.
func (l *Faulty) CutAppends() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.appends == nil {
		l.appends = make(chan struct{})
	}
}

// CutBus cuts the node's messages in the given directions (Out|In: both): Send
// answers an error, and what was sent to the node is lost.
func (l *Faulty) CutBus(d Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bus |= d
}

// Isolate cuts everything: appends, barriers, the bus both ways, and what
// readers get (as Stall).
func (l *Faulty) Isolate() {
	l.CutAppends()
	l.CutBus(Out | In)
	l.Stall()
}

// Heal ends CutAppends, CutBus, Stall and Isolate.
func (l *Faulty) Heal() {
	l.mu.Lock()
	if l.appends != nil {
		close(l.appends)
		l.appends = nil
	}
	l.bus = 0
	l.mu.Unlock()
	l.Resume()
}

// reach waits until appends reach the log.
func (l *Faulty) reach(ctx context.Context) error {
	for {
		l.mu.Lock()
		cut := l.appends
		l.mu.Unlock()
		if cut == nil {
			return nil
		}
		select {
		case <-cut:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", eventstore.ErrUnknown, context.Cause(ctx))
		}
	}
}

var errDead = fmt.Errorf("%w (eventstoretest)", eventstore.ErrLost)

// Barrier implements eventstore.Log.
func (l *Faulty) Barrier(ctx context.Context, node domain.NodeName, data []byte) (eventstore.Seq, error) {
	l.mu.Lock()
	cut, f := l.appends != nil, l.barrier
	l.mu.Unlock()
	if cut {
		return 0, errDead
	}
	fault := None
	if f != nil {
		fault = f(node, data)
	}
	switch fault {
	case LoseSend:
		return 0, errDead
	case Full:
		return 0, eventstore.ErrFull
	}
	seq, err := l.Log.Barrier(ctx, node, data)
	switch {
	case err != nil:
		return 0, err
	case fault == LoseAck, fault == Conflict:
		return 0, errDead
	case fault == Repeat:
		_, err := l.Log.Barrier(ctx, node, data)
		return seq, err
	}
	return seq, nil
}

// Send implements eventstore.Bus.
func (l *Faulty) Send(topic string, data []byte) error {
	l.mu.Lock()
	cut, f := l.bus&Out != 0, l.send
	l.mu.Unlock()
	if cut {
		return errDead
	}
	times := 1
	if f != nil {
		times = f(topic, data)
	}
	var err error
	for range times {
		err = errors.Join(err, l.Log.Send(topic, data))
	}
	return err
}

// Listen implements eventstore.Bus.
func (l *Faulty) Listen(topic, group string, f func(data []byte)) (stop func(), err error) {
	return l.Log.Listen(topic, group, func(data []byte) {
		l.mu.Lock()
		cut := l.bus&In != 0
		l.mu.Unlock()
		if !cut {
			f(data)
		}
	})
}
