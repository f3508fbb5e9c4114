package api

import (
	"context"
	"errors"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// revoke revokes the tokens in atomic batches. A batch that others get in the
// way of is decided again at half its size, down to a single token, which has
// the ways of any command to get through.
func (k *bulk) revoke(ctx context.Context, todo []*domain.Token) error {
	for len(todo) > 0 {
		if ctx.Err() != nil {
			return domain.Errorf(domain.CodeNotReady, "the time for it is over")
		}
		var err error
		if k.by, err = k.standing(k.by); err != nil {
			return err
		}
		n := min(k.size, len(todo))
		stored := true
		if n == 1 {
			err = k.single(ctx, todo[0].ID)
		} else {
			stored, err = k.batch(ctx, todo[:n])
		}
		if err != nil {
			return err
		}
		if !stored {
			k.metrics.conflicts.Inc()
			k.size = n / 2
			continue
		}
		k.size = min(2*n, batchSize)
		todo = todo[n:]
		k.progress(k.r.Revoked, max(k.r.Matched+k.later, k.r.Revoked))
	}
	return nil
}

func (k *bulk) command(id domain.TokenID) domain.RevokeToken {
	// Who is left to manage the account was judged for the whole.
	c := domain.RevokeToken{Account: k.Account, Token: id, Reason: k.Reason, Bulk: k.r.ID, Force: true}
	if k.proj.Reads() < domain.LevelOf(domain.TokenRevoked{Bulk: k.r.ID}) {
		c.Bulk = domain.BulkID{} // rights are taken away all the same while nodes are upgraded
	}
	return c
}

func (k *bulk) single(ctx context.Context, id domain.TokenID) error {
	c := k.command(id)
	w := &write{Service: k.Service, by: k.by, target: c.Target(), build: func(_ Caller, s domain.State) (domain.Command, error) {
		if !s.Token.Revoked && len(k.fitting([]domain.TokenID{id}, "")) == 0 {
			return c, errUnfit
		}
		return c, nil
	}}
	r, err := w.run(ctx)
	switch {
	case errors.Is(err, errUnfit):
	case err != nil:
		return err
	case r.Changed:
		k.note(id, r.Revision)
	default:
		k.r.Already++
		k.handle(id)
	}
	return nil
}

// handle keeps a named token from being found again, once it is revoked.
func (k *bulk) handle(id domain.TokenID) {
	if len(k.Select.IDs) > 0 {
		k.handled[id] = struct{}{}
	}
}

// errUnfit is for a token that does not fit any more.
var errUnfit = errors.New("the token does not fit any more")

func (k *bulk) note(id domain.TokenID, at Seq) {
	k.handle(id)
	k.r.Revoked++
	k.r.Revision = max(k.r.Revision, at)
	if len(k.r.IDs) < shownIDs {
		k.r.IDs = append(k.r.IDs, id)
	}
}

// pendingFact is a record of a batch, and who waits for it.
type pendingFact struct {
	token   domain.TokenID
	id      domain.EventID
	pending *projections.Pending
}

// batch decides on each of the tokens and appends what comes of it, all or
// nothing. stored is false when nothing is, because one of them had changed.
func (k *bulk) batch(ctx context.Context, todo []*domain.Token) (stored bool, _ error) {
	entries, facts, already, err := k.decide(ctx, todo)
	defer func() {
		for _, f := range facts {
			f.pending.Cancel()
		}
	}()
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		k.r.Already += already
		return true, nil
	}
	began := time.Now()
	_, err = k.log.AppendBatch(ctx, entries)
	k.metrics.appendSeconds.Observe(time.Since(began).Seconds())
	var conflict *eventstore.ConflictError
	w := &write{Service: k.Service}
	switch {
	case err == nil, errors.Is(err, eventstore.ErrUnknown):
		// Stored, or perhaps: the fold knows.
	case errors.As(err, &conflict):
		// What took its place is applied after this. After a lost answer that
		// may be the batch itself; if it isn't, it can't be stored any more.
		if err := k.proj.Current(ctx); err != nil {
			return false, w.unknown(facts[0].id, err)
		}
		if _, ok := facts[0].pending.Outcome(); !ok {
			return false, nil
		}
	case errors.Is(err, eventstore.ErrFull):
		return false, domain.Errorf(domain.CodeStreamFull, "the stream takes no more records")
	default:
		k.logger.Error("the log did not take a batch", "bulk", k.r.ID.String(), "error", err)
		return false, domain.Errorf(domain.CodeNotReady, "the log did not take the change")
	}
	k.r.Already += already
	for _, f := range facts {
		out, err := f.pending.Wait(ctx)
		if err != nil {
			return false, w.unknown(f.id, err)
		}
		if err := refused(out); err != nil {
			return false, err
		}
		k.note(f.token, out.Seq)
	}
	return true, nil
}

// decide makes the records of a batch. Tokens that others revoked are counted
// as already; those that do not fit any more are left out.
func (k *bulk) decide(ctx context.Context, todo []*domain.Token) (entries []eventstore.Entry, facts []pendingFact, already int, _ error) {
	now := k.now()
	ids := make([]domain.TokenID, len(todo))
	for i, t := range todo {
		ids[i] = t.ID
	}
	fit := make(map[domain.TokenID]Seq, len(todo))
	for _, t := range k.fitting(ids, "") {
		fit[t.ID] = t.Revision
	}
	for _, id := range ids {
		c := k.command(id)
		state, last := k.proj.Directory.State(c.Target())
		event, err := domain.Decide(state, c, k.by.Authority, now)
		switch {
		case err != nil:
			return nil, facts, 0, err
		case event == nil:
			already++
			k.handle(id)
			continue
		case fit[id] != state.Token.Revision:
			continue // if it fits again, it is found again
		}
		if len(entries) == 0 {
			if err := k.mayWrite(ctx, state, event); err != nil {
				return nil, facts, 0, err
			}
		}
		fact, data, err := k.fact(c.Target(), k.by, event, now)
		if err != nil {
			return nil, facts, 0, err
		}
		facts = append(facts, pendingFact{id, fact.ID, k.proj.Expect(fact.ID)})
		entries = append(entries, eventstore.Entry{
			Subject: eventstore.SubjectOf(fact), Expect: last, ID: fact.ID, Type: event.Type(), Data: data,
		})
	}
	return entries, facts, already, nil
}
