package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hallpass/api/wire"
)

// Config is one run.
type Config struct {
	Binary   string        // hallpass
	For      time.Duration // how long things go wrong; every fault comes once at least
	Seed     uint64
	Nodes    int           // that keep the stream: 3 or 5
	Lease    time.Duration // of most nodes; the last that keeps the stream has 1.5 of it, the follower 2
	Alone    bool          // no node that only follows
	Only     []Fault       // these alone; nil: all
	Sabotage string        // the safeguard that the processes do without; they must be built for that
	Dir      string        // where to make the directory; "": the system's for temporary files
	Out      io.Writer     // progress, a line a fault
}

// settleTime is how long the nodes may take to be well again after a fault.
const settleTime = 90 * time.Second

// run is a run under way.
type run struct {
	cfg     Config
	cluster *Cluster
	rec     *Recorder
	load    *load
	tally   *tally
	report  *Report
	rounds  int

	mu      sync.Mutex // guards windows
	windows []window
}

// window is a time in which a process may allow nothing.
type window struct {
	life     string
	from, to int64
	why      string
}

// Run runs it. The error is for what kept it from being judged, ctx's
// included; what was judged is in the report. The directory is removed when
// nothing is wrong, and when ctx ended before anything was.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "hallpass-chaos-")
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, tally: newTally(), report: &Report{Seed: cfg.Seed, Dir: dir}}
	r.say("seed %d, data and logs in %s", cfg.Seed, dir)
	err = errors.Join(r.whole(ctx, dir), r.readLogs(dir))
	r.report.fill(r)
	stopped := ctx.Err() != nil && len(r.report.Violations) == 0
	if err == nil && r.report.OK() || stopped {
		r.report.Dir = ""
		return r.report, errors.Join(err, os.RemoveAll(dir))
	}
	return r.report, err
}

