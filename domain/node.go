package domain

import "encoding/hex"

// NodeName names a node among those of one stream: 1 to 64 of the characters
// [A-Za-z0-9_-], but never "genesis", under which the stream's first record is
// filed.
type NodeName string

const noNode = "genesis"

// ParseNodeName returns s as the name of a node, or an error with code
// "invalid" at pointer "/name".
func ParseNodeName(s string) (NodeName, error) {
	why := badID(s)
	if s == noNode {
		why = `must not be "genesis"`
	}
	if why != "" {
		return "", Invalid("/name", "a node's name %s", why)
	}
	return NodeName(s), nil
}

// Incarnation is one life of one process of a node: 16 random bytes, which the
// caller draws. It is never zero, and no two processes have the same.
type Incarnation [16]byte

// ParseIncarnation returns what String wrote, or an error with code "invalid"
// at pointer "/incarnation". It takes no other spelling, and refuses zero.
func ParseIncarnation(s string) (Incarnation, error) {
	var i Incarnation
	if len(s) == hex.EncodedLen(len(i)) {
		if _, err := hex.Decode(i[:], []byte(s)); err == nil && i.String() == s && !i.IsZero() {
			return i, nil
		}
	}
	return Incarnation{}, Invalid("/incarnation", "an incarnation is 32 digits of 0-9 and a-f, not all of them 0")
}

// String returns 32 hexadecimal digits in lower case.
func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }

// IsZero tells whether i names no incarnation.
func (i Incarnation) IsZero() bool { return i == Incarnation{} }
