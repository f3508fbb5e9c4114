package projections

import (
	"crypto/rand"
	"sync"
	"time"

	"hallpass/domain"
)

// asker asks for proof that this node is current, and takes it when it comes
// back in the node's own reader.
type asker struct {
	*life
	lease  *lease
	keeper *keeper

	mu     sync.Mutex // guards what follows
	open   map[hex16]question
	usual  time.Duration           // round trip, smoothed; 0: none yet
	latest time.Duration           // round trip of the newest proof
	heard  time.Duration           // when a nonce of this node last came back
	marks  map[hex16]struct{}      // nonces that end the replay
	marked bool                    // one came
	waits  map[hex16]chan struct{} // nonces that Current waits for
}

// question is a nonce that is on its way.
type question struct {
	boot time.Duration
	wall domain.Instant
	at   Seq // this node's position then

	lease, stale time.Duration // that were asked for: a barrier gives no more
}

func newAsker(l *life, k *keeper) *asker {
	return &asker{
		life: l, keeper: k, open: map[hex16]question{}, marks: map[hex16]struct{}{}, waits: map[hex16]chan struct{}{},
		lease: &lease{boot: l.cfg.Boot, wall: l.cfg.Now},
	}
}

// askShare is the part of its lease that a follower lets a server wait for
// other requests, so that one barrier answers them all.
const askShare = 8

func newNonce() (n hex16) {
	_, _ = rand.Read(n[:]) // never fails: crypto/rand ends the program instead
	return n
}

// ask sends a nonce. The clocks are read first: the lease counts from before
// anyone could have known the nonce.
func (a *asker) ask(urgent bool) {
	n := newNonce()
	// Fences and the life of barriers rest on the longest permitted lease.
	longest := a.log.Settings().MaxLease
	q := question{boot: a.cfg.Boot(), wall: a.cfg.Now(), at: a.fold.position.At(), lease: min(a.cfg.Node.Lease, longest)}
	q.stale = min(a.cfg.Node.ServeStale, longest-q.lease)
	a.mu.Lock()
	for old, is := range a.open {
		if q.boot-is.boot > a.cfg.Node.Lease {
			delete(a.open, old)
		}
	}
	a.open[n] = q
	a.mu.Unlock()
	a.send(proof{
		Of: idOf(a.self), Nonce: n, Reads: domain.SchemaLevel,
		Lease: millis(q.lease / time.Millisecond), Stale: millis(q.stale / time.Millisecond),
	}, urgent)
}

// forgetEchoes makes those that askEcho has sent so far say nothing.
func (a *asker) forgetEchoes() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks, a.marked = map[hex16]struct{}{}, false
}

// askEcho sends a nonce that only says, when it comes back, that everything
// before it was applied.
func (a *asker) askEcho() {
	n := newNonce()
	a.mu.Lock()
	a.marks[n] = struct{}{}
	a.mu.Unlock()
	a.send(proof{Of: idOf(a.self), Nonce: n, Reads: domain.SchemaLevel}, true)
}

func (a *asker) send(p proof, urgent bool) {
	if !a.cfg.Node.FollowOnly {
		a.keeper.addOwn(p)
		return
	}
	// One server answers for all; all do if it is late, in case that one can't.
	q, topic := ask{Stream: a.stream, Proof: p}, topicAskAll
	if !urgent {
		q.Within, topic = millis(a.cfg.Node.Lease/askShare/time.Millisecond), topicAsk
	}
	q.sign(a.cfg.Node.Key)
	if err := a.log.Send(topic, encode(&q)); err != nil {
		a.logger.Debug("a freshness request was not sent", "error", err)
	}
}

// current sends a nonce and returns what is closed when it has come back.
func (a *asker) current() (came <-chan struct{}, forget func()) {
	n, ch := newNonce(), make(chan struct{})
	a.mu.Lock()
	a.waits[n] = ch
	a.mu.Unlock()
	a.send(proof{Of: idOf(a.self), Nonce: n, Reads: domain.SchemaLevel}, true)
	return ch, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waits, n)
	}
}

// echoed tells whether what askEcho asked for has come.
func (a *asker) echoed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.marked
}

// came takes the proofs of a barrier that this node's reader has brought, at
// seq. agrees says that its writer's history is not known to differ.
func (a *asker) came(seq Seq, proofs []proof, agrees bool) {
	for i := range proofs {
		p := &proofs[i]
		if p.Of != idOf(a.self) && !without(nonceMatch) {
			continue
		}
		if p.Lease == 0 {
			a.echo(p.Nonce)
			continue
		}
		q, ok := a.answered(p.Nonce, seq)
		if !ok || !agrees {
			continue
		}
		a.lease.renew(proven{boot: q.boot, wall: q.wall, length: min(p.Lease.duration(), q.lease), stale: min(p.Stale.duration(), q.stale)})
		a.granted()
	}
}

func (a *asker) echo(n hex16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, mine := a.marks[n]; mine {
		a.marked = true
	}
	if came := a.waits[n]; came != nil {
		delete(a.waits, n)
		close(came)
	}
}

// answered returns what was question with that nonce; false if nothing was, or
// the answer is older than the question.
func (a *asker) answered(n hex16, seq Seq) (question, bool) {
	now := a.cfg.Boot()
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.open[n]
	if without(nonceMatch) && !ok {
		return question{boot: now, wall: a.cfg.Now(), at: seq - 1, lease: a.cfg.Node.Lease, stale: a.cfg.Node.ServeStale}, true
	}
	if !ok || seq <= q.at {
		return q, false
	}
	delete(a.open, n)
	a.latest, a.heard = now-q.boot, now
	if a.usual == 0 {
		a.usual = a.latest
	}
	a.usual += (a.latest - a.usual) / 8
	return q, true
}

// overdue tells whether something has been on its way for longer than patience,
// and than twice the usual, as long as the reader that was opened then could
// have brought it.
func (a *asker) overdue(patience, opened time.Duration) bool {
	now := a.cfg.Boot()
	a.mu.Lock()
	defer a.mu.Unlock()
	patience = max(patience, 2*a.usual)
	for _, q := range a.open {
		if q.boot > a.heard && now-max(q.boot, opened) > patience {
			return true
		}
	}
	return false
}

// lastHeard is when a nonce of this node last came back.
func (a *asker) lastHeard() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard
}

func (a *asker) roundTrip() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.latest
}
