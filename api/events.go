package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/projections"
)

var eventParams = []param{
	{name: "account", typ: "string", doc: "Events of this account. Without it: of all accounts, for a root token with / *; else of the caller's own."},
	{name: "token", typ: "string", doc: "Events of the token with this id."},
	{name: "type", typ: "string", enum: eventNames, doc: "Events of this type."},
	{name: "after", typ: "integer", doc: "Start after this revision; Last-Event-ID goes before it. Without either: with what happens next."},
}

// watch is one subscriber's stream of events.
type watch struct {
	*call
	account domain.AccountID // empty: every account
	token   domain.TokenID
	event   string
	out     streamWriter
	due     time.Time // of the next comment
}

// events answers GET /v1/events: Server-Sent Events, until the client leaves
// or takes nothing any more, the server stops, or the caller's token stops
// working or loses the right. Void records, which changed nothing, are left out.
func (c *call) events() {
	w, after, err := c.newWatch()
	if err != nil {
		c.problem(err)
		return
	}
	if err := c.h.streams.enter(c.by.Authority.Actor); err != nil {
		c.problem(err)
		return
	}
	defer c.h.streams.leave(c.by.Authority.Actor)
	sub, err := c.h.svc.proj.Feed.Subscribe(after)
	switch {
	case errors.Is(err, projections.ErrRevisionUnknown):
		c.problem(domain.Errorf(codeRevisionGone, "this node has not seen revision %d: resume from one that the stream gave", after))
		return
	case err != nil:
		c.problem(err)
		return
	}
	defer sub.Close()
	c.h.svc.metrics.subscribers.Inc()
	defer c.h.svc.metrics.subscribers.Dec()

	ctx, end := context.WithCancelCause(c.r.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.guard(ctx, end) })
	err = w.run(ctx, sub, after)
	end(err)
	wg.Wait()
	last := ""
	switch err := context.Cause(ctx); {
	case errors.Is(err, errEnded):
		last = ": the token may no longer read events\n\n"
	case errors.Is(err, errNotCurrent):
		last = ": this node can't vouch for being current; resume elsewhere, or here a little later\n\n"
	}
	w.out.end(last)
}

// newWatch reads and judges the request.
func (c *call) newWatch() (*watch, Seq, error) {
	if err := c.awaitRevision(); err != nil {
		return nil, 0, err
	}
	if err := c.authenticate(); err != nil {
		return nil, 0, err
	}
	if err := c.readQuery(); err != nil {
		return nil, 0, err
	}
	w := &watch{call: c, event: c.query["type"], out: streamWriter{
		ResponseWriter: c, out: http.NewResponseController(c.ResponseWriter), stall: c.h.stall,
	}}
	var b binder
	if s, ok := c.query["account"]; ok {
		id, err := domain.ParseAccountID(s)
		if err != nil {
			b.fault("/query/account", "%s", detailOf(err))
		}
		w.account = id
	} else if !c.by.Authority.Everywhere() {
		w.account = c.by.Authority.Actor.Account
	}
	if s, ok := c.query["token"]; ok {
		id, err := domain.ParseTokenID(s)
		if err != nil {
			b.fault("/query/token", "%s", detailOf(err))
		}
		w.token = id
	}
	after, given := c.sequence(&b, "after"), c.query["after"] != ""
	if err := b.err(); err != nil {
		return nil, 0, err
	}
	if !w.allowed(c.by.Authority) {
		return nil, 0, domain.Errorf(domain.CodeForbidden, "this takes ReadEvents on /audit in the account")
	}
	switch last := c.r.Header["Last-Event-Id"]; {
	case len(last) > 1:
		return nil, 0, domain.Errorf(codeBadHeader, "there is more than one Last-Event-ID")
	case len(last) == 1 && last[0] != "":
		n, err := parseSeq(last[0])
		if err != nil {
			return nil, 0, domain.Errorf(codeBadHeader, "Last-Event-ID is the id of an event: a revision")
		}
		after = n
	case !given:
		after = c.h.svc.Revision()
	}
	return w, after, nil
}

func (w *watch) allowed(by domain.Authority) bool {
	account := w.account
	if account == "" {
		account = by.Actor.Account
	}
	return by.May(account, domain.AuditNeed("ReadEvents")) && (w.account != "" || by.Everywhere())
}

// Why streams end.
var (
	errEnded      = errors.New("api: the token may no longer read this stream of events")
	errNotCurrent = errors.New("api: this node can't vouch for being current")
)

// guard ends the stream, also where it waits for a client that doesn't read:
// when the server stops, and when the token stops working or loses the right.
func (w *watch) guard(ctx context.Context, end context.CancelCauseFunc) {
	defer w.out.cutOff()
	tick := time.NewTicker(w.h.recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.h.cfg.Stopping: // nil, and silent, where nothing stops
			end(nil)
			return
		case <-tick.C:
			if err := w.stands(); err != nil {
				end(err)
				return
			}
		}
	}
}

// stands tells, by a nil error, that the caller may read the stream now, and
// that this node can vouch for that.
func (w *watch) stands() error {
	by, err := w.h.svc.standing(w.by)
	switch {
	case domain.CodeOf(err) == domain.CodeStale || domain.CodeOf(err) == domain.CodeNotReady:
		return errNotCurrent
	case err != nil || !w.allowed(by.Authority):
		return errEnded
	}
	return nil
}

// run sends events until something ends that, which its error says.
func (w *watch) run(ctx context.Context, sub *projections.Subscription, after Seq) error {
	_ = w.out.out.SetReadDeadline(time.Time{}) // the server's is for the request
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	h.Set("Hallpass-Revision", strconv.FormatUint(uint64(after), 10))
	if w.r.ProtoMajor == 1 {
		h.Set("Connection", "close") // its time limits are of use for nothing else
	}
	w.WriteHeader(http.StatusOK)
	err := w.say(": events after revision %d\n\n", after)
	for err == nil {
		err = w.next(ctx, sub)
	}
	return err
}

func (w *watch) say(format string, args ...any) error {
	w.due = time.Now().Add(w.h.heartbeat)
	return w.out.send(fmt.Appendf(nil, format, args...))
}

// next sends the next event, or a comment when nothing was sent for a while.
// Any error ends the stream.
func (w *watch) next(ctx context.Context, sub *projections.Subscription) error {
	wait, cancel := context.WithDeadline(ctx, w.due)
	defer cancel()
	e, err := sub.Next(wait)
	quiet := err != nil && wait.Err() == context.DeadlineExceeded && ctx.Err() == nil
	if err != nil && !quiet {
		return err
	}
	if err := w.stands(); err != nil {
		return err
	}
	if quiet || !w.wants(e) {
		if time.Now().Before(w.due) {
			return nil
		}
		return w.say(": still here\n\n")
	}
	data, err := json.Marshal(wireEvent(e.Seq, e.Fact, e.Void))
	if err != nil {
		return err
	}
	return w.say("id: %d\nevent: %s\ndata: %s\n\n", e.Seq, eventName(e.Fact), data)
}

func (w *watch) wants(e projections.Entry) bool {
	return e.Void == "" && e.Fact != nil &&
		(w.account == "" || e.Fact.Account == w.account) &&
		(w.token == "" || e.Fact.Token == w.token) &&
		(w.event == "" || eventName(e.Fact) == w.event)
}
