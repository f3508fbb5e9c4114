package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"hallpass/domain"
	"hallpass/projections"
)

// Bounds of a bulk.
const (
	maxBulkIDs  = 10000            // named in one call
	shownIDs    = 1000             // in the answer
	batchSize   = 500              // records of one atomic batch, at most
	batchTime   = 2 * time.Second  // what a batch may take, on top of the write deadline
	longestBulk = 10 * time.Minute // whatever its size
)

// revokeTokens is a bulk in metrics.
const revokeTokens = "revoke_tokens"

// Bulk says which tokens of an account to revoke: those that fit all parts of
// Select, of which there is at least one. Its State and Kind are not for the
// caller to say: revoked tokens never fit, and sessions do where they are meant,
// by IDs, IssuedBy or Lineage. Lineage takes in the token that it names.
type Bulk struct {
	Account domain.AccountID
	Select  projections.Filter
	DryRun  bool
	Expect  *int // how many there must be; nil: any number
	Reason  domain.Reason
	Force   bool // though no token would be left that manages the account's
}

// BulkResult is what a bulk came to; see wire.RevokedTokens.
type BulkResult struct {
	ID       domain.BulkID
	Matched  int
	Revoked  int
	Already  int
	Missed   bool
	IDs      []domain.TokenID
	Revision Seq
	Wait     Wait
	Receipt  *projections.Receipt
}

// bulk is one Bulk on its way.
type bulk struct {
	*Service
	Bulk
	by       Caller
	progress func(done, of int)
	r        BulkResult
	handled  map[domain.TokenID]struct{} // of those named
	size     int                         // of the next batch
	later    int                         // that came to fit after it began
}

// RevokeAll revokes the tokens that fit b, in atomic batches, and goes on until
// none is left, those issued meanwhile included, of which progress is told.
// Refused at the beginning, with nothing done, errors are those of
// domain.Decide, and count_differs and last_manager for the whole of it. Once a
// part is done they say how much:
//   - actor_revoked, forbidden, last_manager: the rest is not for this caller,
//     or not without Force
//   - incomplete: anything else came between; the same again does the rest
//   - not_fenced, history_differs: all is done, as with Do
//
// A process that dies in the middle leaves whole batches; the same again does
// the rest. Like Do it doesn't stop when ctx is cancelled.
func (s *Service) RevokeAll(ctx context.Context, by Caller, b Bulk, wait Wait, progress func(done, of int)) (BulkResult, error) {
	k := &bulk{Service: s, Bulk: b, by: by, progress: progress, size: batchSize, handled: map[domain.TokenID]struct{}{}}
	k.r.Wait = wait.of(domain.RevokeToken{})
	err := k.run(context.WithoutCancel(ctx))
	if b.DryRun {
		k.r.Wait = WaitDefault
	} else if err == nil {
		err = k.fence(ctx)
	}
	if err != nil {
		e := k.partly(s.asError(err, by.Request))
		s.metrics.command(revokeTokens, string(e.Code))
		return k.r, e
	}
	switch {
	case k.r.Revoked > 0:
		s.metrics.command(revokeTokens, "changed")
	case !b.DryRun:
		s.metrics.command(revokeTokens, "unchanged")
	}
	return k.r, nil
}

func (k *bulk) run(ctx context.Context) error {
	todo, err := k.begin(ctx)
	if err != nil || k.DryRun {
		return err
	}
	k.progress(0, len(todo))
	ctx, cancel := context.WithTimeout(ctx, k.bulkDeadline(len(todo)))
	defer cancel()
	for first := true; ; first = false {
		others, own := k.ownLast(todo)
		if len(others) == 0 {
			return k.lastOne(ctx, own)
		}
		if !first { // they came to fit meanwhile
			k.later += len(others)
			if err := cmp.Or(k.mayEach(others), k.keepsManager(todo)); err != nil {
				return err
			}
		}
		if err := k.revoke(ctx, others); err != nil {
			return err
		}
		if todo, err = k.left(ctx); err != nil {
			return err
		}
	}
}

// begin finds the tokens and refuses what is not to be done at all. What the
// caller may do comes first, so that a refusal tells nothing about what exists.
func (k *bulk) begin(ctx context.Context) ([]*domain.Token, error) {
	if err := k.mayAsk(); err != nil {
		return nil, err
	}
	if err := k.exist(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.deadline)
	defer cancel()
	todo, err := k.left(ctx)
	if err != nil {
		return nil, err
	}
	k.r.Matched = len(todo)
	if len(k.Select.IDs) > 0 {
		k.r.Already = len(k.fitting(k.Select.IDs, domain.TokenIsRevoked.String()))
	}
	if err := cmp.Or(k.mayEach(todo), k.checkReason(), k.keepsManager(todo)); err != nil {
		return nil, err
	}
	if k.Expect != nil && *k.Expect != len(todo) {
		return nil, domain.Errorf(domain.CodeCountDiffers, "%d tokens fit, and %d were expected; nothing was changed: look again which they are", len(todo), *k.Expect)
	}
	if k.DryRun {
		for _, t := range todo[:min(len(todo), shownIDs)] {
			k.r.IDs = append(k.r.IDs, t.ID)
		}
		k.r.Revision = k.Revision()
		return nil, nil
	}
	var random [16]byte
	if err := k.fill(random[:]); err != nil {
		return nil, err
	}
	k.r.ID = random
	return todo, nil
}

