package client_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/api/client"
)

// gate is a Checker and a Watcher that a test holds in its hands. Secrets are
// the ids of the tokens of acme.
type gate struct {
	mu      sync.Mutex // guards what follows
	dead    map[client.Secret]bool
	err     error
	at      uint64
	checks  map[client.Secret]int
	least   uint64 // MinRevision of the newest check
	checked func() // called during each check, once it is decided

	notices chan any // a Notice, or an error that ends the watch; unbuffered
}

func newGate() *gate {
	return &gate{at: 10, dead: map[client.Secret]bool{}, checks: map[client.Secret]int{}, notices: make(chan any)}
}

func (g *gate) Check(_ context.Context, s client.Secret, n client.Need) (client.Decision, error) {
	g.mu.Lock()
	g.checks[s]++
	g.least = n.MinRevision
	d := client.Decision{Allowed: true, Works: true, Code: "granted", Account: "acme", Token: s.Reveal(), Revision: max(g.at, n.MinRevision)}
	if child, parents, ok := strings.Cut(s.Reveal(), "<"); ok { // a derived one
		d.Token, d.Ancestors = child, strings.Split(parents, "<")
	}
	if g.dead[s] {
		d = client.Decision{Code: client.CodeInvalidToken}
	}
	err, checked := g.err, g.checked
	g.mu.Unlock()
	if checked != nil {
		checked()
	}
	return d, err
}

