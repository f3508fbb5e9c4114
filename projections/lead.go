package projections

import (
	"context"
	"time"
)

// leader is a log of several servers, one of them this process's own.
type leader interface {
	// Leads tells whether that one leads the stream, and whether it leads the
	// metadata, by which readers are made; as long as the others answer it.
	Leads() (stream, metadata bool)

	// HandOver has another one lead both, and returns when it does.
	HandOver(ctx context.Context) error
}

const (
	leadLook = time.Second      // between looks
	leadLate = 3                // at so many looks in a row proof is late, and another one is to lead the stream
	leadMost = 60               // the same, after handing over did not help again and again
	leadMeta = 2                // times as many, and another one is to lead the metadata
	leadTime = 10 * time.Second // how long handing over may take
)

// lead lets another server lead when proof comes too late through this
// process's own one. The others replace a leader that is gone. One that hears
// them late they keep: its heartbeats reach them in time, while every write and
// every proof, of every node, takes as long as its link, and no node may have a
// lease. Only the leader's own node judges: at another one, late proof may be
// that node's own trouble. For the same reason, who leads the metadata alone
// leaves the stream's leader time to go first.
func (l *life) lead(ctx context.Context) {
	server, ok := l.log.(leader)
	if !ok {
		return
	}
	late, enough := 0, leadLate
	for l.pause(ctx, leadLook) == nil {
		if l.proven() {
			late, enough = 0, leadLate
			continue
		}
		stream, metadata := server.Leads()
		if l.firstReplay() || !stream && !metadata {
			late = 0
			continue
		}
		if late++; late < enough || !stream && late < leadMeta*enough {
			continue
		}
		late, enough = 0, min(2*enough, leadMost)
		l.handOver(ctx, server)
	}
}

// proven tells whether more than half of the lease is left. The rest must do
// for the others, whose leases are as old, until another server leads.
func (l *life) proven() bool {
	age, p := l.asker.lease.standing()
	return p != nil && age <= p.length/2
}

// firstReplay tells whether the node is reading what was before it began, which
// takes as long as it takes.
func (l *life) firstReplay() bool {
	select {
	case <-l.follower.caught:
		return false
	default:
		return l.follower.status().Phase == Replaying
	}
}

func (l *life) handOver(life context.Context, server leader) {
	l.logger.Warn("this node's server leads, and proof of being current comes back too late; another one is to lead")
	ctx, cancel := context.WithTimeout(life, leadTime)
	defer cancel()
	if err := server.HandOver(ctx); err != nil && life.Err() == nil {
		l.logger.Warn("no other server leads yet", "error", err)
	}
}