func (r *run) whole(ctx context.Context, dir string) error {
	c := ClusterConfig{Binary: r.cfg.Binary, Dir: dir, MaxLease: 2 * r.cfg.Lease}
	for i := range r.cfg.Nodes {
		lease := r.cfg.Lease
		if i == r.cfg.Nodes-1 {
			lease += lease / 2
		}
		c.Leases = append(c.Leases, lease)
	}
	longest := c.Leases[len(c.Leases)-1]
	if !r.cfg.Alone {
		c.Follower = 2 * r.cfg.Lease
		longest = c.Follower
	}
	if r.cfg.Sabotage != "" {
		c.Env = append(c.Env, "HALLPASS_SABOTAGE="+r.cfg.Sabotage)
	}
	starting, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	var err error
	if r.cluster, err = Open(starting, c); err != nil {
		return err
	}
	defer r.cluster.Close()
	r.say("%d processes are ready", len(r.cluster.Nodes))
	schedule := NewSchedule(r.cfg.Seed, r.cfg.Nodes, !r.cfg.Alone, r.cfg.Only)
	began := time.Now()
	defer func() { r.report.Seconds = time.Since(began).Seconds() }()
	for first := true; ctx.Err() == nil && r.report.OK() && (first || time.Since(began) < r.cfg.For); first = false {
		over := func() bool { return !first && time.Since(began) >= r.cfg.For }
		if err := r.round(ctx, schedule, longest, over); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// round lets every fault come once, then judges what was seen meanwhile.
func (r *run) round(ctx context.Context, schedule *Schedule, longest time.Duration, over func() bool) error {
	r.rec, r.windows = NewRecorder(), nil
	r.rounds++
	r.load = &load{cluster: r.cluster, rec: r.rec, tally: r.tally, lease: longest, pool: pool{round: r.rounds}}
	enough := make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() { r.load.run(ctx, enough) })
	var err error
	for range schedule.Round() {
		if err = r.step(ctx, schedule.Next()); err != nil || over() || ctx.Err() != nil {
			break
		}
	}
	close(enough)
	clients.Wait()
	if err == nil && ctx.Err() == nil {
		r.load.checkAll(ctx, r.load.pool.dead)
	}
	return errors.Join(err, r.judge(ctx))
}

// step is one fault, from probes to all nodes being well again.
func (r *run) step(ctx context.Context, s Step) error {
	if ctx.Err() != nil {
		return nil
	}
	probes, err := r.probes(ctx, "p", probesEach)
	if err != nil {
		return fmt.Errorf("before step %v: %w", s, err)
	}
	r.load.pool.heat(probes)
	pause(ctx, r.cfg.Lease/10) // so that they are being checked
	began := time.Now()
	err = stories[s.Fault](r, ctx, s, probes)
	err = errors.Join(err, r.cluster.Heal())
	took := time.Since(began)
	if err == nil {
		err = r.settle(ctx)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("step %v: %w", s, err)
	}
	r.load.checkAll(ctx, probes)
	r.tally.fault(s.Fault)
	r.say("%v: %.1f s, well again after %.1f s", s, took.Seconds(), (time.Since(began) - took).Seconds())
	return nil
}

// probes issues tokens that every node knows.
func (r *run) probes(ctx context.Context, stem string, n int) ([]*token, error) {
	var probes []*token
	for until := time.Now().Add(settleTime); len(probes) < n; {
		if time.Now().After(until) || ctx.Err() != nil {
			return nil, errors.New("no tokens could be issued")
		}
		p := anyOf(r.cluster.Nodes).Now()
		if t := r.load.issue(ctx, p, r.load.pool.name(stem), true); t != nil {
			probes = append(probes, t)
		}
	}
	return probes, nil
}

// settle waits until every node answers checks again, and every copy of the
// stream is kept up to date. A node whose server's store has failed for good is
// started again, as an operator would.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	why := ""
	for ctx.Err() == nil {
		for _, n := range r.cluster.Nodes {
			p := n.Now()
			if p == nil {
				return fmt.Errorf("%s was not started again", n.Name)
			}
			if !p.Alive() {
				return fmt.Errorf("%s ended by itself: %s", p.Life, lastLine(p.log))
			}
			if line := p.storeFailed(); line != "" {
				r.report.Troubles = append(r.report.Troubles, p.Life+": "+line)
				r.cluster.Kill(n)
				if err := r.start(ctx, n); err != nil {
					return err
				}
			}
		}
		if why = r.unwell(ctx); why == "" {
			return nil
		}
		pause(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("not well %v after the fault: %s", settleTime, why)
}

// unwell is what is wrong with the nodes; "" if nothing is.
func (r *run) unwell(ctx context.Context) string {
	for _, n := range r.cluster.Nodes {
		one, stop := context.WithTimeout(ctx, time.Second)
		why := r.cluster.Client.ready(one, n.Now())
		stop()
		if why != "" {
			return n.Name + " is not ready: " + why
		}
	}
	if r.cluster.admin == nil {
		return ""
	}
	peers, err := r.cluster.peers(ctx)
	if err != nil {
		return "the stream can't be asked: " + err.Error()
	}
	if len(peers) != len(r.cluster.Keepers()) || !peers[0].Leader {
		return "the stream has no leader"
	}
	for _, p := range peers {
		if !p.Current || p.Offline {
			return "the copy of the stream at " + p.Name + " is not kept up to date"
		}
	}
	return ""
}

// revokeSoon revokes the tokens at a node, and where that isn't fenced, at the
// others, until it is; then each is checked everywhere. The returned function
// waits for it.
func (r *run) revokeSoon(ctx context.Context, first int, ts []*token) func() error {
	within, cancel := context.WithTimeout(ctx, fenceTime)
	errs := make([]error, len(ts))
	var revoked sync.WaitGroup
	for i, t := range ts {
		revoked.Go(func() {
			for at := first; ; at = (at + 1) % len(r.cluster.Keepers()) {
				p := r.cluster.Nodes[at].Now()
				if p != nil && r.load.revoke(within, p, t) {
					r.load.checkSoon(ctx, t)
					return
				}
				if pause(within, 20*time.Millisecond); within.Err() != nil {
					errs[i] = fmt.Errorf("a revoke of token %s was not fenced within %v", t.id, fenceTime)
					return
				}
			}
		})
	}
	return func() error {
		defer cancel()
		revoked.Wait()
		return errors.Join(errs...)
	}
}

// queue sends checks of each of the tokens to the process. The returned function waits for the answers; its error is always nil.
func (r *run) queue(ctx context.Context, p *Process, ts []*token) func() error {
	var asked sync.WaitGroup
	for _, t := range ts {
		asked.Go(func() { r.load.check(ctx, p, t) })
	}
	pause(ctx, 5*time.Millisecond) // by then most of them are sent
	return func() error {
		asked.Wait()
		return nil
	}
}

// mustRefuse says that from now on the nodes can't get proof of being current:
// once their leases are over, with a tenth of them to spare, they may allow
// nothing, until the returned function is called.
func (r *run) mustRefuse(nodes ...*Node) (healed func()) {
	now := r.rec.Now()
	var open []window
	for _, n := range nodes {
		open = append(open, window{
			life: n.Now().Life, from: now + int64(leases(1.1, n.Lease)),
			why: fmt.Sprintf("its lease of %v was over, and nothing could renew it", n.Lease),
		})
	}
	return func() {
		now := r.rec.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, w := range open {
			w.to = now
			r.windows = append(r.windows, w)
		}
	}
}

// manager issues a token that may issue others.
func (r *run) manager(ctx context.Context, at int) (*token, error) {
	id := r.load.pool.name("m")
	body := wire.IssueToken{ID: id, Permissions: permissions(id, "", true)}
	p := r.cluster.Nodes[at].Now()
	a := r.load.made(p, Op{Token: id, Kind: Issue, Grant: everything}, true, func() Answer {
		return r.cluster.Client.change(ctx, r.cluster.Client.root, http.MethodPost, tokensURL(p), body, true)
	})
	if a.Outcome() != Done {
		return nil, fmt.Errorf("a manager was not issued: %s", a.String())
	}
	return &token{id: id, secret: a.Token.Secret}, nil
}

// readLogs finds what no process may ever say, whatever goes wrong around it.
func (r *run) readLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*", "log"))
	if err != nil {
		return err
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, bad := range []string{"WARNING: DATA RACE", "panic:", "fatal error:", "goroutine 1 ["} {
			if bytes.Contains(data, []byte(bad)) {
				r.report.Violations = append(r.report.Violations, Violation{What: fmt.Sprintf("%s holds %q", path, bad)})
			}
		}
	}
	return nil
}

func (r *run) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.cfg.Out, format+"\n", args...) // progress for people
}
