// Package chaos runs hallpass for real while things go wrong, and judges what
// its clients saw: real processes on one machine, their links through proxies
// that cut, delay and reset, processes that are stopped, killed and started
// again, and clients that issue, edit, disable, revoke and check meanwhile.
//
// What is judged, of every token on every process that answered for it:
//
//   - The promise: a check or command that begins after the answer to a fenced
//     revoke never passes, on any node (promise.go, one pass over the history).
//   - Linearizability (model.go, by porcupine): on each process, the checks of
//     a token and the changes to it fit into one order, in which a fenced change
//     stands between its call and its answer. An unfenced change is that sure
//     only on the process that answered it; elsewhere it may come any time
//     later. Where an outcome is unknown, it may come any time later or never.
//   - A server that is cut off refuses checks once its lease is over, although
//     nothing it sees is an error.
//   - A command of a token that was revoked before it reached the stream
//     changes nothing.
//
// A check that answers stale or nothing at all is no observation. A run that
// saw too little of anything (floors in report.go) has failed too.
package chaos
