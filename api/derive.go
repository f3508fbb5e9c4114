package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"hallpass/domain"
)

// DerivedID returns the token id that goes with a secret, for dialects in which
// the secret is what names a token: the same on every node of this stream, and
// telling of the secret as little as its digest does.
func (s *Service) DerivedID(secret domain.Secret) domain.TokenID {
	stream := s.log.Settings().Stream
	mac := hmac.New(sha256.New, stream[:])
	mac.Write([]byte(secret.Reveal()))
	id := base32.StdEncoding.EncodeToString(mac.Sum(nil)[:20])
	return domain.TokenID(strings.ToLower(id))
}

// ImportSecret returns text as a secret that is brought along from elsewhere. Its
// error is that of domain.ImportSecret; what could be guessed is taken only where
// the operator allows it.
func (s *Service) ImportSecret(text string) (domain.Secret, error) {
	return domain.ImportSecret(text, s.allowWeak)
}

// TakesWeakSecrets tells whether the operator allows secrets that could be guessed.
func (s *Service) TakesWeakSecrets() bool { return s.allowWeak }

// Now is the node's time.
func (s *Service) Now() domain.Instant { return s.now() }

// Current waits until this node has applied all that was stored before the call,
// so that what is not there was not there. Its error is stale, when that is not
// known in time.
func (s *Service) Current(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.deadline)
	defer cancel()
	if err := s.proj.Current(ctx); err != nil {
		return domain.Errorf(domain.CodeStale, "this node can't find out in time whether it is behind")
	}
	return nil
}
