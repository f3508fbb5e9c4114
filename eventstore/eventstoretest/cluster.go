package eventstoretest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"hallpass/eventstore"
)

// Cluster is a set of nodes, each with an embedded server of one cluster, in
// this process and on loopback. They end with the test.
type Cluster struct {
	t       testing.TB
	Configs []eventstore.EmbedConfig // of each node; may be changed before Start

	mu   sync.Mutex // guards what follows
	logs []*eventstore.JetStream
}

// NewCluster returns n nodes, n1 and so on, of which none is started. Their
// stream has min(n, 3) replicas and isn't synced.
func NewCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	c := &Cluster{t: t, logs: make([]*eventstore.JetStream, n)}
	var routes []string
	for _, port := range freePorts(t, n) {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	dir := t.TempDir()
	for i := range n {
		c.Configs = append(c.Configs, eventstore.EmbedConfig{
			Dir: fmt.Sprintf("%s/n%d", dir, i+1), NoSync: true, MaxBytes: 64 << 20,
			Cluster: &eventstore.ClusterConfig{
				Name: "test", Node: fmt.Sprint("n", i+1), Replicas: min(n, 3),
				Listen: routes[i][len("nats://"):], Routes: routes,
			},
		})
	}
	t.Cleanup(func() {
		for i := range n {
			c.Stop(i)
		}
	})
	return c
}

// Start starts the given nodes at once and waits until their logs are open.
func (c *Cluster) Start(nodes ...int) {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, i := range nodes {
		wg.Go(func() {
			if err := c.Open(Context(c.t), i); err != nil {
				c.t.Errorf("node %d: %v", i+1, err)
			}
		})
	}
	wg.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// Open starts one node and returns when its log is open, or with the error.
func (c *Cluster) Open(ctx context.Context, i int) error {
	log, err := eventstore.OpenEmbedded(ctx, c.Configs[i])
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs[i] = log
	return nil
}

// Stop closes a node's log and ends its server, without handing over.
func (c *Cluster) Stop(i int) {
	c.mu.Lock()
	log := c.logs[i]
	c.logs[i] = nil
	c.mu.Unlock()
	if log != nil {
		log.Close() //nolint:errcheck // it never fails
	}
}

// Log returns the log of a node that is started.
func (c *Cluster) Log(i int) *eventstore.JetStream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs[i]
}

// Leader returns the node that leads the stream, as node i knows; it waits for
// one.
func (c *Cluster) Leader(i int) int {
	c.t.Helper()
	leader := -1
	Eventually(c.t, "the stream has a leader", func() bool {
		peers, err := c.Log(i).Peers(Context(c.t))
		if err == nil && len(peers) > 0 && peers[0].Leader {
			for n, cfg := range c.Configs {
				if cfg.Cluster.Node == peers[0].Name {
					leader = n
				}
			}
		}
		return leader >= 0
	})
	return leader
}

// Lead has node i lead the stream: the leaders step down, each for one by lot,
// until it does.
func (c *Cluster) Lead(i int) {
	c.t.Helper()
	Eventually(c.t, "the node leads", func() bool {
		for n, cfg := range c.Configs {
			log := c.Log(n)
			if log == nil {
				continue
			}
			peers, err := log.Peers(Context(c.t))
			if err != nil || len(peers) == 0 || !peers[0].Leader {
				return false
			}
			if peers[0].Name == c.Configs[i].Cluster.Node {
				return true
			}
			if err := log.StepDown(Context(c.t)); err != nil {
				c.t.Logf("%s: %v", cfg.Cluster.Node, err)
			}
			return false
		}
		return false
	})
}
