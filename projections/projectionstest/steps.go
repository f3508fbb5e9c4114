package projectionstest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

const (
	linkOut = eventstoretest.Out
	linkIn  = eventstoretest.In
)

// start starts processes, and waits until they answer, or a minute.
func (s *Script) start(w []string, o map[string]string) Result {
	var started []*Process
	for _, label := range w[1:] {
		if label == "ended" {
			continue
		}
		cfg := projections.NodeConfig{Name: domain.NodeName(label), Lease: 2 * time.Second, FollowOnly: w[0] == "follower"}
		clock, head := NewClock(), &HeadInMemory{}
		if w[0] == "restart" {
			old := s.Node(label)
			cfg, clock, head = old.cfg, old.Clock, old.head
			cfg.Ended = nil
			if w[len(w)-1] == "ended" {
				cfg.Ended = []domain.Incarnation{old.cfg.Incarnation}
			}
		}
		if o["name"] != "" {
			cfg.Name = domain.NodeName(o["name"])
		}
		if o["lease"] != "" {
			cfg.Lease = duration(o["lease"])
		}
		if o["stale"] != "" {
			cfg.ServeStale = duration(o["stale"])
		}
		n := s.Start(label, cfg, clock, head, func(l *Link) {
			l.ReadFrom(o["reads"])
			if o["lag"] != "" {
				l.Lag(duration(o["lag"]))
			}
		})
		started = append(started, n)
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	for _, n := range started {
		if err := n.Ready(ctx); err != nil {
			return Result{Words: "not ready: " + err.Error()}
		}
	}
	return Result{Words: "ready"}
}

// everyone has every node check every token: those that are stopped when they go on.
func (s *Script) everyone() {
	s.mu.Lock()
	nodes, tokens := slices.Sorted(maps.Keys(s.nodes)), slices.Sorted(maps.Keys(s.tokens))
	s.mu.Unlock()
	for _, n := range nodes {
		for _, t := range tokens {
			s.Play.works.Go(func() { s.Check(n, string(t)) })
		}
	}
}

// members are the labels of those that a node knows of, each with * if it
// differs.
func (s *Script) members(n *Process) Result {
	var words []string
	for _, m := range n.Members() {
		s.mu.Lock()
		label := s.labels[m.Incarnation]
		s.mu.Unlock()
		if m.Differs {
			label += "*"
		}
		words = append(words, label)
	}
	return Result{Words: strings.Join(words, " ")}
}

func (s *Script) reach(n *Process, seq eventstore.Seq, d time.Duration) Result {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	if n.Position.Wait(ctx, seq) != nil {
		return Result{Words: "late"}
	}
	return Result{Words: "reached"}
}

func (s *Script) subjectOf(token string) eventstore.Subject {
	return eventstore.TokenSubject(s.account, domain.TokenID(token))
}

// spoil has the token's next record not come, or come as one that does no harm.
func (s *Script) spoil(how string, l *Link, subject eventstore.Subject) {
	last, _ := s.Log.Last(s.ctx)
	if how == "skip" {
		l.OnDeliver(func(rec eventstore.Record) int {
			if rec.Subject == subject && rec.Seq > last {
				return 0
			}
			return 1
		})
		return
	}
	l.Alter(func(rec *eventstore.Record) {
		if rec.Subject != subject || rec.Seq <= last {
			return
		}
		if f, err := domain.Decode(rec.Data); err == nil {
			f.Event = domain.TokenEdited{ExpiresAt: new(domain.Instant)}
			rec.Data = domain.Encode(f)
		}
	})
}
