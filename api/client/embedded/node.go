package embedded

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"hallpass/api/client"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// Node is a client.Checker and a client.Watcher over a projection in this
// process. It may be used from many goroutines.
type Node struct {
	p       *projections.Projection
	telling sync.WaitGroup // ends with p
}

// Open starts to follow the log and returns at once. The log stays the
// caller's; Close ends the rest. A first use that ends older secrets of its
// token is told to a server, which sees to it; cfg.FirstUsed takes its place.
func Open(log eventstore.Log, cfg projections.Config) *Node {
	if cfg.FirstUsed != nil {
		return New(projections.Open(log, cfg))
	}
	uses := projections.NewFirstUses()
	cfg.FirstUsed = uses.Note
	n := New(projections.Open(log, cfg))
	n.telling.Go(func() { n.p.TellFirstUses(uses) })
	return n
}

// New is for a projection that is open already. Close closes it too.
func New(p *projections.Projection) *Node { return &Node{p: p} }

// Projection is what the node answers from.
func (n *Node) Projection() *projections.Projection { return n.p }

// Ready waits until the node answers. Its errors are the failure that ended the
// node, projections.ErrClosed, and ctx's.
func (n *Node) Ready(ctx context.Context) error { return n.p.Ready(ctx) }

// Close ends the node in good order: checks are refused, the stream is told, so
// that no fence waits for the rest of the node's lease, and the projection is
// closed. Its error is that the stream could not be told before ctx ended: then
// fences wait for as long as the lease lasts. Closed it is in any case.
func (n *Node) Close(ctx context.Context) error {
	err := n.p.Leave(ctx)
	n.p.Close()
	n.telling.Wait()
	return err
}

// Check implements client.Checker.
func (n *Node) Check(ctx context.Context, secret client.Secret, need client.Need) (client.Decision, error) {
	asks, err := n.p.Directory.Catalog().Need(need.Action, need.Resource, need.Unverified)
	if err != nil {
		return client.Decision{}, problem(err)
	}
	if err := n.reach(ctx, need.MinRevision); err != nil {
		return client.Decision{}, err
	}
	parsed, err := domain.ParseBearer(secret.Reveal())
	if err != nil {
		return client.Decision{Code: client.CodeInvalidToken}, nil
	}
	a, err := n.p.Index.CheckFrom(parsed, asks, need.From)
	if err != nil {
		return client.Decision{}, problem(err)
	}
	switch a.Verdict {
	case domain.Granted, domain.NoGrant, domain.Denied, domain.OnlySessions:
		d := client.Decision{
			Allowed: a.Allowed(), Works: true, Code: string(a.Verdict),
			Account: string(a.Token.Account), Token: string(a.Token.ID), Revision: uint64(a.At), Stale: a.Stale,
		}
		for _, id := range a.Ancestors {
			d.Ancestors = append(d.Ancestors, string(id))
		}
		return d, nil
	case domain.UnknownSecret, domain.WasRevoked, domain.IsDisabled, domain.HasExpired, domain.NotYetValid, domain.OnSuspended,
		domain.WrongAddress, domain.OutsideHours:
	}
	return client.Decision{Code: client.CodeInvalidToken, Revision: uint64(a.At)}, nil
}

// reachIn is how long a check waits for the revision that it asks for.
const reachIn = 5 * time.Second

// reach waits until this node has applied the revision.
func (n *Node) reach(ctx context.Context, revision uint64) error {
	if uint64(n.p.Position.At()) >= revision {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachIn)
	defer cancel()
	if n.p.Position.Wait(ctx, projections.Seq(revision)) != nil {
		return client.Unvouched("stale", "this node has not reached the revision that was asked for")
	}
	return nil
}

// problem is err as a client of a server would get it.
func problem(err error) error {
	var e *domain.Error
	if !errors.As(err, &e) {
		return err
	}
	status := http.StatusServiceUnavailable
	if e.Code == domain.CodeInvalid {
		status = http.StatusUnprocessableEntity
	}
	return &client.Problem{Status: status, Code: string(e.Code), Title: http.StatusText(status), Detail: e.Detail}
}
