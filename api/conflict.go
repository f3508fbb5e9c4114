package api

import (
	"context"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// afterConflict waits until this node has applied the record that took e's
// place. After a lost answer that may be e itself: then this is a success.
// Else e can never be stored any more, since a subject's last record only
// moves on, and the command may be decided again under a new id.
func (w *write) afterConflict(ctx context.Context, pending *projections.Pending, e eventstore.Entry, last Seq) (_ projections.Outcome, again bool, _ error) {
	if err := w.proj.Position.Wait(ctx, last); err != nil {
		return projections.Outcome{}, false, w.unknown(e.ID, err)
	}
	for {
		at := w.Revision()
		_, now := w.proj.Directory.State(w.account, w.token)
		if now > e.Expect && w.Revision() >= now {
			break
		}
		if err := w.proj.Position.Wait(ctx, at+1); err != nil {
			return projections.Outcome{}, false, w.unknown(e.ID, err)
		}
	}
	if out, ok := pending.Outcome(); ok {
		return out, false, nil
	}
	w.metrics.conflicts.Inc()
	return projections.Outcome{}, true, nil
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
	}
	return "unknown"
}
