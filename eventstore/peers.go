package eventstore

import (
	"context"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
)

// Peer is one server that keeps a copy of the stream.
type Peer struct {
	Name    string
	Current bool // as the leader believes: no proof that the copy is right or fresh
	Offline bool
	Leader  bool
	Lag     uint64 // records that the copy lacks, as the leader believes
}

// Peers returns the servers that keep the stream, the leader first; none when
// the server stands alone. The error says that the stream has no leader now,
// or can't be asked.
func (l *JetStream) Peers(ctx context.Context) ([]Peer, error) {
	info, err := l.info(ctx)
	if err != nil || info.Cluster == nil {
		return nil, err
	}
	var peers []Peer
	if leader := info.Cluster.Leader; leader != "" {
		peers = append(peers, Peer{Name: leader, Current: true, Leader: true})
	}
	for _, p := range info.Cluster.Replicas {
		peers = append(peers, Peer{Name: p.Name, Current: p.Current, Offline: p.Offline, Lag: p.Lag})
	}
	return peers, nil
}

// StepDown asks the stream's leader to let another server lead. It returns
// when that was answered; the next leader may need a moment more.
func (l *JetStream) StepDown(ctx context.Context) error {
	if l.isClosed() {
		return ErrClosed
	}
	if err := ask(ctx, l.nc, fmt.Sprintf(server.JSApiStreamLeaderStepDownT, streamName), nil, nil); err != nil {
		return fmt.Errorf("eventstore: ask the stream's leader to step down: %w", err)
	}
	return nil
}
