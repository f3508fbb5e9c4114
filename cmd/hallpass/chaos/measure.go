package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"time"
)

// Measures are what "hallpass bench revoke" finds out with real processes.
type Measures struct {
	Binary string
	Dir    string // where to make directories; "": the system's for temporary files
	Say    func(format string, args ...any)
}

// Revokes is fenced revokes with all nodes well, and checkers at all of them.
type Revokes struct {
	Revokes      int     `json:"revokes"`
	Checks       int     `json:"checks"`         // of the tokens, on all nodes
	After        int     `json:"checks_after"`   // of them, that began after the revoke's answer
	LastAcceptMS float64 `json:"last_accept_ms"` // the latest that an allowed check began after its revoke's answer; negative: before it
	P50          float64 `json:"fence_p50_ms"`   // of the call, commit included
	P99          float64 `json:"fence_p99_ms"`
}

// Cut is a fenced revoke while one node can't be reached.
type Cut struct {
	LeaseMS float64   `json:"lease_ms"`
	How     string    `json:"how"`
	TookMS  []float64 `json:"took_ms"`
	BoundMS float64   `json:"bound_ms"` // lease × 1.1
}

// OK tells whether all stayed within the bound.
func (c *Cut) OK() bool { return slices.Max(c.TookMS) <= c.BoundMS }

// Kills is what killing the stream's leader again and again did.
type Kills struct {
	Kills    int       `json:"kills"`
	Checks   int       `json:"checks"`        // by the nodes that lived
	Failed   int       `json:"failed_checks"` // of them
	Each     []int     `json:"failed_each"`   // of them, by kill
	OutageMS []float64 `json:"outage_ms"`     // from each kill until a change was stored again
}

// with runs f on a cluster of its own.
func (m *Measures) with(ctx context.Context, c ClusterConfig, f func(*run) error) (err error) {
	dir, err := os.MkdirTemp(m.Dir, "hallpass-bench-")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(dir)
		} else if ctx.Err() == nil {
			err = fmt.Errorf("%w (logs in %s)", err, dir)
		}
	}()
	c.Binary, c.Dir = m.Binary, dir
	starting, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	cluster, err := Open(starting, c)
	if err != nil {
		return err
	}
	defer cluster.Close()
	rec, tally := NewRecorder(), newTally()
	longest := slices.Max(c.Leases)
	return f(&run{
		cluster: cluster, rec: rec, tally: tally, report: &Report{},
		load: &load{cluster: cluster, rec: rec, tally: tally, lease: longest},
	})
}

// three is a cluster of three nodes with that lease.
func three(lease time.Duration) ClusterConfig {
	return ClusterConfig{Leases: []time.Duration{lease, lease, lease}, MaxLease: lease}
}

// Well measures n fenced revokes, each at another node in turn.
func (m *Measures) Well(ctx context.Context, n int) (r Revokes, err error) {
	c := three(12 * time.Second)
	c.Direct = true
	err = m.with(ctx, c, func(on *run) error {
		var took []float64
		for k := range n {
			one, err := on.revokeHammered(ctx, k%3)
			if err != nil {
				return err
			}
			took = append(took, one)
		}
		r.Revokes, r.P50, r.P99, r.LastAcceptMS = n, quantile(took, 0.5), quantile(took, 0.99), math.Inf(-1)
		for _, ops := range on.rec.Histories() {
			r.add(ops)
		}
		if math.IsInf(r.LastAcceptMS, -1) {
			return errors.New("no check was ever allowed")
		}
		return nil
	})
	return r, err
}

// hammers is how many clients check one token at each node.
const hammers = 2

// revokeHammered revokes a token that is being checked at every node, from
// before until a while after. It returns how long that took, in ms.
func (r *run) revokeHammered(ctx context.Context, at int) (float64, error) {
	ts, err := r.probes(ctx, "r", 1)
	if err != nil {
		return 0, err
	}
	t, enough := ts[0], make(chan struct{})
	var clients sync.WaitGroup
	for _, n := range r.cluster.Nodes {
		for range hammers {
			clients.Go(func() {
				for {
					select {
					case <-enough:
						return
					default:
						r.load.check(ctx, n.Now(), t)
					}
				}
			})
		}
	}
	pause(ctx, 30*time.Millisecond)
	began := time.Now()
	fenced := r.load.revoke(ctx, r.cluster.Nodes[at].Now(), t)
	took := time.Since(began)
	pause(ctx, 30*time.Millisecond)
	close(enough)
	clients.Wait()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if !fenced {
		return 0, errors.New("a revoke was not fenced although all nodes were well")
	}
	return took.Seconds() * 1e3, nil
}

// add takes over one token's history.
func (r *Revokes) add(ops []Op) {
	end := int64(math.MaxInt64)
	for i := range ops {
		if ops[i].Kind == Revoke && ops[i].Fenced {
			end = ops[i].Return
		}
	}
	for i := range ops {
		if ops[i].Kind != Check {
			continue
		}
		r.Checks++
		if ops[i].Call > end {
			r.After++
		}
		if ops[i].Allowed {
			r.LastAcceptMS = max(r.LastAcceptMS, float64(ops[i].Call-end)/1e6)
		}
	}
}

