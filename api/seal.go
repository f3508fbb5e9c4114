package api

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"

	"hallpass/domain"
)

// seal returns the secret under the current key, for that token and no other:
// an id that hallpass makes must be made before. Its error is key_missing where
// this node has no keyring. The digest that goes into the same event must be
// the secret's.
func (s *Service) seal(account domain.AccountID, token domain.TokenID, secret domain.Secret) (*domain.Sealed, error) {
	return s.keyring().seal(account, token, secret)
}

// open returns the secret that is kept sealed for that token. Errors are
// key_missing, and whatever shows that the box is not what seal made: that
// answers as internal.
func (s *Service) open(account domain.AccountID, token domain.TokenID, held domain.Held) (domain.Secret, error) {
	return s.keyring().open(account, token, held)
}

func (k *Keyring) seal(account domain.AccountID, token domain.TokenID, secret domain.Secret) (*domain.Sealed, error) {
	if k == nil {
		return nil, domain.Errorf(domain.CodeKeyMissing, "this node has no keyring, and can't keep secrets that may be shown again")
	}
	key := &k.keys[k.current]
	box, err := key.cipher()
	if err != nil {
		return nil, err
	}
	text := []byte(secret.Reveal())
	defer clear(text)
	return &domain.Sealed{Key: key.id, Box: box.Seal(nil, nil, text, boundTo(account, token, secret.Digest()))}, nil
}

func (k *Keyring) open(account domain.AccountID, token domain.TokenID, held domain.Held) (domain.Secret, error) {
	if held.Sealed == nil {
		return domain.Secret{}, domain.Errorf(domain.CodeNotRevealable, "the secret is kept nowhere")
	}
	if !k.Has(held.Sealed.Key) {
		return domain.Secret{}, domain.Errorf(domain.CodeKeyMissing, "this node does not have the key %s, which the secret is sealed with: another node may, unless it was destroyed", held.Sealed.Key)
	}
	box, err := k.find(held.Sealed.Key).cipher()
	if err != nil {
		return domain.Secret{}, err
	}
	text, err := box.Open(nil, nil, held.Sealed.Box, boundTo(account, token, held.Digest))
	if err != nil {
		return domain.Secret{}, errBoxDiffers
	}
	defer clear(text)
	secret, err := domain.ParseBearer(string(text))
	if err != nil || secret.Digest() != held.Digest {
		return domain.Secret{}, errBoxDiffers
	}
	return secret, nil
}

// errBoxDiffers holds nothing of the box: what it says of the key is that it is
// there.
var errBoxDiffers = errors.New("a sealed secret does not open: its key is another one under the same id, or the box was made for another token or altered")

// cipher draws a random nonce of 96 bits for each box: 2^32 boxes may be made
// under one key (NIST SP 800-38D, 8.3).
func (k *sealingKey) cipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.bits())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// boundTo is what a box is bound to beside its key: the token, in whichever
// generation, and the secret's digest. Neither id can hold the zero byte.
func boundTo(account domain.AccountID, token domain.TokenID, d domain.Digest) []byte {
	out := []byte("hallpass sealed secret 1\x00" + string(account) + "\x00" + string(token) + "\x00")
	return append(out, d[:]...)
}
