package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// maxTries is how often a command is decided before a subject that other nodes
// keep changing answers conflict. Commands that take rights go on until their
// deadline.
const maxTries = 8

// Result is what a command came to.
type Result struct {
	State    domain.State // of the command's target, after it
	Revision Seq          // of the record; when nothing had to change, what this node had applied
	Changed  bool
	Owed     bool                 // of a revoke that changed nothing: one of the same caller before it did, which this node could not answer to be done
	Wait     Wait                 // what was waited for: never WaitDefault
	Receipt  *projections.Receipt // with WaitAll; else nil

	last Seq // of a resource type that is as it should be: the record that made it so
}

// Do carries out c for the caller, and returns once this node has applied it,
// or, with WaitAll, once no node can answer without it: the only way to change
// anything. An IssueToken without an id gets a ULID. Errors are *domain.Error:
// those of domain.Decide, and
//   - actor_revoked, account_closed: rights or account ended in between; nothing was changed
//   - conflict: other nodes changed the target 8 times in a row, or the secret is another token's
//   - unknown: it can't be known in time whether it happened; the detail holds the event's id
//   - replica_damaged: so, because the stream's leader contradicts what this node has applied
//   - stream_full, not_ready, stale, cluster_upgrading: nothing was changed
//   - not_fenced, history_differs: the change is stored, but some node may not
//     have it yet; the Result is valid. The same command again finds its effect
//     there, and fences again.
//
// Do does not stop writing when ctx is cancelled: a caller who went away must
// not turn an outcome into an unknown one. The write deadline ends it.
func (s *Service) Do(ctx context.Context, by Caller, c domain.Command, wait Wait) (Result, error) {
	if issue, ok := c.(domain.IssueToken); ok && issue.Token == "" {
		id, err := s.newEventID(s.now())
		if err != nil {
			return Result{}, s.asError(err, by.Request)
		}
		issue.Token = domain.TokenID(id.String())
		c = issue
	}
	at := c.Target()
	if err := checkIDs(at.Account, at.Token); err != nil {
		return Result{}, err
	}
	return s.change(ctx, by, at, wait, func(Caller, domain.State) (domain.Command, error) { return c, nil })
}

// checkIDs refuses ids that can't exist before any refusal could name them.
func checkIDs(account domain.AccountID, token domain.TokenID) error {
	if _, err := domain.ParseAccountID(string(account)); err != nil {
		return err
	}
	if token == "" {
		return nil
	}
	_, err := domain.ParseTokenID(string(token))
	return err
}

// builder makes a command for its target as it stands, asked for by the caller
// as it stands. The command is there, for its name, even with an error.
type builder func(Caller, domain.State) (domain.Command, error)

// change is Do for a command that depends on its target's state: it is built
// again whenever the state has moved on.
func (s *Service) change(ctx context.Context, by Caller, at domain.Target, wait Wait, build builder) (Result, error) {
	w := &write{Service: s, by: by, target: at, build: build}
	r, err := w.within(ctx)
	if err == nil {
		r.Wait = wait.of(w.command)
		err = s.settle(ctx, &r)
		if err != nil && bringsSecret(w.command) {
			// The change is stored, and its secret is nowhere else to be had:
			// the answer says that it was not fenced, and is no refusal.
			s.logger.Warn("a change that brings a secret could not be fenced", "revision", r.Revision, "error", err)
			r.Wait, err = WaitCommit, nil
		}
	}
	_, ends := w.command.(domain.RevokeToken)
	whose := asked{at, by.Authority.Actor}
	if err != nil {
		e := s.asError(err, by.Request)
		if ends {
			s.owed.note(whose, e)
		}
		s.metrics.command(commandName(w.command), string(e.Code))
		return r, e
	}
	if ends {
		r.Owed = s.owed.settle(whose) && !r.Changed
	}
	result := "changed"
	if !r.Changed {
		result = "unchanged"
	}
	s.metrics.command(commandName(w.command), result)
	return r, nil
}

