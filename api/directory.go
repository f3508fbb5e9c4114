package api

import (
	"context"
	"sync"

	"hallpass/domain"
	"hallpass/projections"
)

// Tokens returns up to limit tokens of an account that fit the filter, after
// the cursor, in the order of their first issue; next is where to go on, and ""
// at the end. Errors: forbidden without ListTokens on /token, not_found, and
// invalid for a cursor that is none. The tokens are not to be changed.
func (s *Service) Tokens(by Caller, account domain.AccountID, f projections.Filter, cursor string, limit int) (tokens []*domain.Token, next string, _ error) {
	if err := by.may(account, domain.TokenNeed("ListTokens", "")); err != nil {
		return nil, "", err
	}
	after, err := projections.ParseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	if _, ok := s.proj.Directory.Account(account); !ok {
		return nil, "", domain.Errorf(domain.CodeNotFound, "there is no account %s", account)
	}
	tokens, at, more := s.proj.Directory.Tokens(account, f, after, limit)
	if more {
		next = at.String()
	}
	return tokens, next, nil
}

// Token returns a token as it stands, revoked ones included. Errors: forbidden
// without ReadTokenConfig on /token/<id>, and not_found. It is not to be
// changed.
func (s *Service) Token(by Caller, account domain.AccountID, id domain.TokenID) (*domain.Token, error) {
	if err := checkIDs(account, id); err != nil {
		return nil, err
	}
	if err := by.may(account, domain.TokenNeed("ReadTokenConfig", id)); err != nil {
		return nil, err
	}
	state, _ := s.proj.Directory.State(domain.Target{Account: account, Token: id})
	if err := exists(state, account, id); err != nil {
		return nil, err
	}
	return &state.Token, nil
}

// IsOpen tells whether the account is there, and neither suspended nor closed:
// nothing is let in by the others, not even who acts in every account.
func (s *Service) IsOpen(account domain.AccountID) bool {
	a, ok := s.proj.Directory.Account(account)
	return ok && a.State == domain.AccountIsOpen
}

// Owner returns which token a secret opens, or opened once: that may be revoked,
// or have another secret by now. False if none.
func (s *Service) Owner(secret string) (domain.Target, bool) {
	parsed, err := domain.ParseBearer(secret)
	if err != nil {
		return domain.Target{}, false
	}
	return s.proj.Index.Owner(parsed.Digest())
}

// Holder returns which token a secret opens now, whatever the token's standing;
// false if none. It is for dialects that name tokens by their secrets: who may
// learn of it, is for whoever asks to find out with what is returned.
func (s *Service) Holder(secret string) (domain.Target, bool) {
	parsed, err := domain.ParseBearer(secret)
	if err != nil {
		return domain.Target{}, false
	}
	d := parsed.Digest()
	at, ok := s.proj.Index.Owner(d)
	if !ok {
		return domain.Target{}, false
	}
	t, ok := s.proj.Directory.Token(at.Account, at.Token)
	if !ok {
		return domain.Target{}, false
	}
	for i := range t.Secrets {
		if t.Secrets[i].Digest == d {
			return at, true
		}
	}
	return domain.Target{}, false
}

// Issue carries out c with that secret: it fills in the digest, and where the
// secret is to be shown again, seals it. Errors are those of Do, and
// key_missing.
func (s *Service) Issue(ctx context.Context, by Caller, c domain.IssueToken, secret domain.Secret, revealable bool, wait Wait) (Result, error) {
	c.Digest = secret.Digest()
	if c.Token == "" {
		id, err := s.newEventID(s.now())
		if err != nil {
			return Result{}, s.asError(err, by.Request)
		}
		c.Token = domain.TokenID(id.String())
	}
	if revealable {
		if err := by.may(c.Account, c.Needs()); err != nil {
			return Result{}, err // before what this node could say of its keys
		}
		var err error
		if c.Sealed, err = s.seal(c.Account, c.Token, secret); err != nil {
			return Result{}, s.asError(err, by.Request)
		}
	}
	return s.Do(ctx, by, c, wait)
}

// revealsAtOnce bounds the records under way for one list.
const revealsAtOnce = 16

// RevealAll reveals the newest secrets of many tokens of an account, for one list
// that shows them all; each is a record of its own. One that was revoked
// meanwhile, or can't be revealed, has the zero Secret. Errors are those of
// Reveal that concern them all, and rate_limited: a node shows 20,000 of one
// account at once, and 10 a second in the long run. A list of any length is shown
// whole if there is room for its first; those after it wait the longer.
func (s *Service) RevealAll(ctx context.Context, by Caller, account domain.AccountID, ids []domain.TokenID) ([]domain.Secret, error) {
	room := s.listings.of(account)
	if wait := room.takeMany(len(ids)); wait > 0 && len(ids) > 0 {
		return nil, &tooSoon{domain.Errorf(codeRateLimited, "the secrets of this account were listed too often on this node"), wait}
	}
	secrets, errs := s.revealEach(ctx, by, account, ids)
	hidden := 0
	for i := range ids {
		if secrets[i].IsZero() {
			hidden++ // no record is known of
		}
	}
	room.giveBack(hidden)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, err := range errs {
		switch domain.CodeOf(err) {
		case domain.CodeRevoked, domain.CodeNotFound, domain.CodeNotRevealable, domain.CodeForbidden:
		default:
			if err != nil {
				return nil, err
			}
		}
	}
	return secrets, nil
}

func (s *Service) revealEach(ctx context.Context, by Caller, account domain.AccountID, ids []domain.TokenID) ([]domain.Secret, []error) {
	secrets, errs := make([]domain.Secret, len(ids)), make([]error, len(ids))
	var all sync.WaitGroup
	room := make(chan struct{}, revealsAtOnce)
	for i, id := range ids {
		room <- struct{}{}
		if ctx.Err() != nil { // nobody reads the list any more
			break
		}
		all.Go(func() {
			defer func() { <-room }()
			secrets[i], _, errs[i] = s.Reveal(ctx, by, account, id)
		})
	}
	all.Wait()
	return secrets, errs
}

// may refuses what the caller may not do in the account.
func (c Caller) may(account domain.AccountID, n domain.Need) error {
	if c.Authority.May(account, n) {
		return nil
	}
	return domain.Errorf(domain.CodeForbidden, "this takes %s on %s in the account %s", n.Action, n.Resource, account)
}
