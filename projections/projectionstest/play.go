package projectionstest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// Play is several nodes over one log on the fake time of a synctest bubble, in
// which it must be made and used. It watches over the promise: whatever is
// done, Violations are the checks that were allowed though they began after a
// fence had returned, the commands that took effect likewise, and the receipts
// that can't be verified.
type Play struct {
	Log *eventstore.Memory

	t       testing.TB
	ctx     context.Context
	began   time.Time
	account domain.AccountID
	lead    lead

	mu         sync.Mutex // guards what follows
	nodes      map[string]*Process
	lives      []*Process // all there were
	labels     map[domain.Incarnation]string
	tokens     map[domain.TokenID]*played
	facts      uint64
	violations []string
	count      Count
	works      sync.WaitGroup
}

// played is a token of a play.
type played struct {
	id     domain.TokenID
	secret int
	on     domain.Pattern
	seq    eventstore.Seq // of its newest record, if the play knows it
	fenced bool           // its revoke was fenced
	void   bool           // its issuer's revoke had been fenced when it was issued
}

// Result is what one step of a play came to.
type Result struct {
	Words string // what a script compares
	Took  time.Duration
}

// Fencing is how long the service gives a fence, in plays.
const Fencing = 60 * time.Second

// NewPlay starts a play. It ends with the test.
func NewPlay(t testing.TB, cfg eventstore.MemoryConfig) *Play {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Play{
		Log: eventstore.NewMemory(cfg), t: t, ctx: ctx, began: time.Now(), account: "acme",
		nodes: map[string]*Process{}, labels: map[domain.Incarnation]string{}, tokens: map[domain.TokenID]*played{},
	}
	p.file(p.fact("", domain.AccountOpened{Name: "Acme"}))
	t.Cleanup(func() { p.end(cancel) })
	return p
}

func (p *Play) end(cancel context.CancelFunc) {
	cancel()
	for _, n := range p.lives {
		n.Link.Die()
		n.mu.Lock()
		n.hold = nil
		n.mu.Unlock()
		n.Close()
	}
	p.works.Wait()
	_ = p.Log.Close()
}

// Violations are how the promise was broken.
func (p *Play) Violations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.violations)
}

// Count is what was shown so far.
func (p *Play) Count() Count {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *Play) tally(f func(*Count)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.count)
}

func (p *Play) violated(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.violations = append(p.violations, fmt.Sprintf("at %v: ", time.Since(p.began))+fmt.Sprintf(format, args...))
}

// Start starts a process under the label, with a new incarnation and key, once
// its link is prepared.
func (p *Play) Start(label string, cfg projections.NodeConfig, clock *Clock, head *HeadInMemory, prepare func(*Link)) *Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.lives) + 1
	cfg.Key = keyOf(n)
	cfg.Incarnation = domain.Incarnation{byte(n), byte(n >> 8), 15: 1}
	node := open(label, p.Log, clock, cfg, head, func(l *Link) {
		l.lead = &p.lead
		prepare(l)
	})
	p.nodes[label] = node
	p.lives = append(p.lives, node)
	p.labels[cfg.Incarnation] = label
	return node
}

// Node returns the process that has the label now.
func (p *Play) Node(label string) *Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[label]
	if n == nil {
		panic("there is no node " + label)
	}
	return n
}

func (p *Play) token(id string) *played {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tokens[domain.TokenID(id)]
	if t == nil {
		panic("there is no token " + id)
	}
	return t
}

// key is what the play knows of an incarnation's key, apart from the stream.
func (p *Play) key(i domain.Incarnation) (ed25519.PublicKey, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.lives {
		if n.cfg.Incarnation == i {
			return n.cfg.Key.Public().(ed25519.PublicKey), true
		}
	}
	return nil, false
}

func (p *Play) fact(token domain.TokenID, e domain.Event) *domain.Fact {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.facts++
	now := domain.InstantOf(time.Now())
	return &domain.Fact{
		ID: domain.NewEventID(now, [10]byte{byte(p.facts), byte(p.facts >> 8), 7}), Time: now, Account: p.account, Token: token, Event: e,
	}
}

