package eventstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"hallpass/domain"
)

// BarrierSubject files the barriers of one node.
func BarrierSubject(node domain.NodeName) Subject { return Subject(barrierPrefix + string(node)) }

// Barrier implements Log.
func (l *JetStream) Barrier(ctx context.Context, node domain.NodeName, data []byte) (Seq, error) {
	return l.barrier(ctx, node, data, l.Settings().BarrierTTL())
}

// barrier publishes a record that leaves the stream after ttl, of at least one
// second.
func (l *JetStream) barrier(ctx context.Context, node domain.NodeName, data []byte, ttl time.Duration) (Seq, error) {
	if err := checkNode(node); err != nil {
		return 0, err
	}
	if err := l.over(ctx); err != nil {
		return 0, err
	}
	if err := l.broken(); err != nil {
		return 0, err
	}
	msg := &nats.Msg{
		Subject: string(BarrierSubject(node)),
		Data:    data,
		Header:  nats.Header{server.JSMessageTTL: {strconv.Itoa(int(ttl / time.Second))}},
	}
	seq, out, err := l.publish(ctx, msg, 0)
	if out == stored {
		return seq, nil
	}
	return 0, fmt.Errorf("eventstore: barrier of %s: %w", node, err)
}

func checkNode(node domain.NodeName) error {
	if node == "" || checkGroup(string(node)) != nil {
		return fmt.Errorf("eventstore: %q is no name of a node (a token of [A-Za-z0-9_-])", string(node))
	}
	return nil
}

// foreignHeader returns the header that no fact may carry, the first in order
// when there are several: every node names the same.
func foreignHeader(h nats.Header) (foreign string) {
	for key := range h {
		if (foreign == "" || key < foreign) && isForeign(key) {
			foreign = key
		}
	}
	return foreign
}

// isForeign tells whether a header makes the server drop, replace or make
// records by itself. Some servers take names in any case.
func isForeign(key string) bool {
	const schedule = "Nats-Schedule" // Nats-Scheduler too
	if len(key) < len(server.JSMessageTTL) || (key[0] != 'N' && key[0] != 'n') {
		return false
	}
	return strings.EqualFold(key, server.JSMessageTTL) || strings.EqualFold(key, server.JSMsgRollup) ||
		strings.EqualFold(key, server.JSMarkerReason) ||
		len(key) >= len(schedule) && strings.EqualFold(key[:len(schedule)], schedule)
}
