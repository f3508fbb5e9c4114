package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// sample makes the records of a benchmark: one account, one token that issues
// all others, and then events about them, one in twenty an edit or a
// rotation of an earlier token. Every record is about as long as a real one.
type sample struct {
	next   domain.Seq // of the record to come; the genesis is there
	tokens int
	last   []domain.Seq // of each token
	steady bool         // no token gets another secret
	leaves int          // tokens with as many ancestors as one can have, which they share
}

const (
	benchAccount domain.AccountID = "bench"
	benchAdmin   domain.TokenID   = "admin"
)

func newSample() *sample { return &sample{next: 2} }

// secretOf is the secret of the token with that number.
func secretOf(n int) domain.Secret {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)*0x9e3779b97f4a7c15+1)
	binary.BigEndian.PutUint64(b[24:], uint64(n))
	return domain.NewSecret(b)
}

func tokenID(n int) domain.TokenID { return domain.TokenID("sensor-" + strconv.Itoa(n)) }

func deviceOf(n int) string { return "/device/sensor-" + strconv.Itoa(n) }

// start are the records that the others build on.
func (s *sample) start() []eventstore.Entry {
	everything := domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}}}
	start := []eventstore.Entry{
		s.entry(0, domain.Actor{}, "", domain.AccountOpened{Name: "bench"}),
		s.entry(0, domain.Actor{}, benchAdmin, domain.TokenIssued{
			Generation: 1, Name: "admin", Enabled: true, Kind: domain.KindAPI, Permissions: everything,
			Digest: secretOf(-1).Digest(),
		}),
	}
	if s.leaves == 0 {
		return start
	}
	parent := benchAdmin
	for i := range domain.MaxDepth - 1 + s.leaves {
		e := domain.TokenIssued{
			Generation: 1, Name: "derived", Enabled: true, Kind: domain.KindAPI, Digest: secretOf(leaf(i)).Digest(),
			Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/device", Actions: []domain.Action{"*"}}}},
			Parent:      &domain.Link{Token: parent, Generation: 1},
		}
		id := domain.TokenID("derived-" + strconv.Itoa(i))
		if i < domain.MaxDepth-1 {
			parent = id
		}
		start = append(start, s.entry(0, domain.Actor{}, id, e))
	}
	return start
}

// leaf is the number of the secret of a derived token: the first few are those
// that the others are derived from.
func leaf(i int) int { return -1<<40 - i }

// event is the next event.
func (s *sample) event() eventstore.Entry {
	by := domain.Actor{Account: benchAccount, Token: benchAdmin, Generation: 1}
	if n := s.tokens; n%4 == 3 && int(s.next)%5 == 0 {
		about := n / 2
		seq := s.last[about]
		s.last[about] = s.next
		return s.entry(seq, by, tokenID(about), s.change(about))
	}
	n := s.tokens
	s.tokens++
	s.last = append(s.last, s.next)
	return s.entry(0, by, tokenID(n), domain.TokenIssued{
		Generation: 1, Name: "sensor " + strconv.Itoa(n), Enabled: true, Kind: domain.KindAPI,
		Tags: []domain.Tag{{Key: "site", Value: "north"}},
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{
			{Resource: domain.Pattern(deviceOf(n)), Actions: []domain.Action{"AccessDeviceResources", "Read*"}},
		}},
		Digest: secretOf(n).Digest(),
	})
}

func (s *sample) change(n int) domain.Event {
	switch {
	case s.next%3 == 0 && !s.steady:
		return domain.TokenRotated{Digest: secretOf(-2 - int(s.next)).Digest()}
	case s.next%3 == 1:
		return domain.TokenEdited{Tags: &[]domain.Tag{{Key: "site", Value: "south"}}}
	}
	name := "renamed " + strconv.Itoa(n)
	return domain.TokenEdited{Name: &name}
}

func (s *sample) entry(expect domain.Seq, by domain.Actor, token domain.TokenID, e domain.Event) eventstore.Entry {
	at := domain.Instant(1_790_000_000_000 + int64(s.next))
	var entropy [10]byte
	binary.BigEndian.PutUint64(entropy[:], uint64(s.next))
	f := &domain.Fact{
		ID: domain.NewEventID(at, entropy), Time: at, Actor: by, Request: "01K5ZZZZZZZZZZZZZZZZZZZZZZ",
		Account: benchAccount, Token: token, Event: e,
	}
	if !by.IsOperator() {
		f.Authorised = 3 // where start leaves the stream
	}
	s.next++
	return eventstore.Entry{Subject: eventstore.SubjectOf(f), Expect: expect, ID: f.ID, Type: e.Type(), Data: domain.Encode(f)}
}

// fill writes the start and then events until there are enough.
func (s *sample) fill(ctx context.Context, n *benchNode, enough func() bool) error {
	queue := s.start()
	err := n.bare.Fill(ctx, func() (eventstore.Entry, bool) {
		switch {
		case len(queue) > 0:
			e := queue[0]
			queue = queue[1:]
			return e, true
		case enough():
			return eventstore.Entry{}, false
		}
		return s.event(), true
	})
	if err != nil {
		return err
	}
	last, err := n.log.Last(ctx)
	if err == nil && last != s.next-1 {
		err = fmt.Errorf("the stream holds %d records after %d were written", last, s.next-1)
	}
	return err
}

// benchNode is a node without a door.
type benchNode struct {
	log  *eventstore.JetStream
	bare *eventstore.Bare
	proj *projections.Projection // nil: not opened yet
	svc  *api.Service
}

// openBench opens an embedded stream in dir.
func openBench(ctx context.Context, cfg eventstore.EmbedConfig) (*benchNode, error) {
	cfg.Logger = slog.New(slog.DiscardHandler)
	log, err := eventstore.OpenEmbedded(ctx, cfg)
	if err != nil {
		return nil, err
	}
	bare, err := log.Bare()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &benchNode{log: log, bare: bare}, nil
}

// follow opens the projection and the service, and waits until it is live.
func (n *benchNode) follow(ctx context.Context) error {
	quiet := slog.New(slog.DiscardHandler)
	n.proj = projections.Open(n.log, projections.Config{Logger: quiet})
	n.svc = api.NewService(api.ServiceConfig{Log: n.log, Projection: n.proj, Logger: quiet})
	return n.proj.Ready(ctx)
}

func (n *benchNode) close() {
	if n.proj != nil {
		n.proj.Close()
	}
	n.bare.Close()
	_ = n.log.Close() // the directory is removed next
}