// file appends a fact of the operator's beside all nodes.
func (p *Play) file(f *domain.Fact) eventstore.Seq {
	subject := eventstore.SubjectOf(f)
	var last eventstore.Seq
	records, err := p.Log.History(p.ctx, subject, 0, 1<<20)
	if len(records) > 0 {
		last = records[len(records)-1].Seq
	}
	if err == nil {
		f.Authorised, err = p.Log.Last(p.ctx)
	}
	if err == nil {
		last, err = p.Log.Append(p.ctx, eventstore.Entry{Subject: subject, Expect: last, ID: f.ID, Type: f.Event.Type(), Data: domain.Encode(f)})
	}
	if err != nil {
		p.t.Errorf("filing %s: %v", f.Event.Type(), err)
	}
	return last
}

// Issue issues a token for a resource and all below it.
func (p *Play) Issue(id string, on domain.Pattern) {
	t, e := p.enter(id, on)
	t.seq = p.file(p.fact(t.id, e))
}

func (p *Play) enter(id string, on domain.Pattern) (*played, domain.TokenIssued) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &played{id: domain.TokenID(id), secret: len(p.tokens) + 1, on: on}
	p.tokens[t.id] = t
	return t, domain.TokenIssued{
		Generation: 1, Enabled: true, Kind: domain.KindAPI, Digest: Secret(t.secret).Digest(),
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: on, Actions: []domain.Action{"Use"}}}},
	}
}

// Commit files the token's revoke beside all nodes, and fences nothing.
func (p *Play) Commit(id string) {
	t := p.token(id)
	seq := p.file(p.fact(t.id, domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}}))
	p.mu.Lock()
	defer p.mu.Unlock()
	t.seq = seq
}

// Check asks a node whether the token's bearer may do something. It waits as
// long as the node's process is stopped.
func (p *Play) Check(label, id string) Result {
	n, t := p.Node(label), p.token(id)
	p.mu.Lock()
	fenced, void := t.fenced, t.void
	p.mu.Unlock()
	began := time.Now()
	if n.Link.Pass() != nil {
		return Result{Words: "dead"}
	}
	resource := domain.Resource(strings.TrimSuffix(string(t.on), "/") + "/x")
	a, err := n.Index.Check(Secret(t.secret), domain.Need{Resource: resource, Action: "Use", Level: domain.LevelRead})
	r := Result{Words: string(a.Verdict), Took: time.Since(began)}
	switch {
	case err != nil:
		r.Words = string(domain.CodeOf(err))
	case a.Stale > 0:
		r.Words += " stale_by_" + a.Stale.String()
	}
	p.tally(func(c *Count) {
		switch {
		case err != nil:
			c.Stale++
		case a.Allowed():
			c.Allowed++
		default:
			c.Refused++
		}
	})
	if err == nil && a.Allowed() {
		if fenced {
			p.violated("node %s allowed %s, the revoke of which was fenced before it was asked", label, id)
		}
		if void {
			p.violated("node %s allowed %s, which was issued by a token the revoke of which was fenced before", label, id)
		}
	}
	return r
}

// Revoke revokes a token by way of a node, and waits for all.
func (p *Play) Revoke(label, id string) (Result, *projections.Receipt) {
	ctx, cancel := context.WithTimeout(p.ctx, Fencing)
	defer cancel()
	n, t, began := p.Node(label), p.token(id), time.Now()
	f := p.fact(t.id, domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}})
	if _, known := n.Directory.Token(f.Account, f.Token); !known {
		return Result{Words: "unknown"}, nil
	}
	out, err := n.change(ctx, f, func(t *domain.Token) bool { return t.Revoked })
	if err != nil {
		return Result{Words: "unknown", Took: time.Since(began)}, nil
	}
	r, receipt := p.fence(ctx, n, t, out.Seq)
	r.Took = time.Since(began)
	return r, receipt
}

