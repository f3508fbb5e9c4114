package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"hallpass/api/wire"
)

// Revocations implements Watcher. A lost link is taken up again behind the
// last event seen, which has to come back as it was: else the stream is not the
// one that was watched, and the watch says Missed. It does so too when the
// server has not reached that revision (another stream, an older copy of it, or
// a node that lags), and then goes on with what that server has. While the
// server is silent, can't be reached, or can't vouch for being current, the
// watch is Blind.
//
// It ends with ctx, and when the server refuses in a way that stays: as a
// *Problem, for instance when the client's token may not read events any more.
// An Account of "" that isn't everywhere means the token's own.
func (r *Remote) Revocations(ctx context.Context, after uint64) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		w := &remoteWatch{c: r.c, query: url.Values{}, last: after, told: make(chan told), heard: time.Now()}
		setIf(w.query, "account", r.account)
		var run sync.WaitGroup
		run.Go(func() { w.run(ctx) })
		defer run.Wait()
		defer cancel()
		tick := time.NewTicker(r.patience / 8)
		defer tick.Stop()
		for {
			select {
			case t := <-w.told:
				if !yield(t.notice, t.err) || t.err != nil {
					return
				}
			case <-tick.C:
				if why := w.silent(r.patience); why != nil && !yield(Missed{Blind: true, Why: why}, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// told is one element of the sequence.
type told struct {
	notice Notice
	err    error
}

// remoteWatch is one watch over its connections.
type remoteWatch struct {
	c     *Client
	query url.Values
	told  chan told

	// Of run alone.
	last uint64      // everything up to this revision was told; Now: the watch has not begun
	seen *wire.Event // the newest event, to be known by when it comes again; nil: none

	mu    sync.Mutex // guards what follows
	heard time.Time  // the last sign of life, or the last time that silent said something
	why   error      // what ended the newest connection; nil: none has ended
	cut   func()     // ends the connection of now; nil: there is none
}

// run goes from connection to connection.
func (w *remoteWatch) run(ctx context.Context) {
	pause := backoff0
	for {
		before := w.last
		err := w.connection(ctx)
		if ctx.Err() != nil {
			return
		}
		switch code := Code(err); {
		case code == "revision_unknown":
			w.last, w.seen = Now, nil
			continue
		case final(err):
			w.tell(ctx, nil, err)
			return
		case code == "stale" || code == "not_ready":
			w.tell(ctx, Missed{Blind: true, Why: err}, nil)
		}
		w.note(err)
		if w.last != before {
			pause = backoff0
		}
		if !sleep(ctx, pause/2+rand.N(pause)) { //nolint:gosec // only spreads reconnects
			return
		}
		pause = min(2*pause, backoff1)
	}
}

// connection runs one connection to its end.
func (w *remoteWatch) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.mu.Lock()
	w.cut = cancel
	w.mu.Unlock()
	from := w.last
	if w.seen != nil {
		from = w.seen.Revision - 1
	}
	s, err := w.c.events(ctx, w.query, from)
	if err != nil {
		return err
	}
	defer s.close()
	switch {
	case from != Now:
	case s.at == Now:
		return fmt.Errorf("%w: it doesn't say where the stream begins", errAnswer)
	default:
		w.last = s.at
		w.tell(ctx, Missed{MinRevision: s.at, Why: errBegins}, nil)
	}
	known := w.seen == nil // whether the stream has shown that it is the one that was watched
	for {
		f, err := s.next()
		if err != nil {
			return err
		}
		switch {
		case f.event != nil:
			if !known && !w.again(ctx, f.event) {
				known = true
				continue
			}
			known = true
			w.event(ctx, f.event)
		case known && f.at > w.last:
			w.last = f.at
		}
		if known {
			w.alive()
		}
	}
}

// Why a watch says Missed.
var (
	errBegins   = errors.New("the watch begins here")
	errDiffers  = errors.New("the server's stream is not the one that was watched")
	errNoAnswer = errors.New("the server gives no sign of life")
)

// again takes the first event after a break. False: it is the one before the
// break, so nothing is missed.
func (w *remoteWatch) again(ctx context.Context, e *wire.Event) (other bool) {
	if e.Revision == w.seen.Revision && e.ID == w.seen.ID {
		w.alive()
		return false
	}
	w.tell(ctx, Missed{MinRevision: w.seen.Revision - 1, Why: errDiffers}, nil)
	return true
}

func (w *remoteWatch) event(ctx context.Context, e *wire.Event) {
	w.last, w.seen = e.Revision, e
	r, ok := RevokedBy(Revoked{Revision: e.Revision, Account: e.Account, Token: e.Token, Type: e.Type})
	if ok {
		w.tell(ctx, r, nil)
	}
}

func (w *remoteWatch) tell(ctx context.Context, n Notice, err error) {
	select {
	case w.told <- told{n, err}:
	case <-ctx.Done():
	}
}

// alive notes a sign of life of the stream that is watched.
func (w *remoteWatch) alive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard, w.why = time.Now(), nil
}

func (w *remoteWatch) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.why, w.cut = err, nil
}

// silent returns why nothing was heard for longer than patience, once in each
// such time; nil if something was. The connection of now, if there is one, is
// given up. Time is counted by the clock that says more: one of them stands
// still while the machine sleeps.
func (w *remoteWatch) silent(patience time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if max(now.Sub(w.heard), now.Round(0).Sub(w.heard.Round(0))) < patience {
		return nil
	}
	w.heard = now
	if w.cut != nil {
		w.cut()
	}
	if w.why != nil {
		return w.why
	}
	return errNoAnswer
}
