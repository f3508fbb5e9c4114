package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// appliedRatio is how long one node takes to apply a record, from its being
// published on, beside a plain subscriber of the same server.
type appliedRatio struct {
	Node      string  `json:"node"`
	Samples   int     `json:"samples"`
	AppliedMS float64 `json:"applied_ms"` // medians
	BareMS    float64 `json:"bare_ms"`
	Ratio     float64 `json:"ratio"`
}

// barrierRate is what freshness costs while nothing happens.
type barrierRate struct {
	Followers int     `json:"followers"`
	PerSecond float64 `json:"per_second"`
	Bytes     float64 `json:"bytes"` // of one, as the stream counts them
}

// inside is nodes in this process.
type inside struct {
	nodes []*insideNode
}

type insideNode struct {
	name string
	log  *eventstore.JetStream
	bare *eventstore.Bare
	proj *projections.Projection
}

// openInside starts a cluster of three nodes in this process.
func openInside(ctx context.Context, dir string) (in *inside, err error) {
	in = &inside{}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	routes, err := freeRoutes(3)
	if err != nil {
		return in, err
	}
	quiet := slog.New(slog.DiscardHandler)
	errs := make([]error, len(routes))
	var opening sync.WaitGroup
	for i, at := range routes {
		n := &insideNode{name: fmt.Sprint("n", i+1)}
		in.nodes = append(in.nodes, n)
		opening.Go(func() {
			n.log, errs[i] = eventstore.OpenEmbedded(ctx, eventstore.EmbedConfig{
				Dir: filepath.Join(dir, n.name), MaxBytes: 256 << 20, Logger: quiet,
				Cluster: &eventstore.ClusterConfig{Name: "bench", Node: n.name, Listen: at, Routes: routes},
			})
		})
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		return in, err
	}
	for _, n := range in.nodes {
		if n.bare, err = n.log.Bare(); err != nil {
			return in, err
		}
		n.proj = projections.Open(n.log, projections.Config{Logger: quiet, Node: projections.NodeConfig{Name: domain.NodeName(n.name)}})
	}
	for _, n := range in.nodes {
		if err := n.proj.Ready(ctx); err != nil {
			return in, err
		}
	}
	return in, nil
}

func freeRoutes(n int) (at []string, _ error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // nobody came
		at = append(at, l.Addr().String())
	}
	return at, nil
}

func (in *inside) close() {
	for _, n := range in.nodes {
		if n.proj != nil {
			n.proj.Close()
		}
		if n.bare != nil {
			n.bare.Close()
		}
	}
	for _, n := range in.nodes {
		if n.log != nil {
			_ = n.log.Close() // the directory is removed next
		}
	}
}

// applied publishes records one at a time, and times them at three nodes.
func (b *revokeBench) applied(ctx context.Context) (out []appliedRatio, _ error) {
	dir, err := os.MkdirTemp(b.dir, "hallpass-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is in a place for temporary files
	in, err := openInside(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer in.close()
	s := newSample()
	if _, err := in.nodes[0].bare.Publish(ctx, s.start()[0]); err != nil {
		return nil, err
	}
	times := make([]timed, len(in.nodes))
	for k := 0; len(times[0].applied) < b.samples; k++ {
		if err := in.time(ctx, s, k, times); err != nil {
			return nil, err
		}
	}
	for i, n := range in.nodes {
		a := appliedRatio{Node: n.name, Samples: b.samples, AppliedMS: median(times[i].applied), BareMS: median(times[i].bare)}
		a.Ratio = a.AppliedMS / a.BareMS
		out = append(out, a)
	}
	return out, nil
}

// timed is how long records took at one node, in ms.
type timed struct{ applied, bare []float64 }

// caughtUp is what plain subscribers get to read all but the record to come.
const caughtUp = 20 * time.Millisecond

// time publishes a record, and times it at each node. Where a barrier came in
// between, which the plain subscribers can't tell from it, nothing is noted.
func (in *inside) time(ctx context.Context, s *sample, k int, times []timed) error {
	is, err := in.nodes[0].log.Usage(ctx)
	if err != nil {
		return err
	}
	last, err := in.nodes[0].log.Last(ctx)
	if err != nil {
		return err
	}
	e := s.entry(0, domain.Actor{}, tokenID(k), domain.TokenIssued{
		Generation: 1, Name: "sensor", Enabled: true, Kind: domain.KindAPI, Digest: secretOf(k).Digest(),
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{
			{Resource: domain.Pattern(deviceOf(k)), Actions: []domain.Action{"AccessDeviceResources"}},
		}},
	})
	n := len(in.nodes)
	at, errs := make([]time.Time, 2*n), make([]error, 2*n)
	var waiting sync.WaitGroup
	for i, node := range in.nodes {
		pending := node.proj.Expect(e.ID)
		defer pending.Cancel()
		waiting.Go(func() {
			_, errs[i] = pending.Wait(ctx)
			at[i] = time.Now()
		})
		waiting.Go(func() {
			errs[n+i] = node.bare.Count(ctx, int(is.Records)+1)
			at[n+i] = time.Now()
		})
	}
	time.Sleep(caughtUp)
	began := time.Now()
	seq, err := in.nodes[k%n].bare.Publish(ctx, e)
	if err != nil {
		return err
	}
	waiting.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if seq != last+1 || slices.ContainsFunc(at, func(t time.Time) bool { return t.Before(began) }) {
		return nil
	}
	for i := range in.nodes {
		times[i].applied = append(times[i].applied, at[i].Sub(began).Seconds()*1e3)
		times[i].bare = append(times[i].bare, at[n+i].Sub(began).Seconds()*1e3)
	}
	return nil
}

// barriers counts what is written for so many followers of one server.
func (b *revokeBench) barriers(ctx context.Context, followers int) (barrierRate, error) {
	out := barrierRate{Followers: followers}
	dir, err := os.MkdirTemp(b.dir, "hallpass-bench-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is in a place for temporary files
	quiet := slog.New(slog.DiscardHandler)
	log, err := eventstore.OpenEmbedded(ctx, eventstore.EmbedConfig{Dir: dir, MaxBytes: 1 << 30, Logger: quiet})
	if err != nil {
		return out, err
	}
	defer log.Close() //nolint:errcheck // the directory is removed next
	var all []*projections.Projection
	defer func() {
		var closing sync.WaitGroup
		for _, p := range all {
			closing.Go(p.Close)
		}
		closing.Wait()
	}()
	for i := range followers + 1 {
		p := projections.Open(log, projections.Config{Logger: quiet, Node: projections.NodeConfig{FollowOnly: i > 0}})
		all = append(all, p)
		if i == 0 {
			if err := p.Ready(ctx); err != nil {
				return out, err
			}
		}
	}
	for _, p := range all {
		if err := p.Ready(ctx); err != nil {
			return out, err
		}
	}
	if err := rest(ctx, 3*time.Second); err != nil { // what joining still causes
		return out, err
	}
	before, err := log.Usage(ctx)
	if err != nil {
		return out, err
	}
	from, began := all[0].Position.At(), time.Now()
	if err := rest(ctx, b.idle); err != nil {
		return out, err
	}
	after, err := log.Usage(ctx)
	if err != nil {
		return out, err
	}
	n := float64(all[0].Position.At() - from)
	out.PerSecond, out.Bytes = n/time.Since(began).Seconds(), float64(after.Bytes-before.Bytes)/max(n, 1)
	for i, p := range all {
		if s := p.Status(); s.Lease.Left == 0 {
			return out, fmt.Errorf("follower %d of %d has no lease after %v", i, followers, b.idle)
		}
	}
	return out, nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
