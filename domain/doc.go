// Package domain is what a token is: accounts, tokens, secrets, permissions,
// the catalogue of actions, the events that change them and the rules. It is
// pure: no clock, no random source, no I/O; time and identifiers come in as
// arguments.
//
// Three functions hold every rule:
//
//   - Decide turns a command into the event to append, or refuses it: every
//     rule about change.
//   - Evolve returns the state after an event: what each fact means.
//   - Authorize decides whether a token may do something: every rule about use.
//
// Two more settle, while folding, what no expected sequence can guard because
// it spans aggregates: Void says whether a record counts at all, and Narrows
// whether an event takes rights away. Both depend on the stream alone, so that
// every node settles the same.
//
// Three events are about the stream itself and change no account: NodeJoined,
// NodeLeft and Checkpoint. LevelOf says what a node has to read before an event
// may be written.
//
// Encode and Decode keep facts in the layout of event.proto. A version of an
// event, once released, is read for ever.
package domain
