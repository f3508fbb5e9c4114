package domain

import "math"

// SchemaLevel is what this version can read: every event whose LevelOf is not
// above it. It grows by one with every new event version, field or value, and
// such are written only once all nodes that hold a lease read that level.
const SchemaLevel = 1

// LevelOf returns the SchemaLevel that reading e takes, as e would be written.
// For what is not of the sealed set, like a pointer to an event, that is a
// level that no version reaches.
func LevelOf(e Event) uint64 {
	switch e.(type) {
	case Genesis, AccountOpened, AccountSuspended, AccountResumed, AccountClosed,
		TokenIssued, TokenEdited, TokenEnabled, TokenDisabled, TokenRotated, TokenRevoked,
		NodeJoined, NodeLeft, Checkpoint:
		return 1
	}
	return math.MaxUint64
}
