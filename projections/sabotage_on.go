//go:build hallpass_sabotage

package projections

import "sync/atomic"

var safeguards = [...]string{
	clockAfterDeciding:    "clock-after-deciding",
	nonceMatch:            "nonce-match",
	everyLease:            "every-lease",
	contiguity:            "contiguity",
	perIncarnation:        "per-incarnation",
	lengthFromRecord:      "length-from-record",
	startWait:             "start-wait",
	voidActor:             "void-actor",
	rootInAcknowledgement: "root-in-acknowledgement",
}

// sabotaged is the safeguard that is switched off in this process, plus one;
// 0: none.
var sabotaged atomic.Int32

// Sabotage switches off the named safeguard in this process, and every other
// one on; "" is none. It tells whether there is one of that name.
func Sabotage(name string) bool {
	sabotaged.Store(0)
	for s := range safeguards {
		if safeguards[s] == name {
			sabotaged.Store(int32(s) + 1)
			return true
		}
	}
	return name == ""
}

// Safeguards are the names that Sabotage knows.
func Safeguards() []string { return safeguards[:] }

func without(s safeguard) bool { return sabotaged.Load() == int32(s)+1 }
