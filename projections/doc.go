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
// Whether the node may answer at all is read last, after deciding: an answer
// is given only if the node then still followed the log without a known gap.
// This holds for what the node can know. That a silent link is not a cut one
// takes a proof by barrier and lease, which is not part of this package yet.
//
// A node's time never runs behind the stream: it is the larger of the wall
// clock and the newest stream time among the records applied.
package projections
