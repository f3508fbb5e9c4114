// Package embedded answers checks inside another program: it follows the stream
// itself, and decides from memory, under the same lease and fence rules as a
// hallpass server does.
//
//	log, err := eventstore.OpenExternal(ctx, eventstore.ExternalConfig{URL: "nats://n1:4222", User: "hallpass", Password: password})
//	if err != nil {
//		return err
//	}
//	defer log.Close()
//	node := embedded.Open(log, projections.Config{Node: projections.NodeConfig{Name: "gateway-1", FollowOnly: true}})
//	defer node.Close(ctx)
//	if err := node.Ready(ctx); err != nil {
//		return err
//	}
//	decision, err := node.Check(ctx, secret, client.Need{Action: "read", Resource: "/device/thermo1"})
//
// # What is promised
//
// A fenced revoke waits for this node as for any other: its receipt lists the
// node's incarnation, and from the moment of the receipt on Check refuses. A
// node that can't vouch for being current answers with the errors stale and
// not_ready, never with a guess.
//
// The promise is about checks. A connection that was let in before a revoke is
// cut when this program hears of the revoke, a moment after Check refuses:
// client.Holds does that. Who needs the promise for each message of a
// connection checks each message.
//
// # What it costs
//
// The program holds all tokens in memory and replays the stream at its start,
// as a server does. It needs a NATS credential that may read the stream's
// consumers, write join and left records (hp.e.root.node.>), and use the bus
// (hp.m.>). With FollowOnly it writes nothing else, and a hallpass server must
// be there to answer its questions for proof; use that when embedders are many.
//
// When tokens were last used, as the server's lists show it, includes what they
// were used for here if projections.Config.UsageEvery is set, which needs a
// Node.Name that stays the same from one start to the next. It is not set
// unless asked for: the credential then also needs to write to the bucket
// hallpass-usage (see package eventstore).
package embedded
