// Package projections is what nodes ask of the log. One loop (follow.go) reads
// every record in order and hands it to the fold (fold.go); the fold keeps
// what the questions need in memory:
//
//   - Index: may the bearer of this secret do that? No lock, no allocation.
//   - Directory: accounts and tokens as they stand, for commands and lists.
//   - History: what happened to a token or an account, from the log itself.
//   - Feed: what happens from now on, resumable by revision.
//   - Position: how far this node is; waiting for a revision.
//   - Pending: what became of a record that this process appended.
//
// # The fold
//
// Every node folds the same records in the same order and comes to the same
// verdicts, because they depend on the records alone:
//
//  1. A record that can't be decoded, stands under another subject than its
//     fact says, leaves a gap, or is impossible where it stands (domain.Evolve)
//     stops the node for good: skipping it could skip a revocation. Status
//     names it, and every check answers stale.
//  2. A record whose actor lost rights after it was authorised is void
//     (domain.Void). It stays in the history as its subject's last record, and
//     changes nothing else.
//  3. A digest belongs to the first token that held it, for ever, whatever
//     became of that token. A record by which another token brings it counts,
//     but that secret is dead from the start: the token does not hold it.
//
// # What an answer means
//
// An answer carries the position, read before the look-up: it includes at
// least every record up to there. A record's effects are in place before the
// position says so, and a command returns after that, so what was asked after
// a command's answer, on the same node, sees it.
//
// A node's time never runs behind the stream: it is the larger of the wall
// clock and the newest stream time among the records applied. Ends by time
// (expiry, overlap of secrets) are exact up to clock error, and no receipt
// claims them.
//
// # The promise
//
// A check whose request was sent after a fenced revoke's answer was received
// never allows, on any node; nor does any command of that token take effect.
// A check that overlaps the revoke may go either way.
//
// What is assumed:
//
//   - The stream is one log with a total order, and a record that a majority
//     of its replicas has acknowledged stays. (JetStream, R1 or R3. That a
//     replica's disk keeps what it acknowledged is not assumed: see below.)
//   - CLOCK_BOOTTIME of two machines runs at rates that differ by less than
//     4.7 % (1.05 to 1), and is not set. Nothing is assumed of wall clocks for this promise,
//     nor of the network: messages may be late, lost, doubled, reordered.
//   - A process may stand still at any instruction for any time. A pause that
//     both its clocks don't count (a virtual machine restored from a snapshot
//     of its memory) is outside of this.
//   - Nobody forges records: whoever may write to the stream is trusted.
//   - Whoever states that an incarnation has ended (NodeConfig.Ended) is right.
//     hallpass states it of the lives written in its data directory, if they were
//     of this start of this machine, and in this very directory, whose lock it holds.
//
// The parts: a node answers only under a lease (lease.go, vouch.go). It asks
// for one with a nonce made after reading its clocks at t0 (asker.go). A node
// that writes barriers puts the nonce into a record of the stream (keeper.go).
// When the node's own reader brings that barrier, at b, the node has applied
// everything below b, and the lease runs from t0 for as long as the barrier
// says. A coordinator (fence.go) that has applied the revoke at s takes, from
// its own reading of the barriers (leases.go), every lease below s that may
// still run, and waits until each holder has acknowledged s, has left, or the
// lease has run out.
//
// Why no node accepts after the fence. Let a check be answered "allowed" by an
// incarnation N that had not applied s when it decided. N looked at its clock
// after deciding and found itself within a lease from some barrier b. N had
// applied everything below b and not s, so b < s. The coordinator read the log
// without a gap up to s, so it has seen b, as a lease of N of the same length,
// and counts it from when it saw it, which is after t0. If the fence ended by N's
// acknowledgement, N had applied s when it sent that, and the check was decided
// before: its request was sent before the fence ended. If it ended by run-out,
// the coordinator's clock had moved by 1.05 times the lease since after t0, so
// N's had moved by more than the lease: N's look at its clock was before that,
// and so was the request. If N left, it answers nothing from before it wrote
// so. In no case was the request sent after the revoke's answer.
//
// Why it ends within lease × 1.1 of the revoke with a node cut off: that node's
// last barrier is below s, thus seen by the coordinator no later than s, and
// 1.05 leases after that it has run out; the rest is for the revoke itself.
//
// Commands: a node that was cut off can't append. A record that was authorised
// before its actor lost rights, and stored after, is void on every node.
//
// What happens to each message that is lost, late or doubled:
//
//   - A freshness request or its barrier: no lease comes of it, and the node asks
//     again. A barrier that comes late gives a lease from t0, part of it gone. One
//     that comes twice gives it once. A request that is answered twice gives two
//     entries in the coordinators' tables, the later one counting longer.
//   - A barrier that is stored without its writer knowing: like any other.
//   - A fence's question: asked again every 50 ms. An answer: the same. Answers
//     are signed, and name the revision, its event and the tree's root there;
//     twice is once. An answer for another history ends the fence with
//     history_differs: it says that some node follows another log.
//   - The answer to a revoke: the caller asks again; the revoke is found in
//     effect, and fenced at the revision that caused it.
//
// What each safeguard is for is in safeguard.go; each can be taken out of a test
// build, in which its story then fails.
//
// A coordinator that began to read after s - 1.05 longest leases may not know
// of leases whose barriers have gone; barriers stay for five longest leases, so
// that it does, but for a server whose clock has jumped. So it waits for that
// time as well, unless everyone who joined has acknowledged or left.
//
// # A leader that is slow
//
// A stream's servers replace a leader that they don't hear of. One that hears
// them late they keep, and no node gets proof in time. So the node whose server
// leads has another one lead when its own proof is late again and again
// (lead.go). It is about availability alone: no answer rests on it.
//
// # Histories that differ
//
// A replica can lose records in silence. Every node keeps the Merkle tree
// (RFC 6962) over the facts it applied (tree.go). Barriers carry their writer's
// size and root, and whoever has another root takes no lease from them.
// Checkpoint records (checkpoint.go) carry a root that nodes reading from a
// majority of the replicas had; a node that has another one stops, and says
// where its history parts from the others' (locate.go). What a node had read
// before is also noted beside its data (head.go), and met again at its next
// start.
package projections
