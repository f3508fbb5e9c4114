// Package nbiot speaks the token API of Telenor's NB-IoT platform: clients of
// that platform work here when their base URL is changed. It is a skin over
// api.Service, and holds no state and no rule.
//
// A token covers a resource and all under it, on segment boundaries, to read
// or to read and write: one allow grant with the actions read, or read and
// write. It is denied everything on /token, /account, /audit and /catalog. Its
// native id is a ULID; its secret, 64 lower-case hex digits, is the name that
// these paths know it by. The account is that of the session that asks.
//
// # Paths
//
// Beside /tokens and what is under it, GET / is answered with 200 to whoever
// has a secret that works, for clients that ping it at their start, and
// /guard/{path} answers, for the platform's real API behind it, whether the
// bearer may do that request on /{path}: 200, 401 or 403. GET, HEAD and
// OPTIONS read, whatever else there is writes. A path that can't be read in
// one way only is refused there with 403, since gateways take any other status
// for a fault of the guard; elsewhere it is a 400. Paths don't tell one
// account's resources from another's: where hallpass has more accounts than the
// platform's, name that one (Config.Guarded), or compare the Hallpass-Account
// of the answer.
//
// A base URL ends without a slash: two in a row are refused.
//
// No answer has CORS headers, and a browser's preflight (OPTIONS with an Origin),
// which has no token, is refused like any other request: 400 at /tokens, 401 at
// the guard. A console on another origin needs a gateway that adds the headers, and
// answers preflights by itself without asking the guard.
//
// # Where exact and safe part
//
//   - Lists show secrets, as the platform's do. So tokens made here are
//     revealable: their secrets are kept sealed, a node without the keyring
//     answers 503, and a record says of each showing to whom it was. HEAD
//     counts as GET. An answer to PATCH repeats the secret that the request
//     named, and is no showing.
//   - As each of those records is kept for ever, lists in a loop are answered with
//     429 and Retry-After: a node shows 20,000 secrets of an account at once, and
//     10 a second in the long run. The first list is shown whole, however long.
//   - A token whose secret can't be shown (the session may not reveal it, or it
//     was brought along as a digest) is listed with an empty token: to leave it
//     out would hide that it works.
//   - Tokens are managed with a login session alone. Any other credential is
//     answered with 401, whatever its grants.
//   - The * of a resource is refused: natively it stands for any segment, on
//     the platform for itself.
//   - A resource with a slash at its end, "/teams/", is what is under /teams and
//     not /teams itself (natively /teams/*): the prefix of paths that it was on
//     the platform's open ancestor, and the narrower of the two that it could be.
//     It comes back as it was sent. Any other resource that is no path is refused,
//     blank ones too.
//   - A null for resource, write or tags says nothing of that: a PATCH leaves it
//     as it is. The value of a tag is never null; "" removes it.
//   - Names in JSON are read in any case, and twice the same is refused: which
//     one counts, readers do not agree on.
//   - A tag, or a resource, that holds the working secret of a token is
//     refused: events are kept for ever.
//   - A token that was edited natively into more than this form can say shows
//     its first grant; its tags can be changed here, its resource and write can
//     not (409). What it is denied beside the above stays denied by a PATCH.
//   - A method that a path does not take is a 400: the platform knows no 405.
//   - A PATCH of resource or write, like a DELETE, is answered when no node
//     goes by the old rights any more. Should that not be known in time (503),
//     either can be asked for again. A DELETE then answers 204, once it is known,
//     on the node that owed the session that answer. Any other one is a second
//     delete, since no node knows what another answered: 404, and not before no
//     node goes by the token any more.
package nbiot