// left returns what is still to be revoked once all that was stored before is
// applied: tokens that are issued meanwhile, on whichever node.
func (k *bulk) left(ctx context.Context) ([]*domain.Token, error) {
	if err := k.proj.Current(ctx); err != nil {
		return nil, domain.Errorf(domain.CodeStale, "this node can't find out in time whether it is behind; ask for the same again")
	}
	return slices.DeleteFunc(k.fitting(k.Select.IDs, ""), func(t *domain.Token) bool {
		_, done := k.handled[t.ID]
		return done
	}), nil
}

// fitting returns the tokens among ids, or all if there are none, that fit and
// are in that state, "" for all but the revoked ones.
func (k *bulk) fitting(ids []domain.TokenID, state string) []*domain.Token {
	f := k.Select
	f.IDs, f.State = ids, state
	if len(k.Select.IDs) > 0 || f.IssuedBy != (domain.Actor{}) || f.Lineage != "" {
		f.Kind = projections.AnyKind
	}
	found, _, _ := k.proj.Directory.Tokens(k.Account, f, 0, math.MaxInt)
	if top := f.Lineage; top != "" && (len(ids) == 0 || slices.Contains(ids, top)) {
		f.Lineage, f.IDs = "", []domain.TokenID{top}
		itself, _, _ := k.proj.Directory.Tokens(k.Account, f, 0, 1)
		found = append(found, slices.DeleteFunc(itself, func(t *domain.Token) bool { return slices.Contains(found, t) })...)
	}
	return found
}

// ownLast takes the caller's own token and those that it was derived from out
// of todo: once one of them is revoked, nothing that the caller does counts. They
// come back with the one that takes the others with it at the end.
func (k *bulk) ownLast(todo []*domain.Token) (others, own []*domain.Token) {
	actor := k.by.Authority.Actor
	if actor.Account != k.Account {
		return todo, nil
	}
	line := k.proj.Directory.Lineage(actor.Account, actor.Token)
	place := func(t *domain.Token) int {
		return slices.IndexFunc(line, func(l *domain.Token) bool { return l.ID == t.ID })
	}
	for _, t := range todo {
		if place(t) < 0 {
			others = append(others, t)
		} else {
			own = append(own, t)
		}
	}
	slices.SortFunc(own, func(a, b *domain.Token) int { return place(a) - place(b) })
	return others, own
}

// lastOne ends the caller's own token, if it is among those to be revoked, or
// the highest of those that it was derived from.
func (k *bulk) lastOne(ctx context.Context, own []*domain.Token) error {
	if len(own) == 0 {
		return nil
	}
	k.r.Already += len(own) - 1 // they end with it
	return k.revoke(ctx, own[len(own)-1:])
}

// bulkDeadline is how long revoking n tokens may take.
func (s *Service) bulkDeadline(n int) time.Duration {
	return min(s.deadline+time.Duration(n/batchSize)*batchTime, longestBulk)
}

// fence waits for all nodes, if that is asked for: for the newest record that
// revoked a token that fits, whoever wrote it.
func (k *bulk) fence(ctx context.Context) error {
	k.r.Missed = k.Expect != nil && k.later > 0
	for _, t := range k.fitting(k.Select.IDs, domain.TokenIsRevoked.String()) {
		k.r.Revision = max(k.r.Revision, t.Revision)
	}
	if k.r.Revision == 0 { // there never was one
		k.r.Revision, k.r.Wait = k.Revision(), WaitCommit
		return nil
	}
	r := Result{Revision: k.r.Revision, Changed: true, Wait: k.r.Wait}
	err := k.settle(context.WithoutCancel(ctx), &r)
	k.r.Receipt = r.Receipt
	return err
}

// partly says how much is done, once some is.
func (k *bulk) partly(e *domain.Error) *domain.Error {
	if k.r.Revoked == 0 || e.Code == domain.CodeNotFenced || e.Code == domain.CodeHistoryDiffers {
		return e
	}
	done := fmt.Sprintf("%d of %d tokens are revoked, as the bulk %s", k.r.Revoked, k.r.Matched+k.later, k.r.ID)
	switch e.Code {
	case domain.CodeActorRevoked:
		return domain.Errorf(e.Code, "the caller lost rights in the middle: %s, and the others are not", done)
	case domain.CodeForbidden, domain.CodeLastManager, domain.CodeInternal:
		return domain.Errorf(e.Code, "%s; then it stopped: %s", done, e.Detail)
	}
	return domain.Errorf(codeIncomplete, "%s; then it stopped (%s: %s); ask for the same again to revoke the others", done, e.Code, e.Detail)
}
