// Package domain is what a token is: accounts, tokens, secrets, permissions,
// the catalogue of actions, the events that change them and the rules. It is
// pure: no clock, no random source, no I/O but to look up a time zone once; time
// and identifiers come in as arguments.
//
// Three functions hold every rule:
//
//   - Decide turns a command into the event to append, or refuses it: every
//     rule about change.
//   - Evolve returns the state after an event: what each fact means.
//   - Authorize decides whether a token may do something: every rule about use.
//
// A derived token may do what it and each of its ancestors may, as they stand at
// that moment: Lineage is what such a decision looks at. Nobody hands out more
// than he has (Authority, edit.go, covers.go): that holds of permissions, denies
// included, of a secret that is taken or shown, and of the end of what is derived.
// It does not hold of Conditions, which bound where and when a token is used and
// not what it may hand out, nor of the end of what stands alone: who may issue can
// issue what outlives him.
//
// Some rules protect from mistakes and not from attacks: that an account keeps a
// token that could manage its tokens, that a type in use stays. They go by what
// the deciding node knows (State.LastManager, State.Users), and may lose a race.
//
// Two more settle, while folding, what no expected sequence can guard because
// it spans aggregates: Void says whether a record counts at all, and Narrows
// whether an event takes rights away. Both depend on the stream alone, so that
// every node settles the same.
//
// Three events are about the stream itself and change no account: NodeJoined,
// NodeLeft and Checkpoint. Three are a node's own doing, by the authority of the
// operator: TokenRetired, TokenResealed and TokenExpiring. Their commands come
// late and more than once, and then change nothing. LevelOf says what a node has
// to read before an event may be written.
//
// Encode and Decode keep facts in the layout of event.proto. A version of an
// event, once released, is read for ever.
package domain
