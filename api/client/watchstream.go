package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"hallpass/api/wire"
)

const maxLine = 1 << 20 // bytes of one event's line; an event has at most 60 KiB

// errAnswer is an event that can't be read: trying again would meet it again.
var errAnswer = errors.New("the server sent an event that this client can't read")

// final tells whether another try would end the same way.
func final(err error) bool {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status/100 == 4 && p.Status != http.StatusTooManyRequests
	}
	return errors.Is(err, errAnswer)
}

// eventStream is one connection to /v1/events.
type eventStream struct {
	from  string // the server
	body  io.Closer
	lines *bufio.Scanner
	at    uint64 // the revision that it starts after; Now: the server didn't say
	id    string // of the frame before, as the format has it
}

// events opens a stream of what comes after that revision, or Now. A refusal
// is a *Problem.
func (c *Client) events(ctx context.Context, query url.Values, after uint64) (*eventStream, error) {
	header := http.Header{"Accept": {"text/event-stream"}}
	if after != Now {
		header.Set("Last-Event-Id", strconv.FormatUint(after, 10))
	}
	resp, err := c.send(ctx, call{method: http.MethodGet, path: []string{"v1", "events"}, query: query}, header)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close() //nolint:errcheck // nothing was written
		return nil, problemOf(resp)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: %s is no event stream", errAnswer, kind)
	}
	s := &eventStream{from: c.Server(), body: resp.Body, lines: bufio.NewScanner(resp.Body), at: after}
	s.lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	if at, err := strconv.ParseUint(resp.Header.Get("Hallpass-Revision"), 10, 64); err == nil && after == Now {
		s.at = at
	}
	return s, nil
}

func (s *eventStream) close() { _ = s.body.Close() }

// frame is what stands up to an empty line. Without an event it is a sign of
// life.
type frame struct {
	event *wire.Event
	at    uint64 // the revision to resume from; 0: none is known
}

// next waits for a frame. Its error is final, or the connection's end.
func (s *eventStream) next() (frame, error) {
	var data []byte
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "id":
			s.id = value
		case name == "data":
			data = append(append(data, value...), '\n')
		case s.lines.Text() == "":
			return s.frame(data)
		}
	}
	if err := s.lines.Err(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return frame{}, fmt.Errorf("reading events from %s: %w", s.from, err)
	}
	return frame{}, io.ErrUnexpectedEOF
}

func (s *eventStream) frame(data []byte) (frame, error) {
	at, err := strconv.ParseUint(s.id, 10, 64)
	if len(data) == 0 {
		return frame{at: at}, nil
	}
	if err != nil {
		return frame{}, fmt.Errorf("%w: it has no revision", errAnswer)
	}
	f := frame{event: new(wire.Event), at: at}
	if err := json.Unmarshal(data, f.event); err != nil {
		return frame{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return f, nil
}
