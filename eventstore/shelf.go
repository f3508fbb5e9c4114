package eventstore

import (
	"context"
	"fmt"
)

// Shelf keeps values beside the log: what may be lost without harm, and would
// be too much in the history. A put value survives the death of the process.
// The contract suite in eventstoretest holds every implementation to what is
// said here.
type Shelf interface {
	// Put makes value that of key, and returns the number of the change: higher
	// than those of all changes before, unless the shelf was made anew since.
	// A key is tokens of [A-Za-z0-9_-], joined by dots; a value may have up to
	// MaxValue bytes. After an error the value may have been put or not.
	Put(ctx context.Context, key string, value []byte) (uint64, error)

	// Since calls f with every value that was put by a change numbered above
	// after and not put over since, in the order of the changes, and returns
	// the highest number that it has seen; after if there is none. value is
	// f's to keep. It may lag behind Put. Values met before an error have been
	// given to f, and the number returned is theirs.
	Since(ctx context.Context, after uint64, f func(key string, value []byte)) (uint64, error)
}

// MaxValue is the most bytes of a value on a Shelf: NATS takes messages of up
// to 1 MiB unless it is told otherwise.
const MaxValue = 1_000_000

func checkPut(key string, value []byte) error {
	if checkTopic(key) != nil {
		return fmt.Errorf("eventstore: %q is no key of a shelf (tokens of [A-Za-z0-9_-], joined by dots)", key)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("eventstore: the value of %s has %d bytes, more than %d", key, len(value), MaxValue)
	}
	return nil
}
