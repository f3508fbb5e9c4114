package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hallpass/api/wire"
)

// token is one that the clients know.
type token struct {
	id, secret string
	unsure     atomic.Int32 // changes whose outcome nobody knows; such a token is only revoked
}

// pool is the tokens that the clients use: those that should work, those that
// a fault is about, which are checked most, and the last ones that were revoked.
type pool struct {
	round int

	mu    sync.Mutex // guards what follows
	named int
	live  []*token
	hot   []*token
	dead  []*token
}

const (
	liveTokens = 24
	deadTokens = 64
)

func (p *pool) name(stem string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.named++
	return fmt.Sprintf("%s-%d-%d", stem, p.round, p.named)
}

func (p *pool) add(t *token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = append(p.live, t)
}

func (p *pool) heat(ts []*token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hot = ts
}

// bury moves a token to the dead ones.
func (p *pool) bury(t *token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, is := range p.live {
		if is == t {
			p.live = append(p.live[:i:i], p.live[i+1:]...)
			break
		}
	}
	if len(p.dead) == deadTokens {
		p.dead = p.dead[1:]
	}
	p.dead = append(p.dead, t)
}

// toCheck is a token to be checked; nil: there is none.
func (p *pool) toCheck() *token {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.live
	switch k := rand.IntN(10); { //nolint:gosec // which token is checked when is not in the seed's hands
	case k < 5 && len(p.hot) > 0:
		from = p.hot
	case k == 9 && len(p.dead) > 0:
		from = p.dead
	}
	return anyOf(from)
}

// toChange is a token to be changed, unless another should be issued.
func (p *pool) toChange() *token {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.live) < liveTokens {
		return nil
	}
	return anyOf(p.live)
}

func anyOf[T any](of []T) (none T) {
	if len(of) == 0 {
		return none
	}
	return of[rand.IntN(len(of))] //nolint:gosec // as above
}

// load is the clients.
type load struct {
	cluster *Cluster
	rec     *Recorder
	tally   *tally
	pool    pool
	lease   time.Duration  // the longest of any node
	asked   sync.WaitGroup // checks that nobody waits for

	mu    sync.Mutex // guards deeds
	deeds []deed
}

// checkTime is how long a client waits for a check: longer than a process is
// usually stopped, so that checks are in flight meanwhile.
func (l *load) checkTime() time.Duration { return 4 * l.lease }

func (l *load) changeTime() time.Duration { return 3*l.lease + 3*time.Second }

// changers is how many clients change things.
const changers = 4

// run runs the clients until enough is closed and what they asked for last is
// answered: two that check at each node, and some that change things anywhere.
func (l *load) run(ctx context.Context, enough <-chan struct{}) {
	defer l.asked.Wait()
	var clients sync.WaitGroup
	defer clients.Wait()
	on := func() bool {
		select {
		case <-enough:
			return false
		default:
			return ctx.Err() == nil
		}
	}
	for _, n := range l.cluster.Nodes {
		for range 2 {
			clients.Go(func() {
				for on() {
					l.checkSome(ctx, n)
				}
			})
		}
	}
	for range changers {
		clients.Go(func() {
			for on() {
				l.changeSome(ctx)
				pause(ctx, 20*time.Millisecond)
			}
		})
	}
}

func (l *load) checkSome(ctx context.Context, n *Node) {
	p, t := n.Now(), l.pool.toCheck()
	if p == nil || t == nil || !l.check(ctx, p, t) {
		pause(ctx, 10*time.Millisecond)
	}
	pause(ctx, 2*time.Millisecond)
}

// check makes one check and records it; false if it was no observation.
func (l *load) check(ctx context.Context, p *Process, t *token) bool {
	ctx, cancel := context.WithTimeout(ctx, l.checkTime())
	defer cancel()
	o := Op{Token: t.id, Kind: Check, At: p.Life, Grant: anyOf(parts), Call: l.rec.Now()}
	shown := rand.IntN(4) == 0 //nolint:gosec // as above
	a := l.cluster.Client.check(ctx, p, t.secret, t.id, o.Grant, shown)
	o.Return = l.rec.Now()
	if a.Status != http.StatusOK {
		l.tally.unanswered(p.Node, &a)
		return false
	}
	o.Allowed, o.Code, o.Revision = a.Decision.Allowed, a.Decision.Code, a.Decision.Revision
	l.rec.Add(o)
	l.tally.answered(p.Node, o.Allowed)
	return true
}

