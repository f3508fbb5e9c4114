package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/big"
	"strings"
)

// Secret is what a bearer presents. It prints as redacted everywhere; only
// Reveal gives the text.
type Secret struct{ text string }

// Digest is the SHA-256 of a secret's text: all that hallpass keeps of it.
type Digest [sha256.Size]byte

const (
	secretPrefix = "hp_"
	secretBody   = 43 // base62 characters for 256 bits: 62^43 > 2^256
	secretSum    = 6  // base62 characters for 32 bits: 62^6 > 2^32
	secretLen    = len(secretPrefix) + secretBody + secretSum

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewSecret returns the secret for 256 random bits: "hp_", the bits in base62
// left-padded with 0, and the CRC-32 (IEEE) of those 43 characters in base62,
// so that scanners find leaked ones and garbage is refused before hashing.
func NewSecret(random [32]byte) Secret {
	body := base62Pad(new(big.Int).SetBytes(random[:]), secretBody)
	return Secret{secretPrefix + body + checksum(body)}
}

// ParseSecret returns s as a secret. Its error has code "invalid" and never
// holds any part of s.
func ParseSecret(s string) (Secret, error) {
	if !strings.HasPrefix(s, secretPrefix) {
		return Secret{}, Invalid("/secret", `a secret starts with "hp_"`)
	}
	if len(s) != secretLen {
		return Secret{}, Invalid("/secret", "a secret has %d characters", secretLen)
	}
	for i := len(secretPrefix); i < len(s); i++ {
		if c := s[i]; !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z') {
			return Secret{}, Invalid("/secret", `after "hp_" a secret holds only letters and digits`)
		}
	}
	if !sumMatches(s[len(secretPrefix):len(secretPrefix)+secretBody], s[secretLen-secretSum:]) {
		return Secret{}, Invalid("/secret", "the secret's check characters do not match: it was cut or mistyped")
	}
	return Secret{s}, nil
}

// MaxBearer bounds what a bearer presents, in bytes.
const MaxBearer = 4096

// ParseBearer returns s as what a bearer presents: a secret of ours, or one that
// was brought along from elsewhere: 1 to MaxBearer printable ASCII characters
// without spaces that don't look like a secret of ours. Its error has code
// "invalid" and never holds any part of s.
func ParseBearer(s string) (Secret, error) {
	if strings.HasPrefix(s, secretPrefix) {
		return ParseSecret(s)
	}
	if s == "" || len(s) > MaxBearer {
		return Secret{}, Invalid("/secret", "a secret has 1 to %d characters", MaxBearer)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return Secret{}, Invalid("/secret", "a secret is made of printable ASCII characters without spaces")
		}
	}
	return Secret{s}, nil
}

// Digest returns the SHA-256 of the secret's text. It is on the path of every
// check: a secret of the usual length costs no allocation.
func (s Secret) Digest() Digest {
	var usual [64]byte
	if len(s.text) <= len(usual) {
		return sha256.Sum256(usual[:copy(usual[:], s.text)])
	}
	return sha256.Sum256([]byte(s.text))
}

// Reveal returns the text: for the one answer that shows it, and for the file
// or prompt it came from.
func (s Secret) Reveal() string { return s.text }

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format redacts the secret for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns the digest's first bytes in hex: enough to tell digests apart
// in a log.
func (d Digest) String() string { return "sha256:" + hex.EncodeToString(d[:6]) }

// IsZero tells whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

func checksum(body string) string {
	var buf [secretSum]byte
	sum := crc32.ChecksumIEEE([]byte(body))
	for i := secretSum - 1; i >= 0; i-- {
		buf[i] = base62[sum%62]
		sum /= 62
	}
	return string(buf[:])
}

func sumMatches(body, sum string) bool {
	want := crc32.ChecksumIEEE([]byte(body))
	for i := secretSum - 1; i >= 0; i-- {
		if sum[i] != base62[want%62] {
			return false
		}
		want /= 62
	}
	return true
}

func base62Pad(n *big.Int, width int) string {
	out := []byte(strings.Repeat("0", width))
	digit, base := new(big.Int), big.NewInt(62)
	for i := width - 1; i >= 0 && n.Sign() > 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}
