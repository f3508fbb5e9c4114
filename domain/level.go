package domain

import (
	"math"
	"strings"
)

// SchemaLevel is what this version can read: every event whose LevelOf is not
// above it. It grows by one with every new event version, field or value, and
// such are written only once all nodes that hold a lease read that level.
const SchemaLevel = 2

// LevelOf returns the SchemaLevel that reading e takes, as e would be written.
// For what is not of the sealed set, like a pointer to an event, that is a
// level that no version reaches.
func LevelOf(e Event) uint64 {
	switch e := e.(type) {
	case Genesis, AccountSuspended, AccountResumed, AccountClosed, TokenEnabled, TokenDisabled,
		NodeJoined, NodeLeft, Checkpoint:
		return 1
	case AccountOpened, TokenIssued, TokenEdited, TokenRotated, TokenRevoked:
		if strings.HasSuffix(e.Type(), ".1") {
			return 1
		}
		return 2
	case AccountEdited, TokenRetired, TokenRevealed, TokenResealed, TokenExpiring, TypeDefined, TypeRemoved:
		return 2
	}
	return math.MaxUint64
}
