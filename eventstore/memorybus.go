package eventstore

import (
	"bytes"
	"errors"
	"slices"
	"sync"
)

// memoryBus is the Bus of a Memory.
type memoryBus struct {
	mu        sync.Mutex // guards what follows
	listeners []*memoryListener
	next      int // whose turn it is in a group
	closed    bool
}

// memoryListener calls f from a goroutine that lasts as long as messages wait.
type memoryListener struct {
	topic, group string
	f            func([]byte)

	mu      sync.Mutex // guards what follows
	waiting [][]byte
	running bool
	stopped bool
}

// Send implements Bus.
func (m *Memory) Send(topic string, data []byte) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	return m.bus.send(topic, data)
}

// Listen implements Bus.
func (m *Memory) Listen(topic, group string, f func(data []byte)) (stop func(), err error) {
	if err := errors.Join(checkTopic(topic), checkGroup(group)); err != nil {
		return nil, err
	}
	return m.bus.listen(&memoryListener{topic: topic, group: group, f: f})
}

func (b *memoryBus) listen(l *memoryListener) (stop func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	b.listeners = append(b.listeners, l)
	return func() {
		b.mu.Lock()
		b.listeners = slices.DeleteFunc(b.listeners, func(x *memoryListener) bool { return x == l })
		b.mu.Unlock()
		l.stop()
	}, nil
}

func (b *memoryBus) send(topic string, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	groups := map[string][]*memoryListener{}
	for _, l := range b.listeners {
		switch {
		case l.topic != topic:
		case l.group == "":
			l.give(bytes.Clone(data))
		default:
			groups[l.group] = append(groups[l.group], l)
		}
	}
	b.next++
	for _, g := range groups {
		g[b.next%len(g)].give(bytes.Clone(data))
	}
	return nil
}

func (b *memoryBus) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, l := range b.listeners {
		l.stop()
	}
	b.listeners = nil
}

func (l *memoryListener) give(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return
	}
	l.waiting = append(l.waiting, data)
	if !l.running {
		l.running = true
		go l.run() // ends when nothing waits any more
	}
}

func (l *memoryListener) run() {
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 {
			l.running = false
			l.mu.Unlock()
			return
		}
		data := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.mu.Unlock()
		l.f(data)
	}
}

func (l *memoryListener) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.waiting = nil
}
