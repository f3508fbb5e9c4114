// Package eventstore is the ordered log of facts: one NATS JetStream stream,
// reached through Log. It alone knows NATS.
//
// # Implementations
//
// OpenEmbedded runs a NATS server inside the process and owns its directory,
// alone or as one of a cluster; OpenExternal uses a server or cluster that is there already. Both give a
// *JetStream. NewMemory is the same in memory, for tests. The contract suite
// in eventstoretest holds all of them to Log's comments.
//
// # The stream
//
// Its first record is a genesis with a random id, so that one stream can be
// told from another. Records are filed under hp.e.<account>.<kind>.<id>, one
// literal subject an aggregate; an append states the last record of its
// subject, and the server refuses it when that isn't so. Barriers of the same
// stream live under hp.l.<node>, expect nothing, and leave the stream after a
// while; their places stay empty. Readers see both.
//
// Beside the stream, Bus carries messages between its nodes, as plain NATS
// messages under hp.m.>. It promises nothing.
//
// The Shelf is a key-value bucket, hallpass-usage, that "nats kv" can read. It
// is made when it is first needed, with as many replicas as the stream has. For
// it, a credential that may do little needs to publish to
// $KV.hallpass-usage.>, $JS.API.DIRECT.GET.KV_hallpass-usage, and
// $JS.API.STREAM.INFO.KV_hallpass-usage and, to make it,
// $JS.API.STREAM.CREATE.KV_hallpass-usage. Nothing but the shelf fails without.
//
// # Copies
//
// A stream of several replicas is read from one of them, which Reader.Replica
// names. What servers say of a copy, that it is current or lacks nothing, is
// no proof of it: one whose blocks were damaged says the same. Resync has a
// stopped node's copy filled anew from the others.
//
// A batch is an atomic publish: up to 1000 records, each with its expectation,
// that the server stages and stores, one behind the other, with the last one of
// them. Its records carry Nats-Batch-Id and Nats-Batch-Sequence beside the rest.
// A server alone that is killed in the middle completes the batch at its start.
//
// Records carry these headers: Nats-Msg-Id (the event's ULID),
// Nats-Expected-Last-Subject-Sequence, and Hp-Type (the event's type, for
// subscribers outside). Every record under hp.e.> is published again, once
// stored, under hp.live.> for plain NATS subscribers.
//
// # Durability
//
// An embedded server syncs each record to disk before it acknowledges it,
// unless NoSync is set. With an external server that is the
// server's own setting (jetstream { sync_interval: always }), which a client
// can neither see nor change.
//
// # What may go wrong
//
// An answer may be lost although the record is stored. Append then asks again
// with the same message id: the server answers with the record's place
// (replicated stream) or with a conflict that names the caller's own record
// (single server). That is why a *ConflictError, after an answer was lost, is
// no proof that the record isn't there; the one who folds the log knows.
package eventstore
