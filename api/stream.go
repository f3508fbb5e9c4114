package api

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"hallpass/domain"
)

// Limits of event streams.
const (
	heartbeat = 15 * time.Second // a stream is silent for so long at most
	stall     = 30 * time.Second // a client that takes nothing for so long is cut off; it may resume
	recheck   = time.Second      // how soon a stream ends at the latest with its token, stalled or not
	lastWords = time.Second      // what the end of a stream gets to reach the client

	maxStreams      = 1024 // on this node
	maxTokenStreams = 32   // of one token
)

// streams counts the event streams that are open.
type streams struct {
	most int // of all tokens
	each int // of one

	mu  sync.Mutex // guards what follows
	all int
	by  map[domain.Actor]int // never 0
}

// enter counts one more stream, which leave takes back. It fails with
// too_many_streams.
func (s *streams) enter(a domain.Actor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[a] >= s.each:
		return domain.Errorf(codeTooManyStreams, "the token has %d event streams open here, which is as many as it may", s.each)
	case s.all >= s.most:
		return domain.Errorf(codeTooManyStreams, "this node has %d event streams open, which is as many as it takes", s.most)
	}
	s.all++
	s.by[a]++
	return nil
}

func (s *streams) leave(a domain.Actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.by[a]--; s.by[a] == 0 {
		delete(s.by, a)
	}
}

// streamWriter writes to a client that may stop reading. Each write has a time
// limit of its own: there is none on the whole.
type streamWriter struct {
	http.ResponseWriter
	out   *http.ResponseController
	stall time.Duration

	mu      sync.Mutex // guards what follows
	writing bool
	cut     bool
}

var errCut = errors.New("api: the stream was cut off")

// send writes text and flushes it. It fails when the client took nothing for
// the stall time, and, at once, when the stream is cut off.
func (s *streamWriter) send(text []byte) error {
	if !s.begin() {
		return errCut
	}
	defer s.done()
	if _, err := s.Write(text); err != nil {
		return err
	}
	return s.out.Flush()
}

func (s *streamWriter) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return false
	}
	_ = s.out.SetWriteDeadline(time.Now().Add(s.stall)) // it fails only where nothing blocks
	s.writing = true
	return true
}

func (s *streamWriter) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
}

// cutOff makes a send that waits for the client return, and refuses the next.
// When none waits it does nothing to the connection, so that the stream can
// still end as it should.
func (s *streamWriter) cutOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
	if s.writing {
		_ = s.out.SetWriteDeadline(time.Unix(1, 0))
	}
}

// end gives what is still to be sent, text and the protocol's own end, a moment
// to leave. After a send that failed nothing is sent any more.
func (s *streamWriter) end(text string) {
	_ = s.out.SetWriteDeadline(time.Now().Add(lastWords))
	if text != "" {
		_, _ = s.Write([]byte(text))
	}
}
