package projections

// safeguard is one of the measures without which a check could be allowed
// after a fenced revoke. Each has a story that shows what happens without it.
type safeguard uint8

const (
	clockAfterDeciding    safeguard = iota // the lease is judged by a clock read after the decision
	nonceMatch                             // a lease starts with one's own nonce, come back
	everyLease                             // a fence waits for all unexpired leases below it, not only each node's newest
	contiguity                             // a young gap stops the node
	perIncarnation                         // leases and acknowledgements belong to a process, not to a name
	lengthFromRecord                       // a lease runs out by its recorded length, not by the coordinator's own
	startWait                              // a coordinator that just started waits for leases it can't know
	voidActor                              // a record of an actor who lost rights before it is void
	rootInAcknowledgement                  // an acknowledgement is of the same history
)
