package api

import (
	"context"
	"fmt"

	"hallpass/domain"
)

// RootToken is the id of the token that the first start issues in the account
// root.
const RootToken domain.TokenID = "root"

// RootKeeper keeps the root token's secret where its owner finds it. What Save
// was given survives a crash once it has returned.
type RootKeeper interface {
	Load() (domain.Secret, error) // the zero Secret if there is none
	Save(domain.Secret) error
	Remove() error
}

// RootOutcome is what a start came to.
type RootOutcome struct {
	Secret  domain.Secret // of the root token, if this start issued it; else zero
	Ignored bool          // a secret was supplied, and is not the root token's: it opens nothing
	Revoked bool          // there was a root token, and it is revoked
}

// Bootstrap makes the root account and its token if the stream has none, and
// returns its secret only then. The secret is that of an interrupted first
// start if keep holds one, unless another is supplied; it is kept before it is
// in the stream, so that a crash in between leaves a secret that opens nothing
// yet and that the next start uses. Of several nodes that start at once one
// wins; on the others what they kept is removed.
//
// Errors are those of keep and Do. After an unknown outcome the kept secret
// stays, and the next start finds out.
func Bootstrap(ctx context.Context, s *Service, keep RootKeeper, supplied domain.Secret) (RootOutcome, error) {
	if err := s.Ready(ctx); err != nil {
		return RootOutcome{}, err
	}
	if t, ok := s.proj.Directory.Token(domain.RootAccount, RootToken); ok {
		return s.laterStart(ctx, keep, t, supplied)
	}
	if err := s.openRoot(ctx); err != nil {
		return RootOutcome{}, err
	}
	secret, err := s.rootSecret(keep, supplied)
	if err != nil {
		return RootOutcome{}, err
	}
	err = s.issueRoot(ctx, secret)
	if domain.CodeOf(err) != domain.CodeExists {
		return RootOutcome{Secret: secret}.unless(err)
	}
	t, ok := s.proj.Directory.Token(domain.RootAccount, RootToken)
	if !ok {
		return RootOutcome{}, err
	}
	return s.laterStart(ctx, keep, t, supplied)
}

func (o RootOutcome) unless(err error) (RootOutcome, error) {
	if err != nil {
		return RootOutcome{}, err
	}
	return o, nil
}

// ResetRoot ends the root token and issues it anew. It may be stopped at any
// point and run again. The secret it returns is kept before it works.
func ResetRoot(ctx context.Context, s *Service, keep RootKeeper) (domain.Secret, error) {
	if err := s.Ready(ctx); err != nil {
		return domain.Secret{}, err
	}
	if err := s.openRoot(ctx); err != nil {
		return domain.Secret{}, err
	}
	if t, ok := s.proj.Directory.Token(domain.RootAccount, RootToken); ok && !t.Revoked {
		revoke := domain.RevokeToken{Account: domain.RootAccount, Token: RootToken, Reason: domain.Reason{Code: domain.ReasonSuperseded}, Force: true}
		if _, err := s.Do(ctx, s.Operator(), revoke, WaitDefault); err != nil {
			return domain.Secret{}, fmt.Errorf("ending the old root token: %w", err)
		}
	}
	secret, err := s.NewSecret()
	if err != nil {
		return domain.Secret{}, err
	}
	if err := keep.Save(secret); err != nil {
		return domain.Secret{}, err
	}
	if err := s.issueRoot(ctx, secret); err != nil {
		return domain.Secret{}, fmt.Errorf("issuing the new root token: %w", err)
	}
	return secret, nil
}

// openRoot opens the account root unless it is there.
func (s *Service) openRoot(ctx context.Context) error {
	if _, ok := s.proj.Directory.Account(domain.RootAccount); ok {
		return nil
	}
	_, err := s.Do(ctx, s.Operator(), domain.OpenAccount{Account: domain.RootAccount, Name: "root"}, WaitDefault)
	if err != nil && domain.CodeOf(err) != domain.CodeExists {
		return fmt.Errorf("opening the account root: %w", err)
	}
	return nil
}

func (s *Service) issueRoot(ctx context.Context, secret domain.Secret) error {
	_, err := s.Do(ctx, s.Operator(), domain.IssueToken{
		Account: domain.RootAccount, Token: RootToken, Name: "root",
		Description: "Issued at the first start, or by a reset.",
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}}},
		Digest:      secret.Digest(),
	}, WaitDefault)
	return err
}

// rootSecret returns the secret to issue, kept.
func (s *Service) rootSecret(keep RootKeeper, supplied domain.Secret) (domain.Secret, error) {
	kept, err := keep.Load()
	if err != nil {
		return domain.Secret{}, err
	}
	secret := kept
	switch {
	case !supplied.IsZero():
		secret = supplied
	case kept.IsZero():
		if secret, err = s.NewSecret(); err != nil {
			return domain.Secret{}, err
		}
	}
	if secret == kept {
		return secret, nil
	}
	return secret, keep.Save(secret)
}

// laterStart finds the root token there: issued by an earlier start, or by
// another node. A kept secret that it never had was for a start that lost.
func (s *Service) laterStart(ctx context.Context, keep RootKeeper, t *domain.Token, supplied domain.Secret) (RootOutcome, error) {
	out := RootOutcome{Ignored: !supplied.IsZero() && !opens(t, supplied)}
	if t.Revoked { // perhaps by a reset that was cut short: leave what it kept
		out.Revoked = true
		return out, nil
	}
	kept, err := keep.Load()
	if err != nil || kept.IsZero() || opens(t, kept) {
		return out, err
	}
	had, err := s.everHad(ctx, kept)
	if err != nil || had {
		return out, err
	}
	return out, keep.Remove()
}

func opens(t *domain.Token, secret domain.Secret) bool {
	d := secret.Digest()
	for _, held := range t.Secrets {
		if held.Digest == d {
			return true
		}
	}
	return false
}

// everHad tells whether the root token was ever given that secret.
func (s *Service) everHad(ctx context.Context, secret domain.Secret) (bool, error) {
	d := secret.Digest()
	for after := Seq(0); ; {
		entries, err := s.proj.History(ctx, domain.RootAccount, RootToken, after, 1000)
		if err != nil || len(entries) == 0 {
			return false, err
		}
		for _, e := range entries {
			after = e.Seq
			issued, _ := e.Fact.Event.(domain.TokenIssued)
			rotated, _ := e.Fact.Event.(domain.TokenRotated)
			if issued.Digest == d || rotated.Digest == d {
				return true, nil
			}
		}
	}
}
