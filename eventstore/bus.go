package eventstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Bus carries messages between the nodes of one stream, beside it. It promises
// nothing: messages may be lost, late, doubled, or out of order.
type Bus interface {
	// Send gives data to the listeners of topic, those of this node included.
	// A topic is tokens of [A-Za-z0-9_-] joined by dots. Send doesn't wait for
	// anybody; after an error the message was surely not sent.
	Send(topic string, data []byte) error

	// Listen has f called with each message of topic, one at a time; data is
	// f's to keep. In a group, one listener gets each message; with group ""
	// every listener does. Listening survives reconnects and ends with the
	// log, or with stop, which may be called twice and doesn't wait for a call
	// of f that is under way.
	Listen(topic, group string, f func(data []byte)) (stop func(), err error)
}

// busSettled bounds how long Listen waits for the server to know of it.
const busSettled = time.Second

// Send implements Bus.
func (l *JetStream) Send(topic string, data []byte) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if l.isClosed() {
		return ErrClosed
	}
	if err := l.link.isUp(); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	if err := l.nc.Publish(busPrefix+topic, data); err != nil {
		return fmt.Errorf("%w: send: %w", ErrLost, err)
	}
	return nil
}

// Listen implements Bus.
func (l *JetStream) Listen(topic, group string, f func(data []byte)) (stop func(), err error) {
	if err := errors.Join(checkTopic(topic), checkGroup(group)); err != nil {
		return nil, err
	}
	if l.isClosed() {
		return nil, ErrClosed
	}
	sub, err := l.nc.QueueSubscribe(busPrefix+topic, group, func(m *nats.Msg) { f(m.Data) })
	if err != nil {
		return nil, fmt.Errorf("eventstore: listen to %s: %w", topic, err)
	}
	// With a link that is down, reconnecting does it.
	_ = l.nc.FlushTimeout(busSettled)
	return func() { _ = sub.Unsubscribe() }, nil // it fails when there is nothing to end any more
}

func checkTopic(topic string) error {
	start := 0
	for i := range len(topic) + 1 {
		if i < len(topic) && tokenByte(topic[i]) {
			continue
		}
		if i == start || i < len(topic) && topic[i] != '.' {
			return fmt.Errorf("eventstore: %q is no topic (tokens of [A-Za-z0-9_-], joined by dots)", topic)
		}
		start = i + 1
	}
	return nil
}

func checkGroup(group string) error {
	for i := range len(group) {
		if !tokenByte(group[i]) {
			return fmt.Errorf("eventstore: %q is no group (a token of [A-Za-z0-9_-])", group)
		}
	}
	return nil
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
