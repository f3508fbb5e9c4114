// Package crafter speaks the access token API of CrafterCMS Profile: clients of
// that platform work here when their base URL is changed. It is a skin over
// api.Service, and holds no state and no rule.
//
// Every token made here lives in one account (Config.Account), which is opened
// when the first is made. It is immutable, its name is the application, and its
// secret is the id that these paths know it by, chosen by whoever creates it, or
// a random UUID. Its native id is derived from that secret (Service.DerivedID),
// so that the same id created again after a delete is the same native token in a
// new generation. tenantPermissions are its grants in first_match mode, in their
// order: the tenant t is /tenant/t and * is /tenant. A master has one grant more,
// on /token, which names what managing tokens takes and domain.ActionGovern: it
// may create and show tokens wider than itself, and the records of such creates
// say so. It lacks UpdateToken, so it is no manager in the sense of
// domain.CodeLastManager: that the last master stays is asked for here.
//
// # Paths
//
//	POST /api/1/access_token/create        the object
//	GET  /api/1/access_token/{id}          the object
//	GET  /api/1/access_token/all           an array, in the order of creation
//	POST /api/1/access_token/{id}/delete   200, empty
//	ANY  /api/1/filter                     200 or 403, see below
//
// each also with the suffix .json, and each with accessTokenId in the query, or,
// but for create, whose body is the object, in an urlencoded body.
//
// The filter is for the platform's real API behind it: it takes action and, for
// an operation on one tenant, tenant as parameters like accessTokenId, and
// answers 200 with an empty body, or 403 as the platform does. Without a tenant,
// or with *, entries for * alone count. Gateways take any other status for a
// fault of the filter, so that what can't be read is a 403 there too. It answers
// for tokens of the account, and for those that act in every account.
//
// The filter sees the parameters that reach it: those of its query, and of an
// urlencoded body that is passed along (nginx's auth_request passes none). For
// clients that send accessTokenId in a form alone, as the platform's Java client
// does with POST, the gateway has to pass the body, or the service that has read
// it asks natively (client.Checker), for the action on /tenant/<tenant>. Multipart
// bodies, as that client's uploads of attachments are, are not read at all: for
// those the service has to ask.
//
// # Where exact and safe part
//
//   - Ids that could be guessed are refused with 400, unless the server takes
//     weak secrets, and so are those of the platform's default tokens, which it
//     ships to everybody. Ids that no path can name, with a slash, "all" or
//     "create", always are.
//   - A token that was issued natively in this door's name, with permissions that
//     the object can't say, shows those on tenants, and whether it is a master.
//   - Lists and gets show ids, as the platform's do. So tokens are revealable:
//     kept sealed, a node without the keyring answers 503, and a record says of
//     each showing to whom it was. A token whose id can't be shown has the id
//     null in a list: to leave it out would hide that it works. As each of those
//     records is kept for ever, lists in a loop are answered with 429 and
//     Retry-After: a node shows 20,000 ids at once, and 10 a second in the long
//     run. The first list is shown whole, however long.
//   - A credential that is refused is named in the message, as the platform
//     does; it goes nowhere else. Nothing but the expiry of a token made here is
//     told: one that is revoked, of a suspended account or used from a wrong
//     address is not found.
//   - The last master that works is not deleted (403). Of two that are deleted
//     at once, both may go: the root token still makes another.
//   - application is required, as in the platform's console; expiresOn is not.
//     The instant 0 of the epoch is taken as 1 ms later.
//   - allowedActions must be there. null, which the platform's Java client sends
//     for a permission without actions, is taken and shown as []: it grants
//     nothing, and as the first that matches decides.
//   - A permission without a tenant is for any, as with the platform; a tenant
//     that is null is refused, since there it is for none, and here must not
//     become any.
//   - The actions read and write, and those with a * inside, are refused: natively
//     they stand for more than their names. So is none, which is how an empty
//     allowedActions is kept. A name that stands there twice is kept once.
//   - An application, tenant or action that holds the id of a token is refused:
//     events are kept for ever.
//   - An urlencoded body has at most 16 KiB (400): it is read before it is known
//     who sends it, unless accessTokenId is in the query.
//   - accessTokenId, tenant or action twice with different values is refused:
//     which one counts, servers do not agree on.
//   - The id of a token that belongs, or once belonged, to another native token
//     is answered as one that exists.
//   - A delete is answered when no node takes the token any more; where that is
//     not known in time (503), the same delete asked for again finds it out.
package crafter
