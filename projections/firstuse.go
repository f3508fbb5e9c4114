package projections

import (
	"context"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
)

// FirstUse names a secret that was used, and whose first use ends the older
// ones of its token.
type FirstUse struct {
	Account domain.AccountID
	Token   domain.TokenID
	Digest  domain.Digest
}

// FirstUses holds what Config.FirstUsed tells until it has been seen to. It
// keeps no check waiting, and it is bounded: what does not fit is left out, and
// the secret's next use tells it again.
type FirstUses struct {
	wake chan struct{} // holds a signal when something may wait

	mu      sync.Mutex // guards waiting
	waiting map[FirstUse]struct{}
}

// firstUsesKept is how many uses wait at most.
const firstUsesKept = 1024

// NewFirstUses returns one that holds nothing.
func NewFirstUses() *FirstUses {
	return &FirstUses{wake: make(chan struct{}, 1), waiting: map[FirstUse]struct{}{}}
}

// Note is for Config.FirstUsed.
func (u *FirstUses) Note(account domain.AccountID, token domain.TokenID, digest domain.Digest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.waiting) >= firstUsesKept {
		return
	}
	u.waiting[FirstUse{account, token, digest}] = struct{}{}
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Wait returns all that waits, as soon as there is something. It waits on until
// Done. Its only error is ctx's.
func (u *FirstUses) Wait(ctx context.Context) ([]FirstUse, error) {
	for {
		if all := u.all(); len(all) > 0 {
			return all, nil
		}
		select {
		case <-u.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (u *FirstUses) all() []FirstUse {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]FirstUse, 0, len(u.waiting))
	for use := range u.waiting {
		all = append(all, use)
	}
	return all
}

// Done takes out what has been seen to.
func (u *FirstUses) Done(use FirstUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.waiting, use)
}

// Retires tells whether the use still ends older secrets, as far as this node
// has applied.
func (d *Directory) Retires(use FirstUse) bool {
	t, ok := d.Token(use.Account, use.Token)
	if !ok {
		return false
	}
	for i := range t.Secrets {
		if t.Secrets[i].Digest == use.Digest {
			return t.Secrets[i].Retires
		}
	}
	return false
}

const (
	topicUsed   = "used"      // firstUsed: to one of the servers
	usedServers = serversAre  // who share the work
	tellAgain   = time.Second // between two messages about the same use
)

// firstUsed tells a server of a use, for nodes that write no records about tokens.
// Whoever may send on the bus can tell it, used or not: it ends the overlap of a
// rotation that asks for that, and nothing else.
type firstUsed struct {
	Stream  hex16            `json:"stream"`
	Account domain.AccountID `json:"account"`
	Token   domain.TokenID   `json:"token"`
	Digest  hex32            `json:"digest"`
}

// TellFirstUses passes what u holds on to the servers, each use until this node
// has applied that it was seen to. It returns when the projection has ended.
func (p *Projection) TellFirstUses(u *FirstUses) {
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() {
		<-p.follower.done
		cancel()
	})
	stream := p.log.Settings().Stream
	for {
		all, err := u.Wait(ctx)
		if err != nil {
			return
		}
		for _, use := range all {
			if !p.Directory.Retires(use) {
				u.Done(use)
				continue
			}
			m := firstUsed{Stream: stream, Account: use.Account, Token: use.Token, Digest: hex32(use.Digest)}
			_ = p.log.Send(topicUsed, encode(m)) // or the next time
		}
		select {
		case <-time.After(tellAgain):
		case <-ctx.Done():
			return
		}
	}
}

// HearFirstUses notes in u what other nodes of the log tell, until stop.
func HearFirstUses(log eventstore.Log, u *FirstUses) (stop func(), err error) {
	stream := log.Settings().Stream
	return log.Listen(topicUsed, usedServers, func(data []byte) {
		var m firstUsed
		if strictly(data, &m) == nil && m.Stream == stream {
			u.Note(m.Account, m.Token, domain.Digest(m.Digest))
		}
	})
}
