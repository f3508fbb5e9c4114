package client

import (
	"cmp"
	"context"
	"iter"
	"math/rand/v2"
	"net/url"
	"time"

	"hallpass/api/wire"
)

// WatchFilter narrows a watch; empty fields don't.
type WatchFilter struct {
	Account string
	Token   string // id
	Type    string // "token.revoked"
}

// Now makes a watch start with what comes after it was asked for.
const Now = ^uint64(0)

const (
	silence  = 45 * time.Second // three of the server's comment lines missing: the link is dead
	backoff0 = 100 * time.Millisecond
	backoff1 = 5 * time.Second
)

// Watch follows events with a revision above after: 0 gives all there ever
// were, Now only new ones. A lost link is taken up again behind the last event
// seen, with growing pauses, for as long as ctx lasts; none is lost or doubled.
//
// What ends it: ctx (its error comes last), the first connection failing, or
// the server refusing, as a *Problem: "revision_unknown" says that the server
// has a shorter history than the watcher saw (another stream, or one restored
// from an older copy), so what the watcher derived from it can't be trusted.
func (c *Client) Watch(ctx context.Context, f WatchFilter, after uint64) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		w := watch{c: c, query: url.Values{}, last: after, yield: yield}
		setIf(w.query, "account", f.Account)
		setIf(w.query, "token", f.Token)
		setIf(w.query, "type", f.Type)
		pause := backoff0
		for {
			before := w.last
			err := w.stream(ctx)
			switch {
			case w.stopped:
				return
			case ctx.Err() != nil:
				yield(wire.Event{}, ctx.Err())
				return
			case !w.connected || final(err):
				yield(wire.Event{}, err)
				return
			}
			if w.last != before {
				pause = backoff0
			}
			if !sleep(ctx, pause/2+rand.N(pause)) { //nolint:gosec // only spreads reconnects
				yield(wire.Event{}, ctx.Err())
				return
			}
			pause = min(2*pause, backoff1)
		}
	}
}

// watch is one Watch: where it stands across its connections.
type watch struct {
	c         *Client
	query     url.Values
	last      uint64 // revision of the last event seen; Now: none yet
	connected bool   // the server accepted it at least once
	stopped   bool   // the caller has enough
	yield     func(wire.Event, error) bool
}

// stream runs one connection to its end.
func (w *watch) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	s, err := w.c.events(ctx, w.query, w.last)
	if err != nil {
		return err
	}
	defer s.close()
	w.connected = true
	w.last = s.at // so that a link lost before the first event loses none
	for {
		f, err := s.next()
		if err != nil {
			return err
		}
		dead.Reset(silence)
		if f.event != nil && !w.yield(*f.event, nil) {
			w.stopped = true
			return nil
		}
		w.last = cmp.Or(f.at, w.last) // an id alone only moves the place to resume from
	}
}

// sleep tells whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
