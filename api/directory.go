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

// RevealAll reveals the newest secrets of many tokens of an account, for a list
// that shows them; each is a record of its own. One that was revoked meanwhile,
// or can't be revealed, has the zero Secret. Errors are those of Reveal that
// concern them all.
func (s *Service) RevealAll(ctx context.Context, by Caller, account domain.AccountID, ids []domain.TokenID) ([]domain.Secret, error) {
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

// may refuses what the caller may not do in the account.
func (c Caller) may(account domain.AccountID, n domain.Need) error {
	if c.Authority.May(account, n) {
		return nil
	}
	return domain.Errorf(domain.CodeForbidden, "this takes %s on %s in the account %s", n.Action, n.Resource, account)
}
