package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// ClusterConfig is what real processes to start.
type ClusterConfig struct {
	Binary   string          // hallpass; started with "serve" and flags
	Dir      string          // holds data and logs, a folder a node
	Leases   []time.Duration // of each node that keeps the stream: as many nodes
	MaxLease time.Duration   // that the stream permits
	Follower time.Duration   // the lease of one more node, which only follows through the last one; 0: none
	Env      []string        // for every process, on top of this one's
	Direct   bool            // no proxies: the routes lead straight to the nodes
}

// inside is where nodes listen for each other. The proxies listen on, and dial
// from, 127.0.0.1, so that what nodes tell each other of their addresses leads
// nowhere: every route goes through its proxy.
const inside = "127.0.0.2"

// Cluster is real processes with links between them.
type Cluster struct {
	Nodes  []*Node // the last one is the follower, if there is one
	Client *Client

	cfg    ClusterConfig
	start  *starter
	secret string
	links  map[[2]int]*Link // by the numbers of the two nodes, the smaller first
	stem   *Link            // between the follower and its server; nil: there is none
	admin  *eventstore.JetStream

	mu    sync.Mutex // guards what follows
	began []*Process // every process there was
}

// Node is one node, through all its lives.
type Node struct {
	Name  string
	Lease time.Duration

	args []string
	env  []string
	dir  string

	mu    sync.Mutex // guards what follows
	now   *Process   // nil: none runs
	lives int
}

// Now is the process that runs as this node; nil when there is none.
func (n *Node) Now() *Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// Dir holds the node's data and log.
func (n *Node) Dir() string { return n.dir }

func (n *Node) set(p *Process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = p
}

func (n *Node) life() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lives++
	return fmt.Sprintf("%s#%d", n.Name, n.lives)
}

// Open starts all nodes, and returns when all of them are ready. An error
// leaves nothing running.
func Open(ctx context.Context, cfg ClusterConfig) (*Cluster, error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	c := &Cluster{
		cfg: cfg, start: newStarter(), secret: rand.Text(), links: map[[2]int]*Link{},
		Client: newClient(domain.NewSecret(raw).Reveal()),
	}
	if err := c.open(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) open(ctx context.Context) error {
	if err := c.layOut(); err != nil {
		return err
	}
	keepers := c.Keepers()
	errs := make([]error, len(keepers))
	var starting sync.WaitGroup
	for i, n := range keepers {
		starting.Go(func() { errs[i] = c.Start(ctx, n) })
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if c.cfg.Follower > 0 {
		if err := c.Start(ctx, c.follower()); err != nil {
			return err
		}
	}
	if len(keepers) == 1 {
		return nil
	}
	var at []string
	for i := range keepers {
		at = append(at, c.natsURL(c.natsAddress(i)))
	}
	var err error
	c.admin, err = eventstore.OpenExternal(ctx, eventstore.ExternalConfig{
		URL: strings.Join(at, ","), Replicas: len(keepers), Logger: slog.New(slog.DiscardHandler),
	})
	return err
}

// Keepers are the nodes that keep the stream.
func (c *Cluster) Keepers() []*Node { return c.Nodes[:len(c.cfg.Leases)] }

// follower is the node that only follows; nil when there is none.
func (c *Cluster) follower() *Node {
	if c.cfg.Follower == 0 {
		return nil
	}
	return c.Nodes[len(c.Nodes)-1]
}

// layOut decides on ports, opens the links and makes each node's command line.
func (c *Cluster) layOut() error {
	n := len(c.cfg.Leases)
	ports, err := freePorts(2 * n)
	if err != nil {
		return err
	}
	for i := range n {
		c.Nodes = append(c.Nodes, c.newNode(i, c.cfg.Leases[i]))
	}
	for i, node := range c.Keepers() {
		if n == 1 {
			node.args = append(node.args, "--max-lease", c.cfg.MaxLease.String())
			continue
		}
		var routes []string
		for j := range n {
			if i == j {
				continue
			}
			at, err := c.route(i, j, ports[j])
			if err != nil {
				return err
			}
			routes = append(routes, "nats://"+at)
		}
		node.args = append(node.args, "--cluster", "chaos", "--cluster-listen", ports[i], "--replicas", fmt.Sprint(n),
			"--routes", strings.Join(routes, ","), "--nats-listen", ports[n+i], "--max-lease", c.cfg.MaxLease.String())
	}
	if c.cfg.Follower == 0 {
		return nil
	}
	f := c.newNode(n, c.cfg.Follower)
	c.stem = NewLink()
	door, err := c.stem.Door(ports[2*n-1], There)
	if err != nil {
		return err
	}
	f.env = append(f.env, "HALLPASS_NATS_URL="+c.natsURL(door))
	c.Nodes = append(c.Nodes, f)
	return nil
}

func (c *Cluster) newNode(i int, lease time.Duration) *Node {
	name := fmt.Sprint("n", i+1)
	return &Node{
		Name: name, Lease: lease, dir: filepath.Join(c.cfg.Dir, name),
		args: []string{"serve", "--listen", "127.0.0.1:0", "--node", name, "--lease", lease.String(), "--max-bytes", "256MiB"},
	}
}

// route returns where node i finds node j, which listens at target.
func (c *Cluster) route(i, j int, target string) (string, error) {
	if c.cfg.Direct {
		return target, nil
	}
	direction := There
	if i > j {
		direction = Back
	}
	return c.link(i, j).Door(target, direction)
}

func (c *Cluster) link(i, j int) *Link {
	key := [2]int{min(i, j), max(i, j)}
	if c.links[key] == nil {
		c.links[key] = NewLink()
	}
	return c.links[key]
}

func (c *Cluster) natsAddress(i int) string {
	args := c.Nodes[i].args
	return args[slices.Index(args, "--nats-listen")+1]
}

func (c *Cluster) natsURL(at string) string {
	return (&url.URL{Scheme: "nats", Host: at, User: url.UserPassword("hallpass", c.secret)}).String()
}

// Start starts the node anew over its data, and waits until it is ready.
func (c *Cluster) Start(ctx context.Context, n *Node) error {
	p, err := c.another(ctx, n, n.dir)
	if err == nil {
		n.set(p)
	}
	return err
}

// TwinOfFollower starts a second process under the follower's name, over data
// of its own and past the stem. It is for the caller to end.
func (c *Cluster) TwinOfFollower(ctx context.Context) (*Process, error) {
	n := c.follower()
	n.mu.Lock()
	dir := fmt.Sprintf("%s-%d", n.dir, n.lives+1)
	n.mu.Unlock()
	return c.another(ctx, n, dir, "HALLPASS_NATS_URL="+c.natsURL(c.natsAddress(len(c.cfg.Leases)-1)))
}

func (c *Cluster) another(ctx context.Context, n *Node, dir string, env ...string) (*Process, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command(c.cfg.Binary, append(slices.Clone(n.args), "--data", filepath.Join(dir, "data"))...)
	cmd.Env = slices.Concat(clean(os.Environ()), c.cfg.Env, n.env,
		c.secrets(n), env)
	p, err := c.start.run(ctx, n.Name, n.life(), filepath.Join(dir, "log"), cmd)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = append(c.began, p)
	return p, nil
}

// secrets are what the node takes from the environment.
func (c *Cluster) secrets(n *Node) []string {
	s := []string{"HALLPASS_ROOT_TOKEN=" + c.Client.root}
	if slices.Contains(n.args, "--cluster") {
		s = append(s, "HALLPASS_CLUSTER_SECRET="+c.secret, "HALLPASS_NATS_PASSWORD="+c.secret)
	}
	return s
}

// clean is the environment without what would set flags.
func clean(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, "HALLPASS_") })
}

