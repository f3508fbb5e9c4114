package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"hallpass/domain"
	"hallpass/projections"
)

// Wait is how long a change waits before it is answered.
type Wait uint8

// The waits.
const (
	WaitDefault Wait = iota // WaitAll for what ends something for good or for all, else WaitCommit
	WaitCommit              // until it is committed, and applied on this node
	WaitAll                 // until no node can answer without it any more
)

func (w Wait) String() string { return [...]string{"", "commit", "all"}[w] }

// parseWait reads what String wrote.
func parseWait(s string) (Wait, bool) {
	for w := WaitDefault; w <= WaitAll; w++ {
		if w.String() == s {
			return w, true
		}
	}
	return WaitDefault, false
}

// of is what w means for c.
func (w Wait) of(c domain.Command) Wait {
	if w == WaitDefault {
		return classOf(c).wait
	}
	return w
}

// class is how a kind of command is treated.
type class struct {
	urgent bool // it always takes rights away: it waits for no turn, and goes on until its deadline
	wait   Wait // what it waits for unless the caller says otherwise
}

// classOf is the one place that classes commands, by whatever door they come.
// What it does not know counts as taking rights.
func classOf(c domain.Command) class {
	switch c.(type) {
	case domain.RevokeToken, domain.SuspendAccount, domain.CloseAccount:
		return class{urgent: true, wait: WaitAll}
	case domain.DisableToken:
		return class{urgent: true, wait: WaitCommit}
	case domain.OpenAccount, domain.EditAccount, domain.ResumeAccount, domain.IssueToken, domain.EditToken, domain.EnableToken, domain.RotateToken,
		domain.RevealToken, domain.RetireSecrets, domain.ResealToken, domain.TellExpiry, domain.DefineType, domain.RemoveType:
		return class{wait: WaitCommit}
	}
	return class{urgent: true, wait: WaitAll}
}

// bringsSecret tells whether the answer to c shows a secret, this once.
func bringsSecret(c domain.Command) bool {
	switch c.(type) {
	case domain.IssueToken, domain.RotateToken:
		return true
	case domain.OpenAccount, domain.EditAccount, domain.SuspendAccount, domain.ResumeAccount, domain.CloseAccount,
		domain.EditToken, domain.EnableToken, domain.DisableToken, domain.RevokeToken,
		domain.RevealToken, domain.RetireSecrets, domain.ResealToken, domain.TellExpiry, domain.DefineType, domain.RemoveType:
	}
	return false
}

// commandName is the command in metrics.
func commandName(c domain.Command) string {
	switch c.(type) {
	case domain.OpenAccount:
		return "open_account"
	case domain.SuspendAccount:
		return "suspend_account"
	case domain.ResumeAccount:
		return "resume_account"
	case domain.CloseAccount:
		return "close_account"
	case domain.IssueToken:
		return "issue_token"
	case domain.EditToken:
		return "edit_token"
	case domain.EnableToken:
		return "enable_token"
	case domain.DisableToken:
		return "disable_token"
	case domain.RotateToken:
		return "rotate_token"
	case domain.RevokeToken:
		return "revoke_token"
	case domain.EditAccount:
		return "edit_account"
	case domain.RevealToken:
		return "reveal_token"
	case domain.RetireSecrets:
		return "retire_secrets"
	case domain.ResealToken:
		return "reseal_token"
	case domain.TellExpiry:
		return "tell_expiry"
	case domain.DefineType:
		return "define_type"
	case domain.RemoveType:
		return "remove_type"
	}
	return "unknown"
}

// leastFence is what a fence gets at least, on top of the write deadline.
const leastFence = 20 * time.Second

// FenceDeadline is how long a change with WaitAll may take beyond the write
// deadline: longer than any lease can keep a node answering.
func (s *Service) FenceDeadline() time.Duration {
	longest := s.log.Settings().MaxLease
	return max(leastFence, longest+longest/10+5*time.Second)
}

// settle waits for what r.Wait says. Where nothing had to change, it fences at
// the revision that made the target what it is: a caller who asks again after
// a time-out gets a real answer, on whichever node. What it errs with says that
// the change is stored.
func (s *Service) settle(ctx context.Context, r *Result) error {
	if r.Wait != WaitAll {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.FenceDeadline())
	defer cancel()
	at := r.Revision
	if !r.Changed {
		at = r.cause()
	}
	began := time.Now()
	receipt, err := s.proj.Fence(ctx, at)
	s.metrics.fenced(receipt, err, time.Since(began))
	if err == nil {
		r.Receipt = receipt
		return nil
	}
	switch code := domain.CodeOf(err); {
	case code == domain.CodeNotFenced || code == domain.CodeHistoryDiffers:
		return err
	case errors.As(err, new(*domain.Error)): // not_ready: this node has not joined
		return domain.Errorf(domain.CodeNotFenced, "revision %d is stored, but this node can't find out yet whether every node has applied it; ask for the same again", at)
	}
	s.logger.Error("a fence failed", "revision", at, "error", err)
	return domain.Errorf(domain.CodeNotFenced, "revision %d is stored, but whether every node has applied it could not be found out; ask for the same again", at)
}

// cause is the revision that made the target what it is.
func (r *Result) cause() Seq {
	if r.last != 0 {
		return r.last
	}
	if r.State.Token.Revision != 0 {
		return r.State.Token.Revision
	}
	return r.State.Account.Revision
}

// outcomeOf names what became of a fence, for metrics.
func outcomeOf(r *projections.Receipt, err error) string {
	if err != nil {
		return string(domain.CodeOf(err))
	}
	for i := range r.Nodes {
		if r.Nodes[i].How == projections.RanOut {
			return projections.RanOut.String()
		}
	}
	return projections.Acknowledged.String()
}

func (c *call) allowTime() { c.h.svc.allowTime(c.ResponseWriter) }

// allowTime gives the answer to a change the time that writing and a fence may
// take: the server's own limit need not know how long leases are.
func (s *Service) allowTime(w http.ResponseWriter) {
	within := s.deadline + s.FenceDeadline() + answerTime
	// It fails only where nothing limits the time of writing.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(within))
}

// answerTime is what sending an answer may take.
const answerTime = 15 * time.Second

// stored names, beside a refusal, the revision of a change that is stored
// although it could not be fenced.
func (c *call) stored(r Result, err error) error {
	if r.Wait == WaitAll {
		c.Header().Set("Hallpass-Revision", strconv.FormatUint(uint64(r.Revision), 10))
	}
	return err
}
