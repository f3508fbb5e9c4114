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
	upkeepShare   = 256                  // tokens of an account looked at before it is another's turn
	upkeepFails   = 4                    // tokens of an account that fail before its others are left for the next time
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
		if err = s.retireAll(ctx, all); err == nil {
			wait = retireAgain
			continue
		}
		if ctx.Err() == nil {
			s.logger.Warn("older secrets could not be retired yet", "in", wait, "error", err)
		}
		if !pause(ctx, wait) {
			return
		}
		if wait = min(2*wait, retireSlowest); !ofNode(err) {
			wait = retireAgain // others are not to wait for a busy token
		}
	}
}

// retireAll sees to the uses. What fails for one token keeps no other waiting,
// but those of an account that has too many such. Its error is the first one,
// or what ofNode tells.
func (s *Service) retireAll(ctx context.Context, all []projections.FirstUse) (first error) {
	failed := map[domain.AccountID]int{}
	for _, use := range all {
		if failed[use.Account] >= upkeepFails {
			continue
		}
		err := s.retire(ctx, use)
		switch {
		case err == nil:
			s.firstUses.Done(use)
			continue
		case ctx.Err() != nil || ofNode(err):
			return err
		case first == nil:
			first = err
		}
		failed[use.Account]++
	}
	return first
}

// ofNode tells whether the error is one that the next token would have too.
func ofNode(err error) bool {
	switch domain.CodeOf(err) {
	case domain.CodeStale, domain.CodeNotReady, domain.CodeStreamFull, domain.CodeUpgrading:
		return true
	}
	return false
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

// tellDue tells what is due of every token. It begins at any account and gives
// each its share before it goes on in any of them. What fails for one token
// ends the account's turn, and nothing else. Its error is the first one, or
// what ofNode tells, or ctx's.
func (s *Service) tellDue(ctx context.Context) (first error) {
	left := expiryStep
	var again []*notices
	turn := func(n *notices) error {
		err := s.tellShare(ctx, n)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case ofNode(err):
			return err
		case err != nil && first == nil:
			first = err
		}
		if n.unfinished() {
			again = append(again, n)
		}
		if left -= max(1, n.looked); left <= 0 {
			left = expiryStep
			if !pause(ctx, expiryPause) {
				return context.Cause(ctx)
			}
		}
		return nil
	}
	for account := range s.proj.Directory.Around(rand.Uint64()) { //nolint:gosec // only spreads the accounts
		if err := turn(&notices{account: account, more: true}); err != nil {
			return err
		}
	}
	for len(again) > 0 {
		round := again
		again = nil
		for _, n := range round {
			if err := turn(n); err != nil {
				return err
			}
		}
	}
	return first
}

// notices is how far tellDue is in one account.
type notices struct {
	account domain.AccountID
	due     []domain.TokenID // of the share that was looked at
	looked  int              // tokens looked at in the last turn, at least
	after   projections.Cursor
	more    bool // tokens after the cursor
	failed  int
}

func (n *notices) unfinished() bool {
	return n.failed < upkeepFails && (len(n.due) > 0 || n.more)
}

// tellShare tells what is due in the account's next share, or in what is left
// of the one before, up to the first error. It leaves the share to the node that
// it finds at the same work.
func (s *Service) tellShare(ctx context.Context, n *notices) error {
	n.looked = 0
	if len(n.due) == 0 {
		n.due, n.after, n.more = s.proj.Directory.Due(n.account, s.now(), n.after, upkeepShare)
		if n.looked = len(n.due); n.more {
			n.looked = upkeepShare
		}
	}
	for len(n.due) > 0 {
		id := n.due[0]
		n.due = n.due[1:]
		err := s.tellEnd(ctx, domain.Target{Account: n.account, Token: id})
		if errors.Is(err, errElsewhere) {
			n.due = nil
			return nil
		}
		if err != nil {
			n.failed++
			return err
		}
	}
	return nil
}

// errElsewhere says that another node has told what this one was about to tell.
var errElsewhere = errors.New("api: another node is at it")

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
