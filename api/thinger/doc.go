// Package thinger speaks the token API of Thinger.io: clients of that platform
// work here when their base URL is changed. It is a skin over api.Service, and
// holds no state and no rule.
//
// The paths are those under /v1/users/{user}/tokens, and /v1/server/assets,
// which tells clients of them. {user} is the account. The bearer, in
// Authorization or in the query parameter "authorization", is any credential
// of that account, or one of the account root that acts everywhere; what it may
// do, its Token actions say.
//
// A bearer made here has the shape of a JWT, since clients read the user and
// the server out of it. Its signature is of a key that is thrown away, and its
// claim "nonce" holds 256 random bits: to hallpass it is a secret like any
// other. It is shown once.
//
// # Permissions
//
// {"Device": {"d1": ["Read*"]}} grants Read* on /device/d1 and all under it. The
// first letter of a type changes its case, and nothing else does: OAuthClient
// stands for /oAuthClient, in this grammar and at the guard alike. {"Device":
// {"*": …}} is /device, {"*": {"*": "*"}} is everything in the account, and {"*":
// {"d1": …}} is /*/d1. A * stands for a whole type or id, or for the rest of an
// action's name, and nowhere else. Actions that nobody defined are taken (their
// grants are natively "unverified"), and "read" and "write" are the native
// levels. "device" is the type Device.
//
// An object in the place of an action names sub-resources by action: {"Device":
// {"d1": ["Read*", {"AccessDeviceResources": ["temperature", "led"]}]}} grants
// AccessDeviceResources on /device/d1/temperature and /device/d1/led. An id that
// goes deeper, "d1/temperature", says the same of all its actions. What covers a
// device covers its sub-resources; what covers one of these covers nothing of the
// device but that. So a deny of a sub-resource refuses questions about it, and
// none about the device as a whole: ask the guard about what the request is for.
// No sub-resource at all is refused, since it could be meant as all of them; "*"
// is any, and not the device itself.
//
// What was put in comes out with its names sorted; "*" alone comes out as a
// string, any other action in a list, sub-resources in one object behind them.
//
// # Beside the vendor's operations
//
//   - DELETE /v1/users/{user}/tokens with a JSON array of 1 to 1000 ids deletes
//     these tokens, for whoever may delete each of them; if one was never there,
//     or the rights do not reach, none is deleted. Ids that are deleted already
//     do not matter. Without a body nothing is deleted.
//   - Any method on /v1/users/{user}/guard/{type}/{id…}?action={name} answers,
//     for the platform's real API behind it, whether the bearer may do that: 200
//     {}, 401 or 403. Without an id it is about the type as a whole, as for
//     ListDevices. What can't be read there is refused with 403, since gateways
//     take any other status for a fault of the guard.
//
// # What is not served
//
// GET /v1/users, GET …/tokens/{token}/clone and PUT …/projects are answered with
// 404. The tokens of devices, under /v1/users/{user}/devices/{device}/tokens, are
// the platform's own: its API answers them, behind the guard.
//
// The claim "svr" is the host that was asked, without a port, as the platform's:
// clients that go to https://<svr> by themselves need this door at port 443.
//
// # Where exact and safe part
//
//   - A list's "name" finds, in any case, what has it somewhere in its id or
//     name. A count of 0 is none.
//   - The id of a clone may hold a "-", as the vendor's may, and have 50
//     characters, as those of all tokens. An import takes either form.
//   - Lists and reads show every token of the account that is no session,
//     whatever door it was made through, with whatever id, and never a secret.
//   - A native grant that this grammar can't say shows as the next wider one:
//     /device/* as all of Device, a first-match list as the union of its grants.
//     Nothing that a token may do is left out. Deny grants that can't be said are
//     left out instead, since they would seem to forbid more than they do; they
//     stay in force, whatever is put into deny here.
//   - A PUT that brings an entry back as it was shown leaves the native grants
//     behind it as they are, so that reading a token and putting it back never
//     widens it. A new allow list makes a first-match token one of the union.
//   - "expire" goes out in seconds since 1970, as the vendor's clients send it,
//     and a part of a second counts as a whole one. Numbers from 100,000,000,000
//     on are taken as milliseconds, and RFC 3339 is taken too; null is no end. One
//     that has passed makes a token born expired. created and modified are in
//     milliseconds.
//   - Names that a body should not have are refused, since one of them could be a
//     misspelt deny. A PUT may bring what an answer held (token, created,
//     modified, access_token); that is not looked at. A null takes a description,
//     an expire or a list away.
//   - What holds the working secret of a token is refused as an id, a name, a
//     description or a part of permissions: events are kept for ever.
//   - CloneToken is no right of its own: cloning takes ReadTokenConfig on the
//     source, and what creating the clone takes. The clone keeps what bounds the
//     source: permissions, conditions, times, tags, immutability and parent.
//   - Editing and deleting are answered when no node goes by the old rights any
//     more. Should that not be known in time (503), the same can be sent again. A
//     DELETE of one token then answers 200, once it is known, on the node that owed
//     the bearer's token that answer. Any other one is a second delete, since no
//     node knows what another answered: 404, and not before no node goes by the
//     token any more. A DELETE of several is 200 however often it is sent.
//   - The last token that could manage the account's tokens can't be deleted,
//     disabled or narrowed here (409); natively it can, by force.
//   - A query keeps worse than a header: what stands between clients and hallpass
//     may write URLs to its log, bearers in them included.
package thinger