func (g *gate) Revocations(ctx context.Context, _ uint64) iter.Seq2[client.Notice, error] {
	return func(yield func(client.Notice, error) bool) {
		for {
			select {
			case is := <-g.notices:
				if err, ok := is.(error); ok {
					yield(nil, err)
					return
				}
				if !yield(is.(client.Notice), nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

func (g *gate) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

func (g *gate) kill(s client.Secret) { g.change(func() { g.dead[s] = true }) }

// tell hands over a notice, and returns when it has been taken in.
func (g *gate) tell(n client.Notice) {
	g.notices <- n
	g.notices <- client.Revoked{Account: "nobody", Type: "token.revoked"} // taken once n was seen to
}

func (g *gate) count(s client.Secret) (n int) {
	g.change(func() { n = g.checks[s] })
	return n
}

// holding returns Holds over g that are watching.
func holding(t *testing.T, g *gate, cfg client.HoldsConfig) *client.Holds {
	h := client.NewHolds(g, g, cfg)
	t.Cleanup(h.Close)
	g.tell(client.Missed{MinRevision: 1})
	if err := h.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func hold(t *testing.T, h *client.Holds, s client.Secret) *client.Held {
	t.Helper()
	x, err := h.Hold(t.Context(), s, client.Need{Action: "read", Resource: "/"})
	if err != nil || !x.Decision.Allowed || x.Context.Err() != nil {
		t.Fatalf("%+v, %v", x, err)
	}
	if d, ok := client.DecisionFrom(x.Context); !ok || !reflect.DeepEqual(d, x.Decision) {
		t.Fatalf("the context holds %+v", d)
	}
	return x
}

// isCut waits until x is cut.
func isCut(t *testing.T, x *client.Held) {
	t.Helper()
	_ = whyCut(t, x)
}

// whyCut waits until x is cut, and returns why.
func whyCut(t *testing.T, x *client.Held) *client.CutError {
	t.Helper()
	<-x.Context.Done()
	var cut *client.CutError
	if !errors.As(context.Cause(x.Context), &cut) || cut.Error() == "" {
		t.Fatalf("it ended with %v", context.Cause(x.Context))
	}
	return cut
}

func revoked(at uint64, kind, token string) client.Revoked {
	return client.Revoked{Revision: at, Account: "acme", Token: token, Type: kind}
}

// slow leaves nothing to the clock.
var slow = client.HoldsConfig{Recheck: time.Hour, Patience: time.Hour}

func TestWhatIsRevokedIsCut(t *testing.T) {
	g := newGate()
	h := holding(t, g, slow)
	a, b, c := hold(t, h, "a"), hold(t, h, "b"), hold(t, h, "c")
	g.tell(revoked(10, "token.revoked", "a")) // an earlier token of that id: the decision knows of it
	g.tell(revoked(11, "token.issued-anew", "x"))
	g.tell(client.Revoked{Revision: 12, Account: "other", Token: "b", Type: "token.revoked"})
	if a.Context.Err() != nil || b.Context.Err() != nil {
		t.Fatal("something else was cut")
	}
	before := g.count("b")
	g.tell(revoked(13, "token.revoked", "b"))
	if cut := whyCut(t, b); cut.Err != nil || cut.Decision.Works || g.count("b") != before {
		t.Fatalf("%+v", cut)
	}
	a.Release()
	a.Release()
	if !errors.Is(context.Cause(a.Context), context.Canceled) {
		t.Fatal(context.Cause(a.Context))
	}
	g.tell(client.Revoked{Revision: 14, Account: "acme", Type: "account.suspended"})
	isCut(t, c)
}

// A derived token ends with each that it was derived from.
func TestWhatIsDerivedIsCut(t *testing.T) {
	g := newGate()
	h := holding(t, g, slow)
	leaf, other := hold(t, h, "leaf<parent<root"), hold(t, h, "x<y")
	child := hold(t, h, "child<root")
	g.tell(client.Revoked{Revision: 11, Account: "other", Token: "parent", Type: "token.revoked"})
	g.tell(revoked(12, "token.revoked", "parent"))
	isCut(t, leaf)
	if child.Context.Err() != nil || other.Context.Err() != nil {
		t.Fatal("something else was cut")
	}
	g.kill("child<root")
	g.tell(revoked(13, "token.edited", "root"))
	isCut(t, child)
	if other.Context.Err() != nil || g.count("x<y") != 1 {
		t.Fatal("cut, or checked, without reason")
	}
}

// What may have taken the right is checked again, by a node that has seen it.
func TestWhatMayHaveLostTheRightIsCheckedAgain(t *testing.T) {
	g := newGate()
	h := holding(t, g, slow)
	a, b := hold(t, h, "a"), hold(t, h, "b")
	again := make(chan struct{}, 8)
	g.change(func() { g.checked = func() { again <- struct{}{} } })
	g.tell(revoked(20, "token.edited", "a"))
	<-again
	if g.change(func() {
		if g.least != 20 {
			t.Errorf("it asked for revision %d", g.least)
		}
	}); a.Context.Err() != nil || g.count("b") != 1 {
		t.Fatal("cut, or checked, without reason")
	}
	g.kill("b")
	g.tell(revoked(21, "token.rotated", "b"))
	isCut(t, b)
	g.kill("a")
	g.tell(client.Missed{MinRevision: 22})
	isCut(t, a)
	if x, err := h.Hold(t.Context(), "a", client.Need{}); err != nil || x.Decision.Allowed {
		t.Fatalf("%+v, %v", x, err)
	}
}

// A notice that comes between a decision and its being held is not lost.
func TestNothingSlipsInBetweenCheckAndHold(t *testing.T) {
	for name, n := range map[string]client.Notice{
		"revoked":   revoked(30, "token.revoked", "a"),
		"missed":    client.Missed{MinRevision: 5},
		"blindness": client.Missed{Blind: true},
	} {
		g := newGate()
		h := holding(t, g, slow)
		var once sync.Once
		g.change(func() {
			g.checked = func() {
				once.Do(func() { // it was decided that a is fine
					g.kill("a")
					g.tell(n)
				})
			}
		})
		if x, err := h.Hold(t.Context(), "a", client.Need{}); err != nil || x.Decision.Allowed {
			t.Errorf("%s: %+v, %v", name, x, err)
		}
		if g.count("a") != 2 {
			t.Errorf("%s: checked %d times", name, g.count("a"))
		}
	}
}

// After a history was replaced by a shorter one, low revisions count.
func TestRevisionsOfAnotherHistory(t *testing.T) {
	g := newGate()
	g.at = 1000
	h := holding(t, g, slow)
	g.tell(revoked(1500, "token.edited", "x"))
	a := hold(t, h, "a")
	// a is being checked again when the next revoke is told: its old revision,
	// which is higher, must not hide that.
	busy := make(chan struct{})
	g.change(func() { g.at, g.checked = 40, func() { <-busy } })
	g.tell(client.Missed{MinRevision: 40})
	g.tell(revoked(41, "token.revoked", "a"))
	isCut(t, a)
	close(busy)
	b := hold(t, h, "b")
	if b.Decision.Revision != 41 { // as new as what was told
		t.Fatalf("%+v", b.Decision)
	}
	g.tell(revoked(42, "token.revoked", "b"))
	isCut(t, b)
}

func TestWithoutAWatchNothingIsHeld(t *testing.T) {
	g := newGate()
	h := client.NewHolds(g, g, slow)
	defer h.Close()
	g.tell(client.Missed{Blind: true}) // from the very start
	_, err := h.Hold(t.Context(), "a", client.Need{})
	mustBe(t, err, "not_ready")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	g.tell(client.Missed{MinRevision: 1})
	a := hold(t, h, "a")
	over := errors.New("over")
	g.notices <- over
	if cut := whyCut(t, a); !errors.Is(cut.Err, over) {
		t.Fatal(cut)
	}
	if _, err := h.Hold(t.Context(), "a", client.Need{}); !errors.Is(err, over) {
		t.Fatal(err)
	}
	g.tell(client.Missed{MinRevision: 1}) // it watches again
	a = hold(t, h, "a")
	h.Close()
	if cut := whyCut(t, a); client.Code(cut.Err) != "not_ready" {
		t.Fatal(cut)
	}
	_, err = h.Hold(t.Context(), "a", client.Need{})
	mustBe(t, err, "not_ready")
}

func TestWhatCantBeCheckedAgainIsCut(t *testing.T) {
	g := newGate()
	h := holding(t, g, client.HoldsConfig{Recheck: time.Hour, Patience: 20 * time.Millisecond})
	a := hold(t, h, "a")
	down := client.Unvouched("stale", "")
	g.change(func() { g.err = down })
	g.tell(client.Missed{Blind: true})
	if cut := whyCut(t, a); client.Code(cut.Err) != "stale" || g.count("a") < 3 {
		t.Fatalf("%v after %d checks", cut, g.count("a"))
	}
	_, err := h.Hold(t.Context(), "a", client.Need{})
	mustBe(t, err, "stale")
}

// What ends by time is found by looking.
func TestEverythingIsCheckedNowAndThen(t *testing.T) {
	g := newGate()
	h := holding(t, g, client.HoldsConfig{Recheck: 5 * time.Millisecond})
	a := hold(t, h, "a")
	g.kill("a")
	isCut(t, a)
}

// TestHoldsUnderLoad has many holders while tokens die: every one of them is
// cut, whenever it came.
func TestHoldsUnderLoad(t *testing.T) {
	g := newGate()
	h := holding(t, g, client.HoldsConfig{Recheck: time.Millisecond})
	var wg sync.WaitGroup
	for i := range 8 {
		s := client.Secret('a' + rune(i))
		room := make(chan struct{}, 64)
		wg.Go(func() {
			for {
				room <- struct{}{} // until some are cut
				x, err := h.Hold(t.Context(), s, client.Need{})
				if err != nil {
					t.Error(err)
					return
				}
				if !x.Decision.Allowed {
					return
				}
				wg.Go(func() {
					if <-x.Context.Done(); !errors.As(context.Cause(x.Context), new(*client.CutError)) {
						t.Error(context.Cause(x.Context))
					}
					<-room
				})
			}
		})
	}
	for i := range 8 {
		s := client.Secret('a' + rune(i))
		var at uint64
		g.change(func() {
			g.at++
			at, g.dead[s] = g.at, true
		})
		g.tell(revoked(at, "token.revoked", s.Reveal()))
	}
	wg.Wait()
}
