package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hallpass/api/client"
	"hallpass/api/wire"
)

// loop checks again and again, one check after the other.
type loop struct {
	stop    context.CancelFunc
	done    chan struct{}
	allowed int // after done
	failed  []string
}

func (l *loop) end() {
	l.stop()
	<-l.done
}

func checking(ts *testscript.TestScript, _ bool, args []string) {
	c, err := client.New(client.Config{Server: args[1], Token: client.Secret(args[2])})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	l := &loop{stop: cancel, done: make(chan struct{})}
	ts.Value(loopsKey{}).(map[string]*loop)[args[0]] = l
	go func() { // end waits for it
		defer close(l.done)
		for ctx.Err() == nil {
			l.check(ctx, c)
		}
	}()
}

func (l *loop) check(ctx context.Context, c *client.Client) {
	d, err := c.Check(ctx, wire.Check{Action: "read", Resource: "/device/d"})
	switch {
	case ctx.Err() != nil:
	case err != nil || !d.Allowed:
		l.failed = append(l.failed, fmt.Sprintf("%s: %+v, %v", time.Now().Format(time.StampMilli), d, err))
	default:
		l.allowed++
	}
}

func checked(ts *testscript.TestScript, _ bool, args []string) {
	l := ts.Value(loopsKey{}).(map[string]*loop)[args[0]]
	l.end()
	if len(l.failed) > 0 || l.allowed == 0 {
		ts.Fatalf("%d checks were allowed; %d failed, the first: %q", l.allowed, len(l.failed), l.failed[:min(len(l.failed), 1)])
	}
	ts.Logf("%d checks were allowed", l.allowed)
}