// Kill ends the node's process at once.
func (c *Cluster) Kill(n *Node) {
	if p := n.Now(); p != nil {
		n.set(nil)
		p.Kill()
	}
}

// Leader returns the node that leads the stream; it waits for one.
func (c *Cluster) Leader(ctx context.Context) (*Node, error) {
	if c.admin == nil {
		return c.Nodes[0], nil
	}
	for {
		peers, err := c.peers(ctx)
		if err == nil && len(peers) > 0 && peers[0].Leader {
			for _, n := range c.Nodes {
				if n.Name == peers[0].Name {
					return n, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("looking for the stream's leader: %w", errors.Join(context.Cause(ctx), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *Cluster) peers(ctx context.Context) ([]eventstore.Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return c.admin.Peers(ctx)
}

// Spoil does f to each link between node n and another that keeps the stream;
// in is the direction towards n.
func (c *Cluster) Spoil(n *Node, f func(l *Link, in, out Direction)) {
	i := slices.Index(c.Nodes, n)
	for key, l := range c.links {
		switch i {
		case key[0]:
			f(l, Back, There)
		case key[1]:
			f(l, There, Back)
		}
	}
}

// Stem is the link of the follower; nil when there is none.
func (c *Cluster) Stem() *Link { return c.stem }

// Heal ends every fault of links, and continues every process.
func (c *Cluster) Heal() error {
	for _, l := range c.links {
		l.Heal()
	}
	if c.stem != nil {
		c.stem.Heal()
	}
	var errs []error
	for _, n := range c.Nodes {
		if p := n.Now(); p != nil {
			errs = append(errs, p.Continue())
		}
	}
	return errors.Join(errs...)
}

// Close ends everything that was started. What it wrote stays.
func (c *Cluster) Close() {
	if c.admin != nil {
		_ = c.admin.Close() // nothing was written
	}
	c.mu.Lock()
	began := slices.Clone(c.began)
	c.mu.Unlock()
	for _, p := range began {
		p.Kill()
	}
	for _, l := range c.links {
		l.Close()
	}
	if c.stem != nil {
		c.stem.Close()
	}
	c.start.close()
	c.Client.http.CloseIdleConnections()
}

// freePorts finds host:ports that nobody listens at just now.
func freePorts(n int) ([]string, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close() // it was never used
		}
	}()
	var out []string
	for range n {
		l, err := net.Listen("tcp", inside+":0")
		if err != nil {
			return nil, fmt.Errorf("the nodes' own address %s can't be used: %w", inside, err)
		}
		held = append(held, l)
		out = append(out, l.Addr().String())
	}
	return out, nil
}
