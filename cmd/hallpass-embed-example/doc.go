// Command hallpass-embed-example is a small service that checks tokens inside
// its own process. It follows the stream of a NATS server that hallpass servers
// use too, answers
//
//	GET /device/{name}       once: what the device says
//	GET /device/{name}/live  for as long as the right to it lasts: a line a second
//
// to bearers of tokens that may read /device/{name}, and cuts a live answer as
// soon as its token is revoked. Receipts of fenced revokes list it by its name
// and incarnation.
//
//	HALLPASS_NATS_PASSWORD=… hallpass-embed-example --nats-url nats://127.0.0.1:4222 --name gateway-1
//	curl -N -H 'Authorization: Bearer hp_…' 127.0.0.1:8090/device/thermo1/live
//
// SIGINT and SIGTERM end it in good order: it says in the stream that it
// answers no more, so that no revoke has to wait for its lease. Copy it: it is
// all that embedding takes.
package main
