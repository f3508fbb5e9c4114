package api

import (
	"context"
	"slices"
	"sync"

	"hallpass/domain"
)

// turns lets commands about one token or account be decided one after the
// other on this node, in the order in which they came: a node then never makes
// its own commands conflict, and whoever writes a lot holds nobody off for
// longer than it takes to write what came before. Commands that take rights
// wait for no turn: they meet at most the one that has it.
type turns struct {
	mu     sync.Mutex // guards what follows
	queues map[target][]chan struct{}
}

// target is what a command changes; the token is empty for an account itself.
type target = domain.Target

func newTurns() *turns { return &turns{queues: map[target][]chan struct{}{}} }

// take waits for the turn at t and returns what gives it on. Its only error is
// ctx's.
func (q *turns) take(ctx context.Context, t target) (release func(), _ error) {
	mine := make(chan struct{})
	if q.enter(t, mine) {
		return func() { q.leave(t, mine) }, nil
	}
	select {
	case <-mine:
		return func() { q.leave(t, mine) }, nil
	case <-ctx.Done():
		q.leave(t, mine)
		return nil, context.Cause(ctx)
	}
}

// enter queues up mine, and tells whether it has the turn at once.
func (q *turns) enter(t target, mine chan struct{}) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queues[t] = append(q.queues[t], mine)
	return len(q.queues[t]) == 1
}

// leave takes mine out; if it had the turn, the next one has it.
func (q *turns) leave(t target, mine chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.queues[t]
	at := slices.Index(waiting, mine)
	waiting = slices.Delete(waiting, at, at+1)
	if len(waiting) == 0 {
		delete(q.queues, t)
		return
	}
	if at == 0 {
		close(waiting[0])
	}
	q.queues[t] = waiting
}