// parts are what a token may be good for.
var parts = []string{"a", "b"}

func (l *load) changeSome(ctx context.Context) {
	p := anyOf(l.cluster.Nodes).Now()
	if p == nil {
		return
	}
	t := l.pool.toChange()
	if t == nil {
		if t = l.issue(ctx, p, l.pool.name("t"), rand.IntN(2) == 0); t != nil { //nolint:gosec // as above
			l.pool.add(t)
		}
		return
	}
	all := rand.IntN(2) == 0     //nolint:gosec // as above
	switch k := rand.IntN(10); { //nolint:gosec // as above
	case k < 3 || t.unsure.Load() > 0:
		l.pool.bury(t)
		if l.revoke(ctx, p, t) {
			l.checkSoon(ctx, t)
		}
	case k < 5:
		if l.change(ctx, p, t, Op{Kind: Disable}, true) {
			l.checkSoon(ctx, t)
		}
		l.change(ctx, p, t, Op{Kind: Enable}, all)
	case k < 6:
		l.change(ctx, p, t, Op{Kind: Enable}, all)
	default:
		l.change(ctx, p, t, Op{Kind: Edit, Grant: anyOf(parts)}, all)
	}
}

// issue makes a token; nil if it can't be known that it was made.
func (l *load) issue(ctx context.Context, p *Process, id string, all bool) *token {
	ctx, cancel := context.WithTimeout(ctx, l.changeTime())
	defer cancel()
	t := &token{id: id}
	body := wire.IssueToken{ID: id, Permissions: permissions(id, parts[0], false)}
	a := l.made(p, Op{Token: id, Kind: Issue, Grant: parts[0]}, all, func() Answer {
		return l.cluster.Client.change(ctx, l.cluster.Client.root, http.MethodPost, tokensURL(p), body, all)
	})
	t.secret = a.Token.Secret
	if a.Outcome() != Done {
		return nil
	}
	return t
}

func (l *load) revoke(ctx context.Context, p *Process, t *token) bool {
	return l.change(ctx, p, t, Op{Kind: Revoke}, true)
}

// change makes the change that o describes; it tells whether no node can be
// without it now.
func (l *load) change(ctx context.Context, p *Process, t *token, o Op, all bool) bool {
	ctx, cancel := context.WithTimeout(ctx, l.changeTime())
	defer cancel()
	method, tail := http.MethodPost, ""
	var body any
	switch o.Kind {
	case Edit:
		method, body = http.MethodPatch, wire.EditToken{Permissions: permissions(t.id, o.Grant, false)}
	case Disable:
		tail = "/disable"
	case Enable:
		tail = "/enable"
	case Revoke:
		method = http.MethodDelete
	case Check, Issue, Deed:
	}
	o.Token = t.id
	a := l.made(p, o, all, func() Answer {
		return l.cluster.Client.change(ctx, l.cluster.Client.root, method, tokenURL(p, t.id, tail), body, all)
	})
	if a.Outcome() == Unknown {
		t.unsure.Add(1)
	}
	return a.Outcome() == Done && a.Receipt != nil
}

// made records a change with what came of it.
func (l *load) made(p *Process, o Op, all bool, change func() Answer) Answer {
	o.At, o.Call = p.Life, l.rec.Now()
	a := change()
	o.Return, o.Outcome, o.Revision = l.rec.Now(), a.Outcome(), a.Token.Revision
	if o.Outcome != Done {
		o.Code = a.String()
	}
	if a.Receipt != nil {
		o.Fenced, o.RanOut = true, a.Receipt.RanOut()
	}
	l.tally.changed(&o, all)
	l.rec.Add(o)
	return a
}

// checkSoon checks the token on every node at once, and does not wait for the
// answers. No node has to answer, but none may answer wrongly.
func (l *load) checkSoon(ctx context.Context, t *token) {
	for _, n := range l.cluster.Nodes {
		if p := n.Now(); p != nil {
			l.asked.Go(func() { l.check(ctx, p, t) })
		}
	}
}

// checkAll checks the tokens on every node and waits for the answers.
func (l *load) checkAll(ctx context.Context, ts []*token) {
	var asked sync.WaitGroup
	for _, n := range l.cluster.Nodes {
		if p := n.Now(); p != nil {
			asked.Go(func() {
				for _, t := range ts {
					l.check(ctx, p, t)
				}
			})
		}
	}
	asked.Wait()
}

func tokensURL(p *Process) string { return p.URL + "/v1/accounts/" + account + "/tokens" }

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
