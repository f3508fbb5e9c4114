package eventstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// typeHeader holds the event's type, for subscribers outside.
const typeHeader = "Hp-Type"

// How long one publish waits for its answer before the same record is published
// again. A sync of a busy disk takes less. Of several replicas, one that just
// ceased to lead drops what it was sent, and asking again there is answered with
// the record's own place.
const (
	attemptTimeout           = 3 * time.Second
	replicatedAttemptTimeout = time.Second
)

// Append implements Log.
func (l *JetStream) Append(ctx context.Context, e Entry) (Seq, error) {
	return l.append(ctx, message(e), e.Expect)
}

// append publishes msg until the outcome is known. A process that dies here
// leaves the record stored or not; its next life finds it in the stream.
func (l *JetStream) append(ctx context.Context, msg *nats.Msg, expect Seq) (Seq, error) {
	return l.untilKnown(ctx, func() (Seq, outcome, error) { return l.publish(ctx, msg, expect) })
}

func message(e Entry) *nats.Msg {
	return &nats.Msg{
		Subject: string(e.Subject),
		Data:    e.Data,
		Header: nats.Header{
			server.JSMsgId:               {e.ID.String()},
			server.JSExpectedLastSubjSeq: {strconv.FormatUint(uint64(e.Expect), 10)},
			typeHeader:                   {e.Type},
		},
	}
}

// outcome is what is known after one try to publish.
type outcome uint8

const (
	stored   outcome = iota + 1 // at the sequence that came with it
	refused                     // for good
	notTaken                    // not stored; another try may do
	inDoubt                     // stored or not; another try tells
)

// untilKnown repeats try, which publishes, until the outcome is known.
func (l *JetStream) untilKnown(ctx context.Context, try func() (Seq, outcome, error)) (Seq, error) {
	var last error
	doubt, full := false, false
	for pause := firstPause; ; pause = longer(pause) {
		if err := cmp.Or(l.over(ctx), l.broken()); err != nil {
			return 0, givenUp(err, last, doubt)
		}
		seq, out, err := try()
		switch {
		case out == stored:
			return seq, nil
		case errors.Is(err, ErrFull) && !full:
			// The same code comes from a stream that is being closed; only a
			// stream that is full says it twice.
			full = true
		case out == refused:
			var conflict *ConflictError
			if doubt && !errors.As(err, &conflict) {
				return 0, fmt.Errorf("%w (an earlier try had no answer; a later one: %s)", ErrUnknown, err.Error())
			}
			return 0, err
		case out == inDoubt:
			doubt, full = true, false
		default:
			full = false
		}
		last = err
		select {
		case <-ctx.Done():
		case <-l.closing:
		case <-time.After(pause):
		}
	}
}

// over returns why no further try is to be made, or nil.
func (l *JetStream) over(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if l.isClosed() {
		return ErrClosed
	}
	return nil
}

// givenUp is the answer to an append that ended without an outcome. The last
// try's own error is told, not wrapped: its time-out isn't the caller's.
func givenUp(why, last error, doubt bool) error {
	switch {
	case doubt && errors.Is(why, ErrFull): // not ErrFull itself: that says not stored
		return fmt.Errorf("%w: %s", ErrUnknown, why.Error())
	case doubt:
		return fmt.Errorf("%w: %w (last: %s)", ErrUnknown, why, last.Error())
	case last != nil:
		return fmt.Errorf("eventstore: append: %w (last: %s)", why, last.Error())
	}
	return why
}

// publish sends msg once and reads the answer.
func (l *JetStream) publish(ctx context.Context, msg *nats.Msg, expect Seq) (Seq, outcome, error) {
	data, out, err := l.request(ctx, msg)
	if err != nil {
		return 0, out, err
	}
	return answer(Subject(msg.Subject), data, expect)
}

// request sends msg once and waits for the answer, at most as long as an attempt
// takes and not beyond the connection's life. The outcome is that of an error.
func (l *JetStream) request(ctx context.Context, msg *nats.Msg) ([]byte, outcome, error) {
	patience := attemptTimeout
	if l.Settings().Replicas > 1 {
		patience = replicatedAttemptTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop, err := l.link.whileUp(cancel)
	if err != nil {
		return nil, notTaken, err
	}
	defer stop()
	resp, err := l.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		out, err := unsent(err)
		return nil, out, err
	}
	return resp.Data, 0, nil
}

// unsent tells what is known of a message whose sending erred so.
func unsent(err error) (outcome, error) {
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded):
		return notTaken, err
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject),
		errors.Is(err, nats.ErrHeadersNotSupported):
		return refused, fmt.Errorf("eventstore: append: %w", err)
	}
	return inDoubt, err
}

// answer reads what JetStream says about a publish.
func answer(s Subject, data []byte, expect Seq) (Seq, outcome, error) {
	var ack struct {
		Seq   uint64           `json:"seq"`
		Error *server.ApiError `json:"error"`
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, inDoubt, fmt.Errorf("read the answer to a publish: %w", err)
	}
	if ack.Error == nil {
		if ack.Seq == 0 {
			return 0, inDoubt, errors.New("an answer to a publish without a sequence")
		}
		return Seq(ack.Seq), stored, nil // a duplicate too: it is the same record
	}
	// What each code means was read from nats-server's stream.go,
	// jetstream_batching.go and jetstream_cluster.go.
	switch server.ErrorIdentifier(ack.Error.ErrCode) {
	case server.JSStreamWrongLastSequenceErrF:
		last := lastOf(ack.Error.Description)
		if last == expect {
			// The server couldn't load the subject's last record.
			return 0, notTaken, ack.Error
		}
		return 0, refused, &ConflictError{Subject: s, Last: last}
	case server.JSStreamWrongLastSequenceConstantErr, // another write of the subject is in flight
		server.JSStreamDuplicateMessageConflict, // an earlier try is
		server.JSStreamExpectedLastSeqPerSubjectNotReady,
		server.JSStreamTooManyRequests, server.JSClusterNotAvailErr, server.JSClusterNotLeaderErr,
		server.JSStreamOfflineErr, server.JSNotEnabledErr, server.JSStreamSequenceNotMatchErr,
		server.JSAtomicPublishIncompleteBatchErr, // a message of the batch was lost, or its leader is
		server.JSAtomicPublishTooManyInflight:
		return 0, notTaken, ack.Error
	case server.JSAtomicPublishContainsDuplicateMessageErr:
		return 0, refused, errDuplicate
	case server.JSStreamStoreFailedF, server.JSInsufficientResourcesErr,
		server.JSAccountResourcesExceededErr, server.JSStorageResourcesExceededErr:
		return 0, refused, fmt.Errorf("%w (%s)", ErrFull, ack.Error.Description)
	}
	if ack.Error.Code >= 500 {
		return 0, notTaken, ack.Error
	}
	return 0, refused, fmt.Errorf("eventstore: append: the server refused the record: %w", ack.Error)
}

// lastOf returns the number at the end of "wrong last sequence: 7"; 0: none.
func lastOf(description string) Seq {
	n, err := strconv.ParseUint(description[strings.LastIndexByte(description, ' ')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return Seq(n)
}
