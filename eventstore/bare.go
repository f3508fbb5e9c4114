package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bare is the yardstick of benchmarks: the client library used directly, over
// a connection of its own, on the stream of the log that it came from.
type Bare struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	failed atomic.Pointer[error] // the first record of Fill that wasn't taken
}

// Bare returns a yardstick for l.
func (l *JetStream) Bare() (*Bare, error) {
	nc, err := l.dial.connectOnce(func(error) {})
	if err != nil {
		return nil, fmt.Errorf("eventstore: connect the yardstick: %w", err)
	}
	b := &Bare{nc: nc}
	b.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			b.failed.CompareAndSwap(nil, &err)
		}))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("eventstore: connect the yardstick: %w", err)
	}
	return b, nil
}

// Publish is the library's PublishMsg of e with the headers that Append sets.
func (b *Bare) Publish(ctx context.Context, e Entry) (Seq, error) {
	ack, err := b.js.PublishMsg(ctx, message(e))
	if err != nil {
		return 0, err
	}
	return Seq(ack.Sequence), nil
}

// Fill publishes entries without waiting for each, until next has no more. It
// is how a benchmark makes a large stream.
func (b *Bare) Fill(ctx context.Context, next func() (Entry, bool)) error {
	for e, ok := next(); ok; e, ok = next() {
		if _, err := b.js.PublishMsgAsync(message(e), jetstream.WithStallWait(time.Minute)); err != nil {
			return fmt.Errorf("eventstore: fill: %w", err)
		}
	}
	select {
	case <-b.js.PublishAsyncComplete():
		if err := b.failed.Load(); err != nil {
			return fmt.Errorf("eventstore: fill: %w", *err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Count counts n records from the stream's first on, with the fastest plain
// consumer there is: push, flow control, one callback that counts.
func (b *Bare) Count(ctx context.Context, n int) error {
	inbox := nats.NewInbox()
	done := make(chan error, 1)
	count := 0
	sub, err := b.nc.Subscribe(inbox, func(m *nats.Msg) {
		if m.Subject == inbox {
			if m.Reply != "" {
				_ = m.Respond(nil) // a lost connection shows in Count's own wait
			}
			return
		}
		if count++; count == n {
			done <- nil
		}
	})
	if err != nil {
		return fmt.Errorf("eventstore: count: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone, and the subscription with it
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return fmt.Errorf("eventstore: count: %w", err)
	}
	if err := ask(ctx, b.nc, fmt.Sprintf(server.JSApiConsumerCreateT, streamName), consumer(1, inbox), nil); err != nil {
		return fmt.Errorf("eventstore: count: %w", err)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), b.nc.LastError())
	}
}

// Close ends the yardstick's connection.
func (b *Bare) Close() { b.nc.Close() }
