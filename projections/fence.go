package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"hallpass/domain"
)

// askAgain is how often a fence asks those again who have not acknowledged.
const askAgain = 50 * time.Millisecond

// Fence returns once no node can answer any more without having applied the
// revision: every incarnation that had a lease before it has acknowledged it,
// has left, or its lease has run out. Errors are ctx's, as the domain's
// not_fenced (try again: a fence can be repeated), history_differs when a node
// has applied another history, and not_ready before this node has joined.
// In none of these cases is anything known about the nodes that are left.
func (p *Projection) Fence(ctx context.Context, at Seq) (*Receipt, error) {
	if err := p.Position.Wait(ctx, at); err != nil {
		return nil, notFenced(at, nil, err)
	}
	self, joined := p.fold.members.get(p.life.self)
	if !joined {
		return nil, domain.Errorf(domain.CodeNotReady, "this node has not joined the others yet; try again shortly")
	}
	f := &fence{life: p.life, at: at, began: p.life.cfg.Boot(), acks: make(chan *ack, 16), done: map[domain.Incarnation]Acknowledgement{}}
	if err := f.target(); err != nil {
		return nil, err
	}
	f.list()
	own := p.life.ackOf(f.seq, f.event, f.size, f.root)
	f.settle(self, Acknowledged, own.Signature)
	defer p.life.fences.enter(f)()
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	return f.receipt(self)
}

// fence is one revision that this node waits for the others to have applied.
type fence struct {
	*life
	at    Seq
	began time.Duration
	acks  chan *ack

	seq   Seq // the fact that is to be acknowledged; see Receipt.Through
	event domain.EventID
	size  uint64
	root  Hash

	waits map[domain.Incarnation]time.Duration // who may answer without it, and until when
	done  map[domain.Incarnation]Acknowledgement
}

// target finds the fact to be acknowledged: the one at the revision, or the
// newest, where that one is too long past for nodes to remember.
func (f *fence) target() error {
	t := &f.fold.tree
	for f.seq = f.at; ; {
		var ok bool
		if f.event, f.size, f.root, ok = t.at(f.seq); ok {
			return nil
		}
		newest, ok := t.seqOf(t.size() - 1)
		if !ok || newest < f.at {
			return domain.Errorf(domain.CodeNotFenced, "revision %d is no fact that can be fenced", f.at)
		}
		f.seq = newest
	}
}

// list finds who has to be waited for. Everything below the revision was
// applied here, so that the table holds every lease from before it; but for
// those from before this node began to look.
func (f *fence) list() {
	f.waits = f.fold.leases.below(f.at)
	complete := f.fold.leases.complete()
	if f.began >= complete || without(startWait) {
		return
	}
	for _, m := range f.fold.members.all() {
		if m.Joined < f.at {
			f.waits[m.Incarnation] = max(f.waits[m.Incarnation], complete)
		}
	}
}

func (f *fence) run(ctx context.Context) error {
	again := time.NewTimer(0)
	defer again.Stop()
	for len(f.waits) > 0 {
		select {
		case a := <-f.acks:
			if err := f.take(a); err != nil {
				return err
			}
		case <-again.C:
			f.expire()
			if len(f.waits) == 0 {
				return nil
			}
			if err := f.log.Send(topicFence, encode(f.call())); err != nil {
				f.logger.Debug("a fence was not sent", "error", err)
			}
			again.Reset(f.next())
		case <-ctx.Done():
			return notFenced(f.at, f.names(), context.Cause(ctx))
		}
	}
	return nil
}

// namedAtMost is how many nodes a fence asks by name.
const namedAtMost = 32

// call is the question to those who are waited for.
func (f *fence) call() fenceCall {
	c := fenceCall{Stream: f.stream, Epoch: epoch, Seq: f.seq, From: idOf(f.self)}
	if len(f.waits) <= namedAtMost {
		var names []string
		for of := range f.waits {
			names = append(names, of.String())
		}
		c.Of = strings.Join(names, " ")
	}
	return c
}

// next is when to look again: when it is time to ask again, or the next lease
// runs out.
func (f *fence) next() time.Duration {
	now, wait := f.cfg.Boot(), askAgain
	for _, ends := range f.waits {
		wait = min(wait, max(ends-now, time.Millisecond))
	}
	return wait
}

