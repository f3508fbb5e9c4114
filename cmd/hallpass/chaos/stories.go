package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// probesEach is how many tokens a fault is about.
const probesEach = 6

// fenceTime is how long a revoke may need until it is fenced, elections and
// leases included, before the run gives up.
const fenceTime = time.Minute

// stories are the faults. Each begins with all nodes well, and probes that are
// checked on every node all the time.
var stories = map[Fault]func(*run, context.Context, Step, []*token) error{
	StopShort:       (*run).stopShort,
	StopLong:        (*run).stopLong,
	KillRestart:     (*run).killRestart,
	KillLeader:      (*run).killLeader,
	Deaf:            (*run).deaf,
	Mute:            (*run).mute,
	Isolate:         (*run).isolate,
	Slow:            (*run).slow,
	SlowLeader:      (*run).slowLeader,
	Reset:           (*run).reset,
	KillCoordinator: (*run).killCoordinator,
	NameTwice:       (*run).nameTwice,
	CutFollower:     (*run).cutFollower,
	NoQuorum:        (*run).noQuorum,
	DeadActor:       (*run).deadActor,
}

// stopShort: a process stands still for less than its lease, while tokens are
// revoked elsewhere. It may answer for the rest of its lease at once.
func (r *run) stopShort(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	p := n.Now()
	queued := r.queue(ctx, p, probes)
	if err := p.Stop(); err != nil {
		return err
	}
	revoked := r.revokeSoon(ctx, other, probes)
	pause(ctx, leases(s.Length, n.Lease))
	if err := p.Continue(); err != nil {
		return err
	}
	return errors.Join(revoked(), r.queue(ctx, p, probes)(), queued())
}

// stopLong: a process stands still for longer than its lease. Checks are in
// flight when it stops, and wait for it in the kernel: some sent before the
// revoke is answered, some after, some at the moment when it goes on.
func (r *run) stopLong(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	p := n.Now()
	inFlight := r.queue(ctx, p, probes)
	if err := p.Stop(); err != nil {
		return err
	}
	began := time.Now()
	early := r.queue(ctx, p, probes)
	err = r.revokeSoon(ctx, other, probes)()
	many := slices.Repeat(probes, 5) // the first that it does when it goes on
	late := r.queue(ctx, p, many)
	pause(ctx, leases(s.Length, n.Lease)-time.Since(began))
	moment := r.queue(ctx, p, many)
	err = errors.Join(err, p.Continue())
	after := r.queue(ctx, p, probes)
	return errors.Join(err, inFlight(), early(), late(), moment(), after())
}

// killRestart: a process is killed, and started again at once under its name.
func (r *run) killRestart(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	r.cluster.Kill(n)
	revoked := r.revokeSoon(ctx, other, probes)
	return errors.Join(r.start(ctx, n), revoked())
}

// killLeader: the stream's leader is killed, and started again when another
// one leads.
func (r *run) killLeader(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.leaderAnd(ctx, s)
	if err != nil {
		return err
	}
	r.cluster.Kill(n)
	return errors.Join(r.revokeSoon(ctx, other, probes)(), r.start(ctx, n))
}

// deaf: a node's server hears nothing from the others, and they hear it. Its
// barriers reach the stream, and it sees none of them come back. The same is
// revoked several times: later fences find newer leases than the node has.
func (r *run) deaf(ctx context.Context, s Step, probes []*token) error {
	return r.spoilt(ctx, s, probes, func(*Node) func(*Link, Direction, Direction) {
		return func(l *Link, in, _ Direction) { l.Cut(in) }
	})
}

// mute: the others hear nothing from a node's server, and it hears them.
func (r *run) mute(ctx context.Context, s Step, probes []*token) error {
	return r.spoilt(ctx, s, probes, func(*Node) func(*Link, Direction, Direction) {
		return func(l *Link, _, out Direction) { l.Cut(out) }
	})
}

// slow: everything comes to a node's server later than its lease is long: each
// proof that comes back is too old.
func (r *run) slow(ctx context.Context, s Step, probes []*token) error {
	s.Length = max(s.Length, 1.5) + 1
	return r.spoilt(ctx, s, probes, func(n *Node) func(*Link, Direction, Direction) {
		return func(l *Link, in, _ Direction) { l.Delay(in, leases(1.5, n.Lease)) }
	})
}

