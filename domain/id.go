package domain

import (
	"time"

	"github.com/oklog/ulid/v2"
)

// AccountID names an account: 1 to 64 of the characters [A-Za-z0-9_-].
type AccountID string

// TokenID names a token within its account: 1 to 64 of [A-Za-z0-9_-].
type TokenID string

// RootAccount exists from a stream's first start; its tokens with "/" "*" act
// in every account.
const RootAccount AccountID = "root"

// EventID identifies an event; it doubles as the message id that makes a
// retried append safe.
type EventID = ulid.ULID

// NewEventID returns the event id for t with the given entropy. Domain never
// reads a random source itself, so the caller hands in the ten bytes.
func NewEventID(t Instant, entropy [10]byte) EventID {
	var id EventID
	_ = id.SetTime(uint64(max(t, 0))) // only years after 10889 are refused
	_ = id.SetEntropy(entropy[:])     // only a wrong length is refused
	return id
}

// Seq is a revision: the place of a record in the stream, counted from 1.
// 0 means none.
type Seq uint64

// Instant is a point in time in milliseconds since the Unix epoch. 0 means none.
type Instant int64

// InstantOf returns t cut to the millisecond; the zero time gives 0.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return 0
	}
	if ms := t.UnixMilli(); ms != 0 {
		return Instant(ms)
	}
	return 1 // the epoch itself, which must not read as none
}

// Time returns the instant in UTC; 0 gives the zero time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// ParseAccountID returns s as an account id, or an error with code "invalid"
// at pointer "/id".
func ParseAccountID(s string) (AccountID, error) {
	if why := badID(s); why != "" {
		return "", Invalid("/id", "an account id %s", why)
	}
	return AccountID(s), nil
}

// ParseTokenID returns s as a token id, or an error with code "invalid" at
// pointer "/id".
func ParseTokenID(s string) (TokenID, error) {
	if why := badID(s); why != "" {
		return "", Invalid("/id", "a token id %s", why)
	}
	return TokenID(s), nil
}

func badID(s string) string {
	switch {
	case s == "":
		return "must not be empty"
	case len(s) > 64:
		return "has at most 64 characters"
	}
	for i := range len(s) {
		if !idByte(s[i]) {
			return "is made of the characters A-Z a-z 0-9 _ and -"
		}
	}
	if holdsSecret(s) {
		return "must not be a secret"
	}
	return ""
}

func idByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}
