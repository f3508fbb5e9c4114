package projections

import (
	"context"
	"sync"
	"time"

	"hallpass/domain"
)

const (
	barrierGap   = 50 * time.Millisecond // between barriers that can't wait
	barrierTime  = 2 * time.Second       // how long one may take before it is given up
	barriersLive = 4                     // how many may be under way at once
)

// keeper writes barriers: one for all the requests that came since the one
// before. Their number depends on the servers, not on who follows them.
type keeper struct {
	*life
	wake chan struct{} // has room for one

	mu      sync.Mutex // guards what follows
	waiting []proof    // at most one of each incarnation, the newest
}

func newKeeper(l *life) *keeper { return &keeper{life: l, wake: make(chan struct{}, 1)} }

// add has the next barrier answer p. Now says not to wait until one is due.
func (k *keeper) add(p proof, now bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := -1
	for i := range k.waiting {
		if k.waiting[i].Of == p.Of {
			at = i
		}
	}
	switch {
	case at >= 0:
		k.waiting[at] = p
	case len(k.waiting) < maxProofs:
		k.waiting = append(k.waiting, p)
	default: // it asks again
		return
	}
	if now {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

func (k *keeper) take() []proof {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.waiting
	k.waiting = nil
	return p
}

// run writes barriers whenever it is woken, until ctx ends.
func (k *keeper) run(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	room := make(chan struct{}, barriersLive)
	for {
		select {
		case <-k.wake:
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if proofs := k.take(); len(proofs) > 0 {
			data := k.barrier(proofs)
			under.Go(func() {
				defer func() { <-room }()
				k.write(ctx, data)
			})
		} else {
			<-room
		}
		select {
		case <-time.After(barrierGap):
		case <-ctx.Done():
			return
		}
	}
}

func (k *keeper) barrier(proofs []proof) []byte {
	b := barrier{Stream: k.stream, Epoch: epoch, By: idOf(k.self), Proofs: proofs}
	b.Replica = k.follower.replicaRead()
	if k.fold.tree.size() > 0 {
		size, root := k.fold.tree.head()
		b.Size, b.Root = size, root
	}
	return encode(&b)
}

// write appends a barrier. Whether it is stored matters to nobody here: who
// misses its nonce asks again.
func (k *keeper) write(ctx context.Context, data []byte) {
	ctx, cancel := context.WithTimeout(ctx, barrierTime)
	defer cancel()
	if _, err := k.log.Barrier(ctx, k.name, data); err != nil && ctx.Err() == nil {
		k.logger.Debug("a barrier was not written", "error", err)
	}
}

// listen takes requests of other nodes. They come while this node holds a
// lease itself, or soon will: it is caught up and joined.
func (k *keeper) listen() (stop func(), err error) {
	return k.log.Listen(topicAsk, serversAre, func(data []byte) {
		var a ask
		if err := strictly(data, &a); err != nil || a.Stream != hex16(k.stream) || a.Proof.Of == (hex16(domain.Incarnation{})) {
			k.logger.Debug("a freshness request can't be read", "error", err)
			return
		}
		k.add(a.Proof, a.Urgent)
	})
}
