package eventstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"hallpass/domain"
)

// newGenesis returns the fact that starts a stream, with a random stream id.
// The operator is its actor.
func newGenesis(now time.Time) *domain.Fact {
	at := domain.InstantOf(now)
	var entropy [10]byte
	var stream [16]byte
	// Read never fails: crypto/rand ends the program instead.
	_, _ = rand.Read(entropy[:])
	_, _ = rand.Read(stream[:])
	return &domain.Fact{
		ID:      domain.NewEventID(at, entropy),
		Time:    at,
		Account: domain.RootAccount,
		Event:   domain.Genesis{Stream: stream},
	}
}

func genesisEntry(f *domain.Fact) Entry {
	return Entry{Subject: SubjectOf(f), ID: f.ID, Type: f.Event.Type(), Data: domain.Encode(f)}
}

// openGenesis returns the stream's id, and appends the genesis first when the
// stream is empty. Of several nodes that open an empty stream one wins, and
// all read that one's. A crash after the append leaves a whole stream.
func (l *JetStream) openGenesis(ctx context.Context) ([16]byte, error) {
	var id [16]byte
	err := l.untilAnswered(ctx, "read the stream's first record", func() error {
		var err error
		id, err = l.readGenesis(ctx)
		if refusal(err) != server.JSNoMessageFoundErr {
			return err
		}
		if err := l.startStream(ctx); err != nil {
			return err
		}
		id, err = l.readGenesis(ctx)
		if refusal(err) == server.JSNoMessageFoundErr && l.Settings().Replicas < 2 {
			return final(fmt.Errorf("eventstore: the first record of the stream %q can't be read: its store is damaged; "+
				"restore it from a backup, or point hallpass at another server", streamName))
		}
		return err
	})
	return id, err
}

// startStream appends the genesis to an empty stream; that another node won
// is no error.
func (l *JetStream) startStream(ctx context.Context) error {
	info, err := askInfo(ctx, l.nc)
	if err != nil {
		return err
	}
	if info.State.FirstSeq > 1 {
		return final(fmt.Errorf("eventstore: the stream %q lacks its first records (it begins at %d); "+
			"restore it from a backup, or point hallpass at another server", streamName, info.State.FirstSeq))
	}
	msg := message(genesisEntry(newGenesis(time.Now())))
	msg.Header.Set(server.JSExpectedLastSeq, "0")
	_, err = l.append(ctx, msg, 0)
	if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
		return nil
	}
	return err
}

func (l *JetStream) readGenesis(ctx context.Context) ([16]byte, error) {
	msg, err := askRecord(ctx, l.nc, 1)
	if err != nil {
		return [16]byte{}, err
	}
	if Subject(msg.Subject) == GenesisSubject {
		if fact, err := domain.Decode(msg.Data); err == nil {
			if g, ok := fact.Event.(domain.Genesis); ok {
				return g.Stream, nil
			}
		}
	}
	return [16]byte{}, final(fmt.Errorf("eventstore: the first record of the stream %q is no genesis "+
		"that this version can read (subject %s); if a newer hallpass made it, run that one, "+
		"else point hallpass at another server", streamName, msg.Subject))
}