// slowLeader: the same of the server that leads the stream. The others hear from
// it in time and elect nobody, while every write and every proof takes as long
// as its link: it has to let another lead by itself.
func (r *run) slowLeader(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.leaderAnd(ctx, s)
	if err != nil {
		return err
	}
	s.Node, s.Other, s.Leader = slices.Index(r.cluster.Nodes, n), other, true
	return r.slow(ctx, s, probes)
}

// spoilt spoils the links of a node for so long, and has the probes revoked
// again and again meanwhile.
func (r *run) spoilt(ctx context.Context, s Step, probes []*token, f func(n *Node) func(l *Link, in, out Direction)) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	began := time.Now()
	r.cluster.Spoil(n, f(n))
	asked := []func() error{r.revokeSoon(ctx, other, probes)}
	for range 3 {
		pause(ctx, leases(0.2, n.Lease))
		asked = append(asked, r.revokeSoon(ctx, other, probes))
	}
	pause(ctx, leases(s.Length, n.Lease)-time.Since(began))
	for _, answered := range asked { // before it is healed: they need no answer of this node
		err = errors.Join(err, answered())
	}
	r.cluster.Spoil(n, func(l *Link, _, _ Direction) { l.Heal() })
	return err
}

// isolate: the stale server. A node's server is cut off from the others, while
// its clients, and the follower if it is its server, stay connected. Nothing
// they see is an error, and they must refuse once their leases are over.
func (r *run) isolate(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	r.cluster.Spoil(n, func(l *Link, _, _ Direction) { l.Cut(Both) })
	cut := []*Node{n}
	longest := n.Lease
	if f := r.cluster.follower(); f != nil && n == r.cluster.Keepers()[len(r.cluster.Keepers())-1] {
		cut, longest = append(cut, f), max(longest, f.Lease)
	}
	healed := r.mustRefuse(cut...)
	began := time.Now()
	err = r.revokeSoon(ctx, other, probes)()
	pause(ctx, leases(s.Length, longest)-time.Since(began))
	healed()
	r.cluster.Spoil(n, func(l *Link, _, _ Direction) { l.Heal() })
	return err
}

// reset: every connection between a node's server and the others breaks, again
// and again.
func (r *run) reset(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	revoked := r.revokeSoon(ctx, other, probes)
	for range 4 {
		r.cluster.Spoil(n, func(l *Link, _, _ Direction) { l.Reset() })
		pause(ctx, leases(0.1, n.Lease))
	}
	return revoked()
}

// killCoordinator: the node that fences is killed while it waits for a process
// that stands still; another one is asked for the same.
func (r *run) killCoordinator(ctx context.Context, s Step, probes []*token) error {
	f := r.cluster.follower()
	p := f.Now()
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	coordinator := n.Now()
	queued := r.queue(ctx, p, probes)
	if err := p.Stop(); err != nil {
		return err
	}
	var asked sync.WaitGroup
	for _, t := range probes {
		asked.Go(func() { r.load.revoke(ctx, coordinator, t) })
	}
	pause(ctx, leases(0.25, n.Lease))
	r.cluster.Kill(n)
	asked.Wait()
	err = r.revokeSoon(ctx, other, probes)()
	late := r.queue(ctx, p, probes)
	err = errors.Join(err, p.Continue())
	return errors.Join(err, late(), queued(), r.start(ctx, n))
}

// nameTwice: a second process joins under the follower's name, while the first
// is cut off and goes on to the end of its lease.
func (r *run) nameTwice(ctx context.Context, s Step, probes []*token) error {
	f := r.cluster.follower()
	old := f.Now()
	r.cluster.Stem().Cut(Both)
	healed := r.mustRefuse(f)
	twin, err := r.cluster.TwinOfFollower(ctx)
	if err != nil {
		return err
	}
	defer twin.Kill()
	err = r.revokeSoon(ctx, s.Other, probes)()
	err = errors.Join(err, r.queue(ctx, old, probes)(), r.queue(ctx, twin, probes)())
	pause(ctx, leases(0.5, f.Lease))
	healed()
	r.cluster.Stem().Heal()
	err = errors.Join(err, r.queue(ctx, old, probes)())
	r.cluster.Kill(f)
	twin.Kill()
	return errors.Join(err, r.start(ctx, f))
}

