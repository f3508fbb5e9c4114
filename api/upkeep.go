package api

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/projections"
)

const (
	retireAgain   = time.Second          // until what could not be retired is tried again; twice as long each time
	retireSlowest = time.Minute          // at most
	expiryEvery   = time.Minute          // between two looks at what ends
	expiryStep    = 1024                 // tokens looked at in one go
	expiryPause   = 2 * time.Millisecond // between two goes
)

// Upkeep does what nodes do of themselves, until ctx ends: it ends the secrets
// that a rotation says to end when the new one is first used, and tells
// subscribers of tokens that come to their end. Every server runs it: what
// several do at once is done once. Stopped anywhere, it leaves nothing half
// done. It begins when the node is ready; its error is that of Ready.
func (s *Service) Upkeep(ctx context.Context) error {
	if err := s.Ready(ctx); err != nil {
		return err
	}
	var parts sync.WaitGroup
	parts.Go(func() { s.hearFirstUses(ctx) })
	parts.Go(func() { s.retireUsed(ctx) })
	parts.Go(func() { s.tellEnds(ctx) })
	parts.Wait()
	return nil
}

// hearFirstUses takes in what nodes tell that write no records about tokens.
func (s *Service) hearFirstUses(ctx context.Context) {
	for {
		stop, err := projections.HearFirstUses(s.log, s.firstUses)
		if err == nil {
			<-ctx.Done()
			stop()
			return
		}
		s.logger.Warn("not listening to other nodes yet", "error", err)
		if !pause(ctx, retireAgain) {
			return
		}
	}
}

// retireUsed ends the secrets that the uses of newer ones end.
func (s *Service) retireUsed(ctx context.Context) {
	for wait := retireAgain; ; {
		all, err := s.firstUses.Wait(ctx)
		if err != nil {
			return
		}
		for _, use := range all {
			if err = s.retire(ctx, use); err != nil {
				break
			}
			s.firstUses.Done(use)
		}
		if err == nil {
			wait = retireAgain
			continue
		}
		if ctx.Err() == nil {
			s.logger.Warn("older secrets could not be retired yet", "in", wait, "error", err)
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, retireSlowest)
	}
}

// retire sees to one use. Its errors are those of Do.
func (s *Service) retire(ctx context.Context, use projections.FirstUse) error {
	if !s.proj.Directory.Retires(use) {
		return nil
	}
	at := domain.Target{Account: use.Account, Token: use.Token}
	_, err := s.change(ctx, s.Operator(), at, WaitCommit, func(Caller, domain.State) (domain.Command, error) {
		return domain.RetireSecrets{Account: use.Account, Token: use.Token, Digest: use.Digest}, nil
	})
	return err
}

// tellEnds looks again and again for tokens of whose end something is to be
// told. Nodes begin at different moments, so that most often one does all.
func (s *Service) tellEnds(ctx context.Context) {
	for wait := rand.N(expiryEvery); pause(ctx, wait); wait = expiryEvery*9/10 + rand.N(expiryEvery/5) { //nolint:gosec // only spreads the nodes
		if err := s.tellDue(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("that tokens come to their end could not be told yet", "error", err)
		}
	}
}

// tellDue tells what is due of every token. It leaves the rest to the node that
// it finds at the same work, and to its next time.
func (s *Service) tellDue(ctx context.Context) error {
	left := expiryStep
	for after, more := projections.Cursor(0), true; more; {
		var accounts []domain.Account
		accounts, after, more = s.proj.Directory.Accounts(after, 256)
		for i := range accounts {
			if accounts[i].State == domain.AccountIsClosed {
				continue
			}
			if err := s.tellDueIn(ctx, accounts[i].ID, &left); err != nil {
				if errors.Is(err, errElsewhere) {
					return nil
				}
				return err
			}
		}
	}
	return nil
}

// errElsewhere says that another node has told what this one was about to tell.
var errElsewhere = errors.New("api: another node is at it")

// tellDueIn is tellDue for one account. left is how many tokens to look at
// before the next pause.
func (s *Service) tellDueIn(ctx context.Context, account domain.AccountID, left *int) error {
	for after, more := projections.Cursor(0), true; more; {
		var due []domain.TokenID
		due, after, more = s.proj.Directory.Due(account, s.now(), after, expiryStep)
		for _, id := range due {
			if err := s.tellEnd(ctx, domain.Target{Account: account, Token: id}); err != nil {
				return err
			}
		}
		if *left -= max(1, len(due)); more || *left <= 0 {
			*left = expiryStep
			if !pause(ctx, expiryPause) {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (s *Service) tellEnd(ctx context.Context, at domain.Target) error {
	r, err := s.change(ctx, s.Operator(), at, WaitCommit, func(Caller, domain.State) (domain.Command, error) {
		return domain.TellExpiry{Account: at.Account, Token: at.Token}, nil
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !r.Changed:
		return errElsewhere
	}
	return nil
}
