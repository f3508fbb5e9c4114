package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// handoverPause is between looks at who leads.
const handoverPause = 10 * time.Millisecond

// answeredWithin is how lately a leader has heard of those who answer it: they
// do at least once a second, however late that arrives.
const answeredWithin = 2 * time.Second

// Leads tells whether the embedded server of a cluster leads the stream, and
// whether it leads JetStream's metadata, while so many of the others answer it
// that it stays the leader. One that they don't answer gives up by itself, in
// ten to twenty seconds, or is replaced sooner.
func (l *JetStream) Leads() (stream, metadata bool) {
	if l.member == nil || l.Settings().Replicas < 2 || l.isClosed() {
		return false, false
	}
	m, s := l.member.groups()
	own := l.member.srv.Name()
	return s.leader == own && answered(s.others), m.leader == own && answered(m.others)
}

// answered tells whether a leader has heard lately of so many that they are a
// majority with it.
func answered(others []*server.PeerInfo) bool {
	heard := 0
	for _, p := range others {
		if !p.Offline && p.Active <= answeredWithin {
			heard++
		}
	}
	return heard > 0 && 2*(heard+1) > len(others)+1
}

// HandOver has the embedded server of a cluster give up leading the stream and
// JetStream's metadata, so that its end, which is to follow, leaves no time
// without a leader. It returns when others lead both, with ctx's error when
// none of them is fit to. Elsewhere there is nothing to hand over, and it
// returns at once.
func (l *JetStream) HandOver(ctx context.Context) error {
	if l.member == nil || l.Settings().Replicas < 2 {
		return nil
	}
	if l.isClosed() {
		return ErrClosed
	}
	sys, err := l.member.inProcess(l.member.system).connectOnce(func(error) {})
	if err != nil {
		return fmt.Errorf("eventstore: hand over: %w", err)
	}
	defer sys.Close()
	var last error
	for {
		meta, stream := l.member.leaders()
		own := l.member.srv.Name()
		if meta != "" && meta != own && stream != "" && stream != own {
			return nil
		}
		last = nil
		if stream == own {
			last = l.stepDownFor(ctx, own)
		}
		if meta == own {
			last = errors.Join(last, ask(ctx, sys, server.JSApiLeaderStepDown, nil, nil))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("eventstore: hand over (metadata led by %q, stream by %q): %w",
				meta, stream, errors.Join(context.Cause(ctx), last))
		case <-l.closing:
			return ErrClosed
		case <-time.After(handoverPause):
		}
	}
}

// stepDownFor lets the server whose copy lacks least lead the stream instead
// of own.
func (l *JetStream) stepDownFor(ctx context.Context, own string) error {
	peers, err := l.Peers(ctx)
	if err != nil {
		return err
	}
	var best *Peer
	for i, p := range peers {
		if p.Name != own && p.Current && !p.Offline && (best == nil || p.Lag < best.Lag) {
			best = &peers[i]
		}
	}
	if best == nil {
		return errors.New("no other server has a current copy")
	}
	req := server.JSApiLeaderStepdownRequest{Placement: &server.Placement{Preferred: best.Name}}
	return ask(ctx, l.nc, fmt.Sprintf(server.JSApiStreamLeaderStepDownT, streamName), req, nil)
}