// cutFollower: the follower's own link is cut. Its lease is longer than that
// of the nodes that fence.
func (r *run) cutFollower(ctx context.Context, s Step, probes []*token) error {
	f := r.cluster.follower()
	r.cluster.Stem().Cut(Both)
	healed := r.mustRefuse(f)
	began := time.Now()
	first := r.revokeSoon(ctx, s.Other, probes)
	pause(ctx, leases(0.2, f.Lease))
	second := r.revokeSoon(ctx, s.Node, probes)
	err := errors.Join(first(), second())
	pause(ctx, leases(s.Length, f.Lease)-time.Since(began))
	healed()
	r.cluster.Stem().Heal()
	return err
}

// noQuorum: all but one of those that keep the stream stand still. The one that
// is left must refuse once its lease is over, and so must whoever follows.
func (r *run) noQuorum(ctx context.Context, s Step, probes []*token) error {
	var stopped []*Process
	var left []*Node
	for i, n := range r.cluster.Nodes {
		p := n.Now()
		if i == s.Other || i >= len(r.cluster.Keepers()) {
			left = append(left, n)
			continue
		}
		stopped = append(stopped, p)
		if err := p.Stop(); err != nil {
			return err
		}
	}
	healed := r.mustRefuse(left...)
	longest := r.load.lease
	began := time.Now()
	short, cancel := context.WithTimeout(ctx, leases(1.2, longest))
	var asked sync.WaitGroup
	for _, t := range probes {
		asked.Go(func() { r.load.revoke(short, left[0].Now(), t) })
	}
	asked.Wait()
	cancel()
	pause(ctx, leases(1.2, longest)-time.Since(began))
	healed()
	var err error
	for _, p := range stopped {
		err = errors.Join(err, p.Continue())
	}
	return errors.Join(err, r.revokeSoon(ctx, s.Node, probes)())
}

// deadActor: a token gives commands through a node from which nothing comes
// out for a while, and is revoked meanwhile: its commands reach the stream
// afterwards, and must change nothing.
func (r *run) deadActor(ctx context.Context, s Step, probes []*token) error {
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return err
	}
	m, err := r.manager(ctx, other)
	if err != nil {
		return err
	}
	enough := make(chan struct{})
	finished := r.load.work(ctx, n.Now(), m, enough)
	pause(ctx, 200*time.Millisecond)
	cut := r.rec.Now()
	r.cluster.Spoil(n, func(l *Link, _, out Direction) { l.Cut(out) })
	pause(ctx, 200*time.Millisecond)
	err = r.revokeSoon(ctx, other, append(probes, m))()
	r.cluster.Spoil(n, func(l *Link, _, _ Direction) { l.Heal() })
	pause(ctx, 200*time.Millisecond)
	close(enough)
	finished(cut)
	return err
}

// victim is the step's node, and another one. In the first round it is not the
// one that leads the stream: what hits the leader stops all writes until
// another is elected, and has a fault of its own.
func (r *run) victim(ctx context.Context, s Step) (_ *Node, other int, _ error) {
	leader, err := r.cluster.Leader(ctx)
	if err != nil {
		return nil, 0, err
	}
	n := r.cluster.Nodes[s.Node]
	if n == leader && !s.Leader {
		return r.cluster.Nodes[s.Other], s.Node, nil
	}
	return n, s.Other, nil
}

func (r *run) leaderAnd(ctx context.Context, s Step) (leader *Node, other int, _ error) {
	n, err := r.cluster.Leader(ctx)
	if err != nil {
		return nil, 0, err
	}
	if r.cluster.Nodes[s.Other] == n {
		return n, s.Node, nil
	}
	return n, s.Other, nil
}

// start starts a node again.
func (r *run) start(ctx context.Context, n *Node) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := r.cluster.Start(ctx, n); err != nil {
		return fmt.Errorf("starting %s again: %w", n.Name, err)
	}
	return nil
}
