package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// apiTimeout bounds one request to JetStream's API.
const apiTimeout = 5 * time.Second

// soonTimeout bounds those that are simply asked again. A request to a cluster
// that has no leader just then gets no answer, also after there is one, and a
// node's lease runs meanwhile.
const soonTimeout = 2 * time.Second

// streamInfo is what hallpass reads of a stream's information.
type streamInfo struct {
	Config  json.RawMessage     `json:"config"`
	State   server.StreamState  `json:"state"`
	Cluster *server.ClusterInfo `json:"cluster"`
}

// config returns the settings as the server's type.
func (i *streamInfo) config() (server.StreamConfig, error) {
	var c server.StreamConfig
	if err := json.Unmarshal(i.Config, &c); err != nil {
		return c, fmt.Errorf("eventstore: read the configuration of stream %q: %w", streamName, err)
	}
	return c, nil
}

// ask sends one request to JetStream's API and decodes the answer into resp.
// The error is an *server.ApiError when JetStream refused.
func ask(ctx context.Context, nc *nats.Conn, subject string, req, resp any) error {
	var body []byte
	if req != nil {
		var err error
		if body, err = json.Marshal(req); err != nil {
			return fmt.Errorf("encode the request %s: %w", subject, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	msg, err := nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("request %s: %w", subject, err)
	}
	var head struct {
		Error *server.ApiError `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &head); err != nil {
		return fmt.Errorf("read the answer to %s: %w", subject, err)
	}
	if head.Error != nil {
		return head.Error
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(msg.Data, resp); err != nil {
		return fmt.Errorf("read the answer to %s: %w", subject, err)
	}
	return nil
}

func askInfo(ctx context.Context, nc *nats.Conn) (*streamInfo, error) {
	info := new(streamInfo)
	ctx, cancel := context.WithTimeout(ctx, soonTimeout)
	defer cancel()
	if err := ask(ctx, nc, fmt.Sprintf(server.JSApiStreamInfoT, streamName), nil, info); err != nil {
		return nil, err
	}
	return info, nil
}

// askRecord returns record seq as the stream's leader has it.
func askRecord(ctx context.Context, nc *nats.Conn, seq uint64) (*server.StoredMsg, error) {
	return askOne(ctx, nc, server.JSApiMsgGetRequest{Seq: seq})
}

// askLast returns the newest record of s as the stream's leader has it.
func askLast(ctx context.Context, nc *nats.Conn, s Subject) (*server.StoredMsg, error) {
	return askOne(ctx, nc, server.JSApiMsgGetRequest{LastFor: string(s)})
}

func askOne(ctx context.Context, nc *nats.Conn, req server.JSApiMsgGetRequest) (*server.StoredMsg, error) {
	var resp server.JSApiMsgGetResponse
	if err := ask(ctx, nc, fmt.Sprintf(server.JSApiMsgGetT, streamName), req, &resp); err != nil {
		return nil, err
	}
	if resp.Message == nil {
		return nil, errors.New("an answer without a message")
	}
	return resp.Message, nil
}

// refusal returns JetStream's error code within err; 0: it is none.
func refusal(err error) server.ErrorIdentifier {
	var api *server.ApiError
	if errors.As(err, &api) {
		return server.ErrorIdentifier(api.ErrCode)
	}
	return 0
}
