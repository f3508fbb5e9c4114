package api

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

	"hallpass/api/wire"
	"hallpass/domain"
)

const (
	onceHeader = "Idempotency-Key"
	maxOnce    = 255 // characters of it
)

// onceKey returns the Idempotency-Key; "" for none.
func (c *call) onceKey() (string, error) {
	given := c.r.Header[onceHeader]
	if len(given) == 0 {
		return "", nil
	}
	key := given[0]
	fit := len(given) == 1 && key != "" && len(key) <= maxOnce
	for i := range len(key) {
		fit = fit && ' ' <= key[i] && key[i] < 0x7f
	}
	if !fit {
		return "", domain.Errorf(codeBadHeader, "an Idempotency-Key is 1 to %d printable ASCII characters, sent once", maxOnce)
	}
	return key, nil
}

// once marks the request by its Idempotency-Key; nil if it has none. The key
// counts for that kind of request by that caller. Body and target are what must
// be the same whenever it comes.
func (c *call) once(kind string, body any, target ...string) (*domain.Once, error) {
	key, err := c.onceKey()
	if err != nil || key == "" {
		return nil, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	actor := c.by.Authority.Actor
	o := &domain.Once{Key: keyOf(kind, actor.Account, actor.Token, key)}
	copy(o.Request[:], hashed(append(target, "request", kind, string(text))...))
	return o, nil
}

// keyOf is the key of a kind of request by that caller, as tokens remember it.
func keyOf(kind string, account domain.AccountID, token domain.TokenID, key string) (k [16]byte) {
	copy(k[:], hashed("key", kind, string(account), string(token), key))
	return k
}

// hashed is the SHA-256 of the parts, each with its length before it.
func hashed(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// wasDone tells whether what o marks was done to the token.
func wasDone(t *domain.Token, o *domain.Once) bool {
	if o == nil {
		return false
	}
	for _, d := range t.Done {
		if d.Once == *o {
			return true
		}
	}
	return false
}

// issueOnce marks an issue, and gives a token without an id the one that the
// key leads to: asked again, any node finds it there.
func (c *call) issueOnce(cmd *domain.IssueToken, in wire.IssueToken) error {
	kind := "issue"
	if cmd.Parent != "" {
		kind = "derive"
	}
	if cmd.Imported {
		in.Secret, in.Digest = "", hex.EncodeToString(cmd.Digest[:])
	}
	once, err := c.once(kind, in, string(cmd.Account), string(cmd.Parent))
	if err != nil || once == nil {
		return err
	}
	cmd.Once = once
	if cmd.Token == "" {
		cmd.Token = c.h.svc.tokenOf(once, cmd.Account)
	}
	return nil
}

// tokenOf returns the ULID that the key leads to: the first of those made of it
// that no token had a day ago. After a day the same key makes another token.
func (s *Service) tokenOf(o *domain.Once, account domain.AccountID) domain.TokenID {
	for n := byte(0); ; n++ {
		var id domain.EventID
		copy(id[:], hashed("token", string(o.Key[:]), string(account), string(n)))
		token := domain.TokenID(id.String())
		if t, ok := s.proj.Directory.Token(account, token); !ok || s.now()-t.CreatedAt < domain.OnceFor || n == 255 {
			return token
		}
	}
}