// OneCut measures fenced revokes at that lease while one node stands still or
// its links are cut, so many times each.
func (m *Measures) OneCut(ctx context.Context, lease time.Duration, times int) (out []Cut, err error) {
	err = m.with(ctx, three(lease), func(on *run) error {
		for _, how := range []string{"stopped", "links cut"} {
			c := Cut{LeaseMS: ms(lease), How: how, BoundMS: 1.1 * ms(lease)}
			for k := range times {
				took, err := on.cutOnce(ctx, Step{Node: k % 3, Other: (k + 1) % 3}, how == "stopped")
				if err != nil {
					return err
				}
				m.Say("lease %v, a node %s: the revoke took %.0f ms", lease, how, ms(took))
				c.TookMS = append(c.TookMS, ms(took))
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

func (r *run) cutOnce(ctx context.Context, s Step, stopped bool) (time.Duration, error) {
	ts, err := r.probes(ctx, "c", 1)
	if err != nil {
		return 0, err
	}
	n, other, err := r.victim(ctx, s)
	if err != nil {
		return 0, err
	}
	if stopped {
		err = n.Now().Stop()
	} else {
		r.cluster.Spoil(n, func(l *Link, _, _ Direction) { l.Cut(Both) })
	}
	if err != nil {
		return 0, err
	}
	began := time.Now()
	fenced := r.load.revoke(ctx, r.cluster.Nodes[other].Now(), ts[0])
	took := time.Since(began)
	err = errors.Join(r.cluster.Heal(), r.settle(ctx))
	if !fenced && err == nil {
		err = errors.New("a revoke was not fenced while one node was cut off")
	}
	return took, err
}

// Restarts measures the first fenced revoke of a node that stands alone and
// was killed, in ms.
func (m *Measures) Restarts(ctx context.Context, times int) (took []float64, err error) {
	c := ClusterConfig{Leases: []time.Duration{12 * time.Second}, MaxLease: 12 * time.Second}
	err = m.with(ctx, c, func(on *run) error {
		n := on.cluster.Nodes[0]
		for range times {
			ts, err := on.probes(ctx, "s", 1)
			if err != nil {
				return err
			}
			on.cluster.Kill(n)
			if err := on.start(ctx, n); err != nil {
				return err
			}
			began := time.Now()
			if !on.load.revoke(ctx, n.Now(), ts[0]) {
				return errors.New("the first revoke after a restart was not fenced")
			}
			took = append(took, ms(time.Since(began)))
		}
		return nil
	})
	return took, err
}

// LeaderKills kills the stream's leader so many times, that far apart, at the
// default lease, while tokens are checked at all nodes.
func (m *Measures) LeaderKills(ctx context.Context, times int, apart time.Duration) (k Kills, err error) {
	k.Kills = times
	c := three(12 * time.Second)
	c.Direct = true
	err = m.with(ctx, c, func(on *run) error {
		for i := range times {
			began, checks, failed := time.Now(), k.Checks, k.Failed
			outage, err := on.killOnce(ctx, &k)
			if err != nil {
				return err
			}
			m.Say("kill %d: nothing could be written for %.0f ms, %d of %d checks failed", i+1, ms(outage), k.Failed-failed, k.Checks-checks)
			k.Each = append(k.Each, k.Failed-failed)
			k.OutageMS = append(k.OutageMS, ms(outage))
			if i < times-1 {
				pause(ctx, apart-time.Since(began))
			}
		}
		return context.Cause(ctx)
	})
	return k, err
}

// killOnce kills the leader, and starts it again once a change was stored. The
// others are checked all the time.
func (r *run) killOnce(ctx context.Context, k *Kills) (time.Duration, error) {
	ts, err := r.probes(ctx, "k", 4)
	if err != nil {
		return 0, err
	}
	leader, err := r.cluster.Leader(ctx)
	if err != nil {
		return 0, err
	}
	enough := make(chan struct{})
	var clients sync.WaitGroup
	var count sync.Mutex
	for _, n := range r.cluster.Nodes {
		if n == leader {
			continue
		}
		clients.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				ok := r.load.check(ctx, n.Now(), anyOf(ts))
				count.Lock()
				k.Checks++
				if !ok && ctx.Err() == nil {
					k.Failed++
				}
				count.Unlock()
				pause(ctx, 2*time.Millisecond)
			}
		})
	}
	r.cluster.Kill(leader)
	began := time.Now()
	err = r.untilStored(ctx, leader)
	outage := time.Since(began)
	if err == nil {
		err = errors.Join(r.start(ctx, leader), r.settle(ctx))
	}
	close(enough)
	clients.Wait()
	r.rec.Histories() // nobody judges them: nothing is revoked
	return outage, err
}

// untilStored returns once a change was stored at a node other than that one.
func (r *run) untilStored(ctx context.Context, but *Node) error {
	ctx, cancel := context.WithTimeout(ctx, fenceTime)
	defer cancel()
	for ; ctx.Err() == nil; pause(ctx, 10*time.Millisecond) {
		n := anyOf(r.cluster.Nodes)
		if n == but {
			continue
		}
		once, stop := context.WithTimeout(ctx, time.Second)
		t := r.load.issue(once, n.Now(), r.load.pool.name("w"), false)
		stop()
		if t != nil {
			return nil
		}
	}
	return fmt.Errorf("nothing could be written for %v after the leader's death", fenceTime)
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }

// quantile is the smallest value that so large a part of all don't exceed.
func quantile(of []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(of))
	return s[max(int(math.Ceil(q*float64(len(s))))-1, 0)]
}
