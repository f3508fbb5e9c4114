package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// HoldsConfig is how connections are held. The zero value is fine.
type HoldsConfig struct {
	// Recheck is how often everything held is checked anew; default 1 min. It
	// bounds how long something is held on past the end of its token's time,
	// which nobody tells of.
	Recheck time.Duration

	// Patience is how long a check that has become necessary may take, tries
	// included, until what waits for it is cut; default 5 s.
	Patience time.Duration
}

// Holds are the connections (streams, sockets, sessions) that a program keeps
// open on the strength of a decision. Each is cut when its token is revoked,
// disabled, expires or loses the right, its account is suspended or closed, or
// when nobody can say any more whether that has happened.
type Holds struct {
	checker Checker
	watcher Watcher
	cfg     HoldsConfig
	room    chan struct{} // held while checking again: so many at once
	life    context.Context
	end     context.CancelFunc
	work    sync.WaitGroup
	begun   chan struct{} // closed when first watching

	mu     sync.Mutex // guards what follows
	by     map[string]map[*Held]struct{}
	closed bool   // nothing is held any more
	why    error  // why nothing can be held at present; nil: it can
	seen   uint64 // the newest revision told of
	turn   uint64 // how often Missed was told
}

// checksAtOnce bounds the checks under way because of notices: each may be a
// request.
const checksAtOnce = 32

// NewHolds starts to watch. Close ends it.
func NewHolds(c Checker, w Watcher, cfg HoldsConfig) *Holds {
	if cfg.Recheck <= 0 {
		cfg.Recheck = time.Minute
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Second
	}
	h := &Holds{
		checker: c, watcher: w, cfg: cfg, room: make(chan struct{}, checksAtOnce),
		begun: make(chan struct{}), by: map[string]map[*Held]struct{}{},
		why: Unvouched("not_ready", "revocations are not watched yet; try again shortly"),
	}
	h.life, h.end = context.WithCancel(context.Background())
	h.work.Go(h.watch)
	h.work.Go(h.tick)
	return h
}

// Ready waits until revocations are watched, so that something can be held.
// Its errors are ctx's.
func (h *Holds) Ready(ctx context.Context) error {
	select {
	case <-h.begun:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Check is the Checker's, for requests that are soon over.
func (h *Holds) Check(ctx context.Context, secret Secret, need Need) (Decision, error) {
	return h.checker.Check(ctx, secret, need)
}

// Held is one connection that is held.
type Held struct {
	Decision Decision // on which it was opened

	// Context ends when the connection is to be cut, with a *CutError as its
	// cause, and with the context that was given to Hold. It holds Decision
	// (see DecisionFrom).
	Context context.Context

	holds          *Holds
	account, token string
	ancestors      []string
	secret         Secret
	need           Need
	life           context.Context
	cut            context.CancelCauseFunc // ends life

	// Guarded by Holds.mu.
	at      uint64 // the revision of the newest decision; 0: of none that counts
	want    uint64 // what the next decision has to be at least as new as
	due     time.Time
	asked   bool // a new decision is wanted
	running bool // someone sees to it
}

// CutError is why a connection was cut. Err is nil when a decision said so,
// else why there was none.
type CutError struct {
	Decision Decision
	Err      error
}

func (e *CutError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cut, as the right to it could not be checked again: %v", e.Err)
	}
	return "cut, as the token may not do this any more: " + e.Decision.Code
}

func (e *CutError) Unwrap() error { return e.Err }

// Hold checks, and if the answer is yes, holds until Release. If it is no, the
// Held says so and nothing is held. Errors are those of a Checker, and the
// *Problem not_ready while revocations can't be watched; then nothing is held
// either.
func (h *Holds) Hold(ctx context.Context, secret Secret, need Need) (*Held, error) {
	turn, err := h.now()
	if err != nil {
		return nil, err
	}
	d, err := h.checker.Check(ctx, secret, need)
	if err != nil || !d.Allowed {
		return &Held{Decision: d, Context: ctx}, err
	}
	x := &Held{holds: h, account: d.Account, token: d.Token, ancestors: d.Ancestors, secret: secret, need: need, at: d.Revision}
	x.life, x.cut = context.WithCancelCause(ctx)
	seen, now, err := h.enter(x)
	if err != nil {
		x.cut(nil)
		return nil, err
	}
	if seen > d.Revision || now != turn {
		// What was told between the decision and its being held was not
		// compared with it. What is told from here on is.
		need.MinRevision = max(need.MinRevision, seen)
		if d, err = h.checker.Check(ctx, secret, need); err != nil || !d.Allowed {
			x.Release()
			return &Held{Decision: d, Context: ctx}, err
		}
		h.decided(x, d)
	}
	if cut := (*CutError)(nil); errors.As(context.Cause(x.life), &cut) { // already
		return &Held{Decision: cut.Decision, Context: ctx}, cut.Err
	}
	x.Decision, x.Context = d, WithDecision(x.life, d)
	return x, nil
}

// Release ends holding. It may be called again.
func (x *Held) Release() {
	if x.cut == nil {
		return
	}
	x.holds.leave(x)
	x.cut(nil)
}

func (h *Holds) now() (turn uint64, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.turn, h.why
}

func (h *Holds) enter(x *Held) (seen, turn uint64, _ error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.why != nil {
		return 0, 0, h.why
	}
	account := h.by[x.account]
	if account == nil {
		account = map[*Held]struct{}{}
		h.by[x.account] = account
	}
	account[x] = struct{}{}
	return h.seen, h.turn, nil
}

func (h *Holds) leave(x *Held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	account := h.by[x.account]
	if delete(account, x); len(account) == 0 {
		delete(h.by, x.account)
	}
}

// decided notes a newer decision that lets x go on.
func (h *Holds) decided(x *Held, d Decision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x.at = d.Revision
}

// drop cuts a connection.
func (h *Holds) drop(x *Held, why *CutError) {
	h.leave(x)
	x.cut(why)
}

// Close cuts everything, and from then on nothing can be held.
func (h *Holds) Close() {
	err := Unvouched("not_ready", "this program holds no connections any more")
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.end()
	h.stop(err)
	h.work.Wait()
}

// stop cuts everything, and refuses to hold more until revocations are watched.
func (h *Holds) stop(why error) {
	h.mu.Lock()
	h.why = why
	all := h.allLocked()
	h.mu.Unlock()
	for _, x := range all {
		h.drop(x, &CutError{Err: why})
	}
}

func (h *Holds) allLocked() []*Held {
	var all []*Held
	for _, account := range h.by {
		for x := range account {
			all = append(all, x)
		}
	}
	return all
}

// errNotWatched is a watch that ended without saying why.
var errNotWatched = errors.New("the watch of revocations has ended")
