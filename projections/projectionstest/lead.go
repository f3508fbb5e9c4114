package projectionstest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// lead is which process's server leads the log of a play, and how late the
// others' answers come to it: so much later does a record come to everyone.
type lead struct {
	mu       sync.Mutex // guards what follows
	server   *Link      // nil: one beside all processes
	metadata *Link      // whose server leads that; nil: likewise
	late     time.Duration
	firm     bool // nobody takes over
	asked    int  // how often somebody was to take over, since it was set
}

// set has a process's server lead from here on.
func (d *lead) set(server *Link, late time.Duration, firm bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server, d.late, d.firm, d.asked = server, late, firm, 0
}

func (d *lead) setMetadata(server *Link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.metadata = server
}

func (d *lead) lag() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.late
}

func (d *lead) is(server *Link) (stream, metadata bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server == server, d.metadata == server
}

func (d *lead) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *lead) handOver(server *Link) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.firm {
		return errors.New("nobody takes over")
	}
	if d.server == server {
		d.server, d.late = nil, 0
	}
	if d.metadata == server {
		d.metadata = nil
	}
	return nil
}

func (s *Script) leads(l *Link) (words string) {
	stream, metadata := l.Leads()
	if stream {
		words = "stream"
	}
	if metadata {
		words += " metadata"
	}
	return words
}

// Leads tells whether the process's own server leads the log, and its metadata.
func (l *Link) Leads() (stream, metadata bool) {
	if l.lead == nil {
		return false, false
	}
	return l.lead.is(l)
}

// HandOver has another server lead both.
func (l *Link) HandOver(context.Context) error {
	if l.lead == nil {
		return nil
	}
	return l.lead.handOver(l)
}