// write is one command on its way into the stream.
type write struct {
	*Service
	by      Caller
	target  domain.Target
	build   builder
	command domain.Command // as built last
}

// within is run with the write deadline.
func (w *write) within(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.deadline)
	defer cancel()
	return w.run(ctx)
}

func (w *write) run(ctx context.Context) (Result, error) {
	state, _ := w.proj.Directory.State(w.target)
	first, _ := w.build(w.by, state) // what is wrong with it, try says
	urgent := classOf(first).urgent
	if !urgent {
		release, err := w.turns.take(ctx, w.target)
		if err != nil {
			return Result{}, domain.Errorf(domain.CodeConflict, "too many others are changing the same thing; nothing was changed, try again")
		}
		defer release()
	}
	for tries := 0; tries < maxTries || urgent && ctx.Err() == nil; tries++ {
		r, again, err := w.try(ctx)
		if err != nil || !again {
			return r, err
		}
		if w.by, err = w.standing(w.by); err != nil {
			return Result{}, err
		}
	}
	return Result{}, domain.Errorf(domain.CodeConflict, "others kept changing the same thing; nothing was changed, try again")
}

// try decides once and appends. again means that another record took the
// place, and that this node has applied it.
func (w *write) try(ctx context.Context) (_ Result, again bool, _ error) {
	at := w.Revision()
	state, last := w.proj.Directory.State(w.target)
	now := w.now()
	c, err := w.build(w.by, state)
	w.command = c
	if err != nil {
		return Result{}, false, err
	}
	w.complete(&state, c, now)
	event, err := domain.Decide(state, c, w.by.Authority, now)
	if err != nil {
		return Result{}, false, err
	}
	if event == nil {
		// It is so here, and this node may be behind: only what is so once all
		// that was stored before is applied may be answered.
		if err := w.proj.Current(ctx); err != nil {
			return Result{}, false, domain.Errorf(domain.CodeStale, "there is nothing to change as far as this node knows, but it can't find out in time whether it is behind; ask for the same again")
		}
		if _, now := w.proj.Directory.State(w.target); now != last {
			return Result{}, true, nil
		}
		// No record will be void if the caller lost his rights meanwhile.
		_, err := w.standing(w.by)
		r := Result{State: state, Revision: max(at, state.Token.Revision, state.Account.Revision)}
		if w.target.Type != "" {
			r.last = last
		}
		return r, false, err
	}
	if err := w.unowned(event); err != nil {
		return Result{}, false, err
	}
	if err := w.mayWrite(ctx, state, event); err != nil {
		return Result{}, false, err
	}
	fact, data, err := w.fact(w.target, w.by, event, now)
	if err != nil {
		return Result{}, false, err
	}
	out, again, err := w.append(ctx, fact, last, data)
	if err != nil || again {
		return Result{}, again, err
	}
	if err := refused(out); err != nil {
		return Result{}, false, err
	}
	after, err := domain.Evolve(state, fact, out.Seq)
	return Result{State: after, Revision: out.Seq, Changed: true}, false, err
}

// fact is the record of an event that was decided at now for the caller, and
// its data. Errors: too_large.
func (s *Service) fact(at domain.Target, by Caller, event domain.Event, now domain.Instant) (*domain.Fact, []byte, error) {
	id, err := s.newEventID(now)
	if err != nil {
		return nil, nil, err
	}
	fact := &domain.Fact{
		ID: id, Time: now, Actor: by.Authority.Actor, Authorised: by.Authority.At, Request: by.Request,
		Account: at.Account, Token: at.Token, Event: event,
	}
	data := domain.Encode(fact)
	if len(data) > domain.MaxEventSize {
		return nil, nil, domain.Errorf(domain.CodeTooLarge, "the change would take %d bytes; at most %d fit", len(data), domain.MaxEventSize)
	}
	if _, err := domain.Decode(data); err != nil { // stored, it would stop every node
		return nil, nil, fmt.Errorf("a fact that nodes could not read: %w", err)
	}
	return fact, data, nil
}

