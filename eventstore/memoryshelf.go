package eventstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
)

// memoryShelf is the Shelf of a Memory.
type memoryShelf struct {
	log *Memory

	mu   sync.Mutex // guards what follows
	last uint64
	at   map[string]shelved
}

// shelved is a value as it was put by one change; it is never altered.
type shelved struct {
	key    string
	value  []byte
	change uint64
}

// Shelf implements Log.
func (m *Memory) Shelf() Shelf { return &m.shelf }

func (s *memoryShelf) over(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if s.log.closed {
		return ErrClosed
	}
	return nil
}

// Put implements Shelf.
func (s *memoryShelf) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	if err := cmp.Or(checkPut(key, value), s.over(ctx)); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.at[key] = shelved{key, bytes.Clone(value), s.last}
	return s.last, nil
}

// Since implements Shelf.
func (s *memoryShelf) Since(ctx context.Context, after uint64, f func(key string, value []byte)) (uint64, error) {
	if err := s.over(ctx); err != nil {
		return after, err
	}
	for _, v := range s.changed(after) {
		f(v.key, bytes.Clone(v.value))
		after = v.change
	}
	return after, nil
}

// changed returns what changed after that, in the order of the changes.
func (s *memoryShelf) changed(after uint64) (values []shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.at {
		if v.change > after {
			values = append(values, v)
		}
	}
	slices.SortFunc(values, func(a, b shelved) int { return cmp.Compare(a.change, b.change) })
	return values
}

// Clear empties the shelf as if it had been made anew, for tests.
func (m *Memory) Clear() {
	m.shelf.mu.Lock()
	defer m.shelf.mu.Unlock()
	m.shelf.last, m.shelf.at = 0, map[string]shelved{}
}
