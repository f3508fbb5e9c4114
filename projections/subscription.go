package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hallpass/eventstore"
)

// Subscription delivers facts in order, each once. It may be used from many
// goroutines, one of which gets each fact.
type Subscription struct {
	feed *Feed
	life context.Context // ends with Close
	end  context.CancelFunc

	mu    sync.Mutex // guards what follows; held while Next waits
	after Seq        // the newest record seen, facts and others
	ready []Entry
	buf   [64]Entry // holds ready

	// While behind what the feed has in memory; else nil.
	reader  eventstore.Reader
	records []eventstore.Record
}

// Next waits for the next fact. Its errors are ctx's, after which it may be
// called again; ErrClosed after Close; and the failure that stopped the node,
// or ErrClosed, once everything applied was delivered.
func (s *Subscription) Next(ctx context.Context) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return Entry{}, ErrClosed
	}
	for len(s.ready) == 0 {
		if err := s.fill(ctx); err != nil {
			return Entry{}, err
		}
	}
	e := s.ready[0]
	s.ready[0] = Entry{}
	s.ready = s.ready[1:]
	return e, nil
}

// Close ends the subscription. A Next that waits returns; Close waits for it.
func (s *Subscription) Close() {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeReader()
}

// fill waits until there is something new, and puts it into ready if it is
// facts.
func (s *Subscription) fill(ctx context.Context) error {
	got, behind, grown, err := s.feed.take(s.after, s.buf[:0])
	if behind {
		return s.catchUp(ctx)
	}
	s.closeReader()
	if len(got) > 0 {
		s.ready, s.after = got, got[len(got)-1].Seq
		return nil
	}
	if err != nil {
		return err
	}
	select {
	case <-grown:
		return nil
	case <-s.life.Done():
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// catchUp reads some records from the log, all of which the node has applied:
// they lie below what the feed has in memory.
func (s *Subscription) catchUp(ctx context.Context) error {
	n, err := s.read(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.life.Err() != nil:
		return ErrClosed
	case errors.Is(err, eventstore.ErrClosed):
		return fmt.Errorf("%w with its log: %w", ErrClosed, err)
	default:
		return s.pause(ctx) // the link is lost or silent: a new reader goes on
	}
	at := s.feed.position.At()
	s.ready = s.buf[:0]
	for i := range s.records[:n] {
		rec := &s.records[i]
		if rec.Seq > at {
			s.closeReader() // the rest is the feed's, once it is applied
			break
		}
		if rec.Seq <= s.after { // above it, places are empty where barriers have gone
			return &RecordError{rec.Seq, rec.Subject, fmt.Errorf("it comes after record %d", s.after)}
		}
		s.after = rec.Seq
		if isBarrier(rec.Subject) {
			continue
		}
		e, err := s.feed.verdicts.entry(rec)
		if err != nil {
			return err
		}
		s.ready = append(s.ready, e)
	}
	return nil
}

// read takes records from the log. There are some, so one who brings none
// within the stall time is as good as lost.
func (s *Subscription) read(ctx context.Context) (int, error) {
	if s.reader == nil {
		r, err := s.feed.log.Read(s.life, s.after+1)
		if err != nil {
			return 0, err
		}
		s.reader = r
		if s.records == nil {
			s.records = make([]eventstore.Record, len(s.buf))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.feed.stall)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	n, err := s.reader.Next(ctx, s.records)
	if err != nil {
		s.closeReader()
	}
	return n, err
}

func (s *Subscription) pause(ctx context.Context) error {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-s.life.Done():
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Subscription) closeReader() {
	if s.reader != nil {
		s.reader.Close()
		s.reader, s.records = nil, nil
	}
}