// expire settles who has left, and whose leases have run out.
func (f *fence) expire() {
	now := f.cfg.Boot()
	for of, ends := range f.waits {
		if m, gone := f.fold.members.gone(of); gone {
			f.settle(m, Left, nil)
		} else if now >= ends {
			m, _ := f.fold.members.get(of)
			m.Incarnation = of
			f.settle(m, RanOut, nil)
		}
	}
}

// take settles who has acknowledged. An acknowledgement of another history
// means that not everyone who accepts it knows of the revision.
func (f *fence) take(a *ack) error {
	of := a.Of.incarnation()
	m, there := f.fold.members.get(of)
	if !there || !a.verify(m.Key) {
		f.logger.Warn("an acknowledgement is not signed by the node it names", "incarnation", of.String())
		return nil
	}
	if _, waited := f.waits[of]; !waited && !without(perIncarnation) {
		return nil // it had no lease from before, or is settled
	}
	if same := a.Event == f.event.String() && a.Size == f.size && a.Root == f.root; !same && !without(rootInAcknowledgement) {
		return domain.Errorf(domain.CodeHistoryDiffers,
			"revision %d is stored, but node %s has applied another history up to it, so nobody can say that it refuses what was revoked; stop that node", f.at, m.Name)
	}
	if _, waited := f.waits[of]; waited {
		f.settle(m, Acknowledged, a.Signature)
	}
	if without(perIncarnation) {
		for other := range f.waits {
			if o, _ := f.fold.members.get(other); o.Name == m.Name {
				f.settle(o, Acknowledged, a.Signature)
			}
		}
	}
	return nil
}

func (f *fence) settle(m Member, how How, signature []byte) {
	delete(f.waits, m.Incarnation)
	length, _ := f.fold.leases.of(m.Incarnation)
	f.done[m.Incarnation] = Acknowledgement{Member: m, How: how, Lease: length, After: f.cfg.Boot() - f.began, Signature: signature}
}

// names are those that are still waited for.
func (f *fence) names() []string {
	var names []string
	for of := range f.waits {
		m, _ := f.fold.members.get(of)
		names = append(names, orDash(string(m.Name)))
	}
	slices.Sort(names)
	return names
}

func notFenced(at Seq, waiting []string, why error) error {
	if errors.Is(why, ErrClosed) || errors.As(why, new(*RecordError)) || errors.As(why, new(*HistoryError)) {
		return domain.Errorf(domain.CodeNotFenced, "revision %d is stored, but this node ended before it knew that every node has applied it: ask another one", at)
	}
	return domain.Errorf(domain.CodeNotFenced, "revision %d is stored, but it is not known in time that every node has applied it (waiting for: %s); ask for the same again",
		at, orDash(strings.Join(waiting, ", ")))
}

func (f *fence) receipt(self Member) (*Receipt, error) {
	r := &Receipt{
		Stream: f.stream, Epoch: epoch, Revision: f.at, Through: f.seq, Event: f.event, Size: f.size, Root: f.root,
		Took: f.cfg.Boot() - f.began, By: f.self, Accepted: f.fold.acceptedSoFar(),
	}
	for _, a := range f.done {
		r.Nodes = append(r.Nodes, a)
	}
	slices.SortFunc(r.Nodes, func(a, b Acknowledgement) int { return strings.Compare(a.sortKey(), b.sortKey()) })
	if err := r.seal(self.Name, f.cfg.Node.Key); err != nil {
		return nil, fmt.Errorf("signing a receipt: %w", err)
	}
	return r, nil
}

func (a *Acknowledgement) sortKey() string { return string(a.Name) + " " + a.Incarnation.String() }

// fences are those that run now, by the fact that they wait for.
type fences struct {
	mu sync.Mutex // guards what follows
	by map[Seq]map[*fence]struct{}
}

func (s *fences) enter(f *fence) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[Seq]map[*fence]struct{}{}
	}
	if s.by[f.seq] == nil {
		s.by[f.seq] = map[*fence]struct{}{}
	}
	s.by[f.seq][f] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.by[f.seq], f); len(s.by[f.seq]) == 0 {
			delete(s.by, f.seq)
		}
	}
}

// give hands an acknowledgement to the fences that wait for it. One whose
// hands are full gets it again when it asks again.
func (s *fences) give(a *ack) {
	s.mu.Lock()
	waiting := slices.Collect(maps.Keys(s.by[a.Seq]))
	s.mu.Unlock()
	for _, f := range waiting {
		select {
		case f.acks <- a:
		default:
		}
	}
}
