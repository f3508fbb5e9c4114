package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	maxLine  = 1 << 20 // bytes of one event's line; an event has at most 60 KiB
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

// errAnswer is an event that can't be read: trying again would meet it again.
var errAnswer = errors.New("the server sent an event that this client can't read")

// final tells whether another try would end the same way.
func final(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status/100 == 4 && p.Status != http.StatusTooManyRequests
	}
	return errors.Is(err, errAnswer)
}

// stream runs one connection to its end.
func (w *watch) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if w.last != Now {
		header.Set("Last-Event-Id", strconv.FormatUint(w.last, 10))
	}
	resp, err := w.c.send(ctx, call{method: http.MethodGet, path: []string{"v1", "events"}, query: w.query}, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if resp.StatusCode != http.StatusOK {
		return problemOf(resp)
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return fmt.Errorf("%w: %s is no event stream", errAnswer, resp.Header.Get("Content-Type"))
	}
	w.connected = true
	if at, err := strconv.ParseUint(resp.Header.Get("Hallpass-Revision"), 10, 64); err == nil && w.last == Now {
		w.last = at // so that a link lost before the first event loses none
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	var id string
	var data []byte
	for lines.Scan() {
		dead.Reset(silence)
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "id":
			id = value
		case name == "data":
			data = append(append(data, value...), '\n')
		case lines.Text() == "":
			if err := w.dispatch(id, data); err != nil || w.stopped {
				return err
			}
			data = data[:0]
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("reading events from %s: %w", w.c.Server(), err)
	}
	return io.ErrUnexpectedEOF
}

// dispatch hands one event on. An id alone only moves the place to resume from.
func (w *watch) dispatch(id string, data []byte) error {
	at, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		if len(data) == 0 {
			return nil
		}
		return fmt.Errorf("%w: it has no revision", errAnswer)
	}
	if len(data) > 0 {
		var e wire.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
		if !w.yield(e, nil) {
			w.stopped = true
			return nil
		}
	}
	w.last = at
	return nil
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
