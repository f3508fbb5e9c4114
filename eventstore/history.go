package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"hallpass/domain"
)

// historyBatch is how many records one request for history brings at most.
const historyBatch = 256

// History implements Log. Any replica may answer, so it may lag.
func (l *JetStream) History(ctx context.Context, s Subject, after Seq, limit int) ([]Record, error) {
	var out []Record
	for len(out) < limit && after < math.MaxUint64 {
		if err := l.over(ctx); err != nil {
			return nil, err
		}
		batch, more, err := l.directBatch(ctx, streamName, string(s), after, min(limit-len(out), historyBatch))
		if err != nil {
			return nil, fmt.Errorf("eventstore: history of %s: %w", s, err)
		}
		out = append(out, batch...)
		if !more || len(batch) == 0 {
			break
		}
		after = out[len(out)-1].Seq
	}
	return out, nil
}

// directBatch asks a stream for up to n messages under a subject, which may be
// a pattern; more: the server has others.
func (l *JetStream) directBatch(ctx context.Context, stream, subject string, after Seq, n int) (out []Record, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	stop, err := l.link.whileUp(cancel)
	if err != nil {
		return nil, false, err
	}
	defer stop()
	req, err := json.Marshal(server.JSApiMsgGetRequest{Seq: uint64(after) + 1, NextFor: subject, Batch: n})
	if err != nil {
		return nil, false, err
	}
	inbox := nats.NewInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, false, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is gone, and the subscription with it
	if err := l.nc.PublishRequest(fmt.Sprintf(server.JSDirectMsgGetT, stream), inbox, req); err != nil {
		return nil, false, err
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, false, err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
			rec, err := direct(msg)
			if err != nil {
				return nil, false, err
			}
			if prev := msg.Header.Get(server.JSLastSequence); prev != lastSeq(out) {
				return nil, false, errors.New("a record of the answer was lost")
			}
			out = append(out, rec)
		case "204": // the end of the batch
			if prev := msg.Header.Get(server.JSLastSequence); prev != lastSeq(out) {
				return nil, false, errors.New("a record of the answer was lost")
			}
			return out, msg.Header.Get(server.JSNumPending) != "0", nil
		case "404": // none
			return nil, false, nil
		case "503":
			return nil, false, nats.ErrNoResponders
		default:
			return nil, false, fmt.Errorf("the server says %s %s", status, msg.Header.Get("Description"))
		}
	}
}

// lastSeq is how the server names the record before, within one answer.
func lastSeq(out []Record) string {
	if len(out) == 0 {
		return "0"
	}
	return strconv.FormatUint(uint64(out[len(out)-1].Seq), 10)
}

// direct reads a record from the answer to a direct get.
func direct(msg *nats.Msg) (Record, error) {
	seq, err := strconv.ParseUint(msg.Header.Get(server.JSSequence), 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("read the record's sequence: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, msg.Header.Get(server.JSTimeStamp))
	if err != nil {
		return Record{}, fmt.Errorf("read the record's time: %w", err)
	}
	return Record{
		Seq: Seq(seq), Stored: domain.InstantOf(at), Subject: Subject(msg.Header.Get(server.JSSubject)), Data: msg.Data,
		Foreign: foreignHeader(msg.Header),
	}, nil
}
