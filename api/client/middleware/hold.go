package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hallpass/api/client"
)

// lastWords is what a handler gets, after its request was cut, to send an end.
const lastWords = time.Second

// Hold is Protect for requests that last: streams of events, long polls,
// WebSockets. The request's context ends as soon as the token dies or may no
// longer do this (see client.Holds), with a *client.CutError as its cause; a
// read of the request's body, and of a connection that the handler hijacked,
// fails from then on, and a write does a second later. A handler that waits
// for something else has to wait for the context too.
//
// It panics if the Guard has no Holds or no Need. Its Checker is not used: the
// Holds' is.
func (g *Guard) Hold(next http.Handler) http.Handler {
	if g.Holds == nil || g.Need == nil {
		panic("middleware: Hold takes a Guard with Holds and a Need")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret, need, ok := g.asked(w, r)
		if !ok {
			return
		}
		held, err := g.Holds.Hold(r.Context(), secret, need)
		if err != nil {
			g.allowed(w, r, client.Decision{}, err)
			return
		}
		defer held.Release()
		if !g.allowed(w, r, held.Decision, nil) {
			return
		}
		defer cutWith(held.Context, http.NewResponseController(w))()
		next.ServeHTTP(w, g.inner(held.Context, r))
	})
}

// cutWith stops what the handler waits for on the connection when ctx ends
// because the request is cut. The function it returns ends that; after it,
// nothing touches the connection any more.
func cutWith(ctx context.Context, c *http.ResponseController) (end func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		if errors.As(context.Cause(ctx), new(*client.CutError)) {
			// Errors: a connection that has no deadlines can't be stopped so.
			_ = c.SetReadDeadline(time.Unix(1, 0))
			_ = c.SetWriteDeadline(time.Now().Add(lastWords))
		}
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}
