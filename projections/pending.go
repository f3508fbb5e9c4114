package projections

import (
	"context"
	"sync"
	"sync/atomic"

	"hallpass/domain"
)

// Outcome is what became of a record, the same on every node.
type Outcome struct {
	Seq        Seq
	Void       domain.VoidReason // "" if the record counts
	SecretLost bool              // its secret is another token's, and is dead here
}

// Pending waits for the fold to meet one record that this process appends.
type Pending struct {
	set  *pendings
	id   domain.EventID
	done chan struct{} // closed after the position has reached the record, or at the node's end

	seen    bool     // guarded by set.mu, as are the next three
	outcome Outcome  // if seen
	err     error    // why it can't be seen any more
	next    *Pending // another one for the same id
}

// Expect registers for the record with that id. To miss nothing, call it
// before appending, and Cancel afterwards in any case.
func (p *Projection) Expect(id domain.EventID) *Pending { return p.pending.expect(id) }

// Wait returns what became of the record, once this node has applied it. Its
// errors are ctx's and, when the node stopped first, the failure or ErrClosed;
// then it is not known whether the record is stored.
func (p *Pending) Wait(ctx context.Context) (Outcome, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		if out, ok := p.Outcome(); ok {
			return out, nil
		}
		return Outcome{}, context.Cause(ctx)
	}
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	return p.outcome, p.err
}

// Outcome returns what became of the record if the fold has met it. Where it
// answers false, no record up to any position read before the call is the one.
func (p *Pending) Outcome() (Outcome, bool) {
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	return p.outcome, p.seen
}

// Cancel ends the registration. It may be called at any time, and twice.
func (p *Pending) Cancel() {
	p.set.mu.Lock()
	defer p.set.mu.Unlock()
	for at := p.set.by[p.id]; at != nil; at = at.next {
		if at == p {
			p.set.removeLocked(p)
			return
		}
	}
}

// pendings is every Pending of a node that has not met its record.
type pendings struct {
	n atomic.Int32 // how many there are: spares the fold the lock while replaying

	mu  sync.Mutex // guards what follows
	by  map[domain.EventID]*Pending
	err error // set once nothing will be applied any more
}

func newPendings() *pendings { return &pendings{by: map[domain.EventID]*Pending{}} }

func (s *pendings) expect(id domain.EventID) *Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &Pending{set: s, id: id, done: make(chan struct{})}
	if s.err != nil {
		p.err = s.err
		close(p.done)
		return p
	}
	p.next = s.by[id]
	s.by[id] = p
	s.n.Add(1)
	return p
}

func (s *pendings) removeLocked(p *Pending) {
	s.n.Add(-1)
	if s.by[p.id] == p {
		if s.by[p.id] = p.next; p.next == nil {
			delete(s.by, p.id)
		}
		return
	}
	for at := s.by[p.id]; at != nil; at = at.next {
		if at.next == p {
			at.next = p.next
			return
		}
	}
}

// met notes the outcome for whoever expects id, and returns met with them
// added: their done is to be closed once the position is published.
func (s *pendings) met(id domain.EventID, out Outcome, met []*Pending) []*Pending {
	if s.n.Load() == 0 {
		return met
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := s.by[id]; p != nil; p = p.next {
		p.seen, p.outcome = true, out
		s.n.Add(-1)
		met = append(met, p)
	}
	delete(s.by, id)
	return met
}

// end releases everyone: nothing will be applied any more, because of err.
func (s *pendings) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	for _, p := range s.by {
		for ; p != nil; p = p.next {
			p.err = err
			close(p.done)
		}
	}
	s.n.Store(0)
	clear(s.by)
}
