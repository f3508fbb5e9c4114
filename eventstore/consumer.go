package eventstore

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// placeTries bounds how often a consumer is made anew because it landed on
// another server. Each takes some 2 ms. Of three servers one in 200,000 readers
// then still reads elsewhere, of five one in 800; or more, where servers are slow.
const (
	placeTries    = 30
	placePatience = time.Second
)

// ownAvoided is how long Read takes the server that comes after a reader of
// this process's own server was given up: its copy may be what was wrong.
const ownAvoided = 30 * time.Second

// place makes a consumer and returns the name of its server. The server picks
// one by lot among those that have a copy, and there is no way to ask for one:
// so where this process has a copy, a consumer that landed elsewhere is made
// anew a few times. Nothing is delivered before somebody subscribes to inbox.
func (l *JetStream) place(ctx context.Context, nc *nats.Conn, from Seq, inbox string) (replica string, err error) {
	own := ""
	if l.member != nil && time.Now().UnixNano() > l.avoidOwn.Load() &&
		l.member.srv.JetStreamIsStreamCurrent(ownAccount, streamName) {
		own = l.member.srv.Name()
	}
	began := time.Now()
	for try := 1; ; try++ {
		made, err := create(ctx, nc, from, inbox)
		if err != nil {
			return "", err
		}
		if made.ConsumerInfo == nil || made.Cluster == nil {
			return "", nil
		}
		if own == "" || made.Cluster.Leader == own || try == placeTries || time.Since(began) > placePatience {
			return made.Cluster.Leader, nil
		}
		err = ask(ctx, nc, fmt.Sprintf(server.JSApiConsumerDeleteT, streamName, made.Name), nil, nil)
		if err != nil && refusal(err) == 0 { // a refusal says that it is gone already
			return "", err
		}
	}
}

func create(ctx context.Context, nc *nats.Conn, from Seq, inbox string) (made server.JSApiConsumerCreateResponse, _ error) {
	ctx, cancel := context.WithTimeout(ctx, soonTimeout)
	defer cancel()
	err := ask(ctx, nc, fmt.Sprintf(server.JSApiConsumerCreateT, streamName), consumer(from, inbox), &made)
	return made, err
}

// left notes that a reader has ended.
func (l *JetStream) left(r *reader) {
	if l.member != nil && r.replica == l.member.srv.Name() {
		l.avoidOwn.Store(time.Now().Add(ownAvoided).UnixNano())
	}
}

// consumer asks for everything from the record numbered from, unfiltered, to
// inbox. The consumer goes five seconds after its reader.
func consumer(from Seq, inbox string) *server.CreateConsumerRequest {
	return &server.CreateConsumerRequest{
		Stream: streamName,
		Config: server.ConsumerConfig{
			DeliverSubject:    inbox,
			DeliverPolicy:     server.DeliverByStartSequence,
			OptStartSeq:       uint64(from),
			AckPolicy:         server.AckNone,
			ReplayPolicy:      server.ReplayInstant,
			FlowControl:       true,
			Heartbeat:         heartbeat,
			InactiveThreshold: 5 * time.Second,
			Replicas:          1,
			MemoryStorage:     true,
		},
	}
}
