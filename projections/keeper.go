package projections

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"
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

	mu      sync.Mutex  // guards what follows
	own     []proof     // this node's own requests
	waiting []proof     // at most one of each other incarnation, the newest
	due     *time.Timer // wakes when what waits longest may not wait on; nil: nothing waits
	dueAt   time.Time
}

func newKeeper(l *life) *keeper { return &keeper{life: l, wake: make(chan struct{}, 1)} }

// addOwn has a barrier answer this node's own request, at once.
func (k *keeper) addOwn(p proof) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.own) < maxProofs/2 {
		k.own = append(k.own, p)
	}
	k.dueLocked(0)
}

// add has a barrier answer p, at the latest after within.
func (k *keeper) add(p proof, within time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := -1
	for i := range k.waiting {
		if k.waiting[i].Of == p.Of && (k.waiting[i].Lease == 0) == (p.Lease == 0) {
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
	k.dueLocked(max(within, 0))
}

// dueLocked has run woken after that time, if it isn't sooner.
func (k *keeper) dueLocked(within time.Duration) {
	if within == 0 {
		k.woken()
		return
	}
	at := time.Now().Add(within)
	switch {
	case k.due == nil:
		k.due = time.AfterFunc(within, k.woken)
	case at.Before(k.dueAt):
		k.due.Reset(within)
	default:
		return
	}
	k.dueAt = at
}

func (k *keeper) woken() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) take() []proof {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := append(k.own, k.waiting...)
	k.own, k.waiting = nil, nil
	if k.due != nil {
		k.due.Stop()
		k.due = nil
	}
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

// listen takes requests of other nodes, which have joined if they want a lease.
// They come while this node holds a lease itself, or soon will: it is caught up
// and has joined.
func (k *keeper) listen() (stop func(), err error) {
	one, err := k.log.Listen(topicAsk, serversAre, k.asked)
	if err != nil {
		return nil, err
	}
	all, err := k.log.Listen(topicAskAll, "", k.asked)
	if err != nil {
		one()
		return nil, err
	}
	return func() {
		one()
		all()
	}, nil
}

func (k *keeper) asked(data []byte) {
	var a ask
	if err := strictly(data, &a); err != nil || a.Stream != k.stream || a.Proof.Of == idOf(k.self) {
		return
	}
	m, joined := k.fold.members.get(a.Proof.Of.incarnation())
	wantsLease := a.Proof.Lease != 0 || a.Proof.Stale != 0
	switch {
	case wantsLease && !(joined && ed25519.Verify(m.Key, a.signed(), a.Signature)):
		k.logger.Debug("a freshness request is not signed by the node it names", "incarnation", a.Proof.Of.incarnation().String())
	case !a.Proof.may(k.log.Settings().MaxLease):
		k.logger.Warn("a node asks for a longer lease than the stream permits", "name", string(m.Name))
	default:
		k.add(a.Proof, a.Within.duration())
	}
}
