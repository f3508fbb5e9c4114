package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// The shelf is the NATS key-value bucket hallpass-usage: a stream under a name,
// and with subjects, by which "nats kv" knows it.
const (
	shelfBucket = streamName + "-usage"
	shelfStream = "KV_" + shelfBucket
	shelfPrefix = "$KV." + shelfBucket + "."
)

// shelfBatch is how many values one request brings at most: fewer than 64 MiB
// of them, which is what a subscription holds.
const shelfBatch = 48

// wantedShelf is the bucket's configuration. It states no size: a node has a
// bounded number of keys, of bounded length.
func wantedShelf(replicas int) *server.StreamConfig {
	return &server.StreamConfig{
		Name:         shelfStream,
		Description:  "hallpass: when tokens were last used. It may be lost, and is then made again.",
		Subjects:     []string{shelfPrefix + ">"},
		Retention:    server.LimitsPolicy,
		MaxConsumers: -1,
		MaxMsgs:      -1,
		MaxBytes:     -1,
		MaxMsgsPer:   1,
		MaxMsgSize:   -1,
		Discard:      server.DiscardNew,
		Storage:      server.FileStorage,
		Replicas:     replicas,
		Duplicates:   2 * time.Minute,
		AllowRollup:  true,
		AllowDirect:  true,
		DenyDelete:   true,
	}
}

// shelf is the Shelf of a JetStream. It is made when it is first needed: an
// older hallpass has left none.
type shelf struct {
	log  *JetStream
	made atomic.Bool // it was there when last seen
}

// Shelf implements Log.
func (l *JetStream) Shelf() Shelf { return &l.shelf }

// ready makes the bucket if there is none.
func (s *shelf) ready(ctx context.Context) error {
	if err := s.log.over(ctx); err != nil {
		return err
	}
	if s.made.Load() {
		return nil
	}
	err := s.look(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // a cluster without a leader leaves it unanswered
		err = s.look(ctx)
	}
	if refusal(err) == server.JSStreamNotFoundErr {
		replicas := s.log.Settings().Replicas
		err = ask(ctx, s.log.nc, fmt.Sprintf(server.JSApiStreamCreateT, shelfStream), wantedShelf(replicas), nil)
		if err == nil {
			s.log.logger.Info("bucket created", "bucket", shelfBucket, "replicas", replicas)
		}
		if refusal(err) == server.JSStreamNameExistErr { // another node was first
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("eventstore: open the bucket %s: %w", shelfBucket, err)
	}
	s.made.Store(true)
	return nil
}

// look returns nil if the bucket is there.
func (s *shelf) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, soonTimeout)
	defer cancel()
	return ask(ctx, s.log.nc, fmt.Sprintf(server.JSApiStreamInfoT, shelfStream), nil, nil)
}

// failed is err with what was being done. A bucket that doesn't answer may have
// been deleted.
func (s *shelf) failed(what string, err error) error {
	s.made.Store(false)
	return fmt.Errorf("eventstore: %s the bucket %s: %w", what, shelfBucket, err)
}

// Put implements Shelf.
func (s *shelf) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	if err := checkPut(key, value); err != nil {
		return 0, err
	}
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stop, err := s.log.link.whileUp(cancel)
	if err != nil {
		return 0, err
	}
	defer stop()
	var msg *nats.Msg
	err = s.answered(ctx, func() (err error) {
		msg, err = s.log.nc.RequestWithContext(ctx, shelfPrefix+key, value)
		return err
	})
	if err != nil {
		return 0, s.failed("write to", err)
	}
	var ack server.JSPubAckResponse
	if err := json.Unmarshal(msg.Data, &ack); err != nil {
		return 0, s.failed("read the answer of", err)
	}
	switch {
	case ack.Error != nil:
		return 0, s.failed("write to", ack.Error)
	case ack.PubAck == nil || ack.Stream != shelfStream:
		return 0, s.failed("write to", errors.New("another stream took the value"))
	}
	return ack.Sequence, nil
}

// Since implements Shelf. Any replica may answer, so it may lag.
func (s *shelf) Since(ctx context.Context, after uint64, f func(key string, value []byte)) (uint64, error) {
	for after < math.MaxUint64 {
		if err := s.ready(ctx); err != nil {
			return after, err
		}
		var batch []Record
		var more bool
		err := s.answered(ctx, func() (err error) {
			batch, more, err = s.log.directBatch(ctx, shelfStream, shelfPrefix+">", Seq(after), shelfBatch)
			return err
		})
		if err != nil {
			return after, s.failed("read", err)
		}
		for _, r := range batch {
			f(strings.TrimPrefix(string(r.Subject), shelfPrefix), r.Data)
			after = uint64(r.Seq)
		}
		if !more || len(batch) == 0 {
			break
		}
	}
	return after, nil
}

// answered does again for a while what nobody takes: a bucket that was made
// just now, or has lost its leader.
func (s *shelf) answered(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(soonTimeout)
	for pause := firstPause; ; pause = longer(pause) {
		err := do()
		if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.log.closing:
			return ErrClosed
		case <-time.After(pause):
		}
	}
}