// Fence waits for all, by way of a node, at the token's newest record.
func (p *Play) Fence(label, id string) (Result, *projections.Receipt) {
	ctx, cancel := context.WithTimeout(p.ctx, Fencing)
	defer cancel()
	n, t, began := p.Node(label), p.token(id), time.Now()
	r, receipt := p.fence(ctx, n, t, t.seq)
	r.Took = time.Since(began)
	return r, receipt
}

func (p *Play) fence(ctx context.Context, n *Process, t *played, at eventstore.Seq) (Result, *projections.Receipt) {
	_ = n.Link.Pass()
	stops := n.Link.Stops()
	receipt, err := n.Fence(ctx, at)
	if died := n.Link.Pass(); died != nil { // the answer of a process that is stopped comes when it goes on
		return Result{Words: "dead"}, nil
	}
	if err != nil {
		p.tally(func(c *Count) { c.NotFence++ })
		if names := waitingFor(err); names != "" && names != "-" && stops == n.Link.Stops() {
			p.violated("a fence of %s via %s waits for %s", t.id, n.label, names)
		}
		return Result{Words: string(domain.CodeOf(err)) + " " + waitingFor(err)}, nil
	}
	p.mu.Lock()
	t.fenced = true
	p.mu.Unlock()
	words, waited := []string{"fenced"}, false
	for _, a := range receipt.Nodes {
		waited = waited || a.How == projections.RanOut
		p.mu.Lock()
		label := p.labels[a.Incarnation]
		p.mu.Unlock()
		words = append(words, label+"="+a.How.String())
	}
	p.tally(func(c *Count) {
		if waited {
			c.RanOut++
		} else {
			c.Acknowledged++
		}
	})
	if longest := p.Log.Settings().MaxLease; receipt.Took > longest+longest/10 && stops == n.Link.Stops() {
		p.violated("a fence of %s via %s took %v", t.id, n.label, receipt.Took)
	}
	if verified, err := projections.VerifyReceipt(receipt.Note, p.key); err != nil || verified.Revision != at {
		p.violated("the receipt of %s: %v", t.id, err)
	}
	return Result{Words: strings.Join(words, " ")}, receipt
}

// waitingFor is whom an error names, as words.
func waitingFor(err error) string {
	_, names, ok := strings.Cut(err.Error(), "waiting for: ")
	if !ok {
		return ""
	}
	names, _, _ = strings.Cut(names, ")")
	return strings.ReplaceAll(names, ",", "")
}

// Expire takes barriers that are older than d from the log.
func (p *Play) Expire(d time.Duration) (gone int) {
	r, err := p.Log.Read(p.ctx, 1)
	if err != nil {
		return 0
	}
	defer r.Close()
	last, _ := p.Log.Last(p.ctx)
	buf := make([]eventstore.Record, 256)
	for at := eventstore.Seq(0); at < last; {
		ctx, cancel := context.WithTimeout(p.ctx, time.Millisecond) // the newest may be gone
		n, err := r.Next(ctx, buf)
		cancel()
		if err != nil {
			break
		}
		for _, rec := range buf[:n] {
			if at = rec.Seq; strings.HasPrefix(string(rec.Subject), "hp.l.") && time.Since(rec.Stored.Time()) > d {
				p.Log.Expire(rec.Seq)
				gone++
			}
		}
	}
	return gone
}

// Advance lets time pass. Barriers whose time is over go.
func (p *Play) Advance(d time.Duration) {
	for d > 0 {
		step := min(d, 10*time.Second)
		time.Sleep(step)
		p.Expire(p.Log.Settings().BarrierTTL())
		d -= step
	}
	synctest.Wait()
}

func isConflict(err error) bool {
	conflict := (*eventstore.ConflictError)(nil)
	return errors.As(err, &conflict)
}

func isUnknown(err error) bool { return errors.Is(err, eventstore.ErrUnknown) }