// complete fills in what c is decided upon beside its target, as this node
// knows it: for callers who may ask for it, as it may take a while.
func (w *write) complete(s *domain.State, c domain.Command, now domain.Instant) {
	if !w.entitled(c) {
		return // Decide refuses it
	}
	d := w.proj.Directory
	switch c := c.(type) {
	case domain.IssueToken:
		if c.Parent != "" {
			s.Ancestors = d.Lineage(c.Account, c.Parent)
		}
	case domain.EditToken, domain.DisableToken, domain.RevokeToken:
		s.LastManager = s.Token.Manages(now) && d.LastManager(w.target.Account, w.target.Token, now)
	case domain.DefineType, domain.RemoveType:
		s.Users = d.Users(append(domain.Dropped(c, s.Type), domain.Settled(c, s.Catalog)...), maxUsers)
	case domain.OpenAccount, domain.EditAccount, domain.SuspendAccount, domain.ResumeAccount, domain.CloseAccount,
		domain.EnableToken, domain.RotateToken, domain.RevealToken, domain.RetireSecrets, domain.ResealToken, domain.TellExpiry:
	}
}

// entitled tells whether the caller has the right that c takes.
func (w *write) entitled(c domain.Command) bool {
	by, of := &w.by.Authority, c.Target()
	switch {
	case of.Type != "":
		return by.MayRoot(c.Needs())
	case by.Actor.Account == of.Account && by.Actor.Token == of.Token:
		return true // whoever it is may revoke itself
	}
	return by.May(of.Account, c.Needs())
}

// maxUsers is how many tokens that use a type are looked for.
const maxUsers = 11

// append writes the fact and waits for this node's fold to say what became of
// it. again means that it is certainly not stored.
func (w *write) append(ctx context.Context, fact *domain.Fact, last Seq, data []byte) (_ projections.Outcome, again bool, _ error) {
	pending := w.proj.Expect(fact.ID)
	defer pending.Cancel()
	entry := eventstore.Entry{
		Subject: eventstore.SubjectOf(fact), Expect: last, ID: fact.ID, Type: fact.Event.Type(), Data: data,
	}
	began := time.Now()
	_, err := w.log.Append(ctx, entry)
	w.metrics.appendSeconds.Observe(time.Since(began).Seconds())

	var conflict *eventstore.ConflictError
	switch {
	case err == nil, errors.Is(err, eventstore.ErrUnknown):
		// Stored, or perhaps: the fold knows.
	case errors.As(err, &conflict):
		return w.afterConflict(ctx, pending, entry, conflict.Last)
	case errors.Is(err, eventstore.ErrFull):
		return projections.Outcome{}, false, domain.Errorf(domain.CodeStreamFull, "the stream takes no more records; nothing was changed")
	default:
		w.logger.Error("the log did not take a record", "event", fact.ID.String(), "error", err)
		return projections.Outcome{}, false, domain.Errorf(domain.CodeNotReady, "the log did not take the change; nothing was changed, try again shortly")
	}
	out, err := pending.Wait(ctx)
	if err != nil {
		return out, false, w.unknown(fact.ID, err)
	}
	return out, false, nil
}

// refused says why a stored record did not do what it was to do; nil if it did.
func refused(out projections.Outcome) error {
	switch {
	case out.Void == domain.IntoClosed:
		return domain.Errorf(domain.CodeAccountClosed, "the account was closed before the change took effect; nothing was changed")
	case out.Void != "":
		return domain.Errorf(domain.CodeActorRevoked, "the caller lost rights before the change took effect; nothing was changed")
	case out.SecretLost:
		return errSecretLost
	}
	return nil
}

var errSecretLost = domain.Errorf(domain.CodeConflict, "this secret belongs to another token and never opens this one; rotate to get a new one")

func (w *write) unknown(id domain.EventID, why error) error {
	w.logger.Warn("the outcome of a command is unknown", "event", id.String(), "error", why)
	return domain.Errorf(domain.CodeUnknown, "whether the change happened could not be learned in time; look for the event %s before trying again", id)
}
