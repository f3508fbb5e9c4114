package domaintest

import (
	"pgregory.net/rapid"

	"hallpass/domain"
)

// NodeEvent draws an event about the stream itself: a node that joined or
// left, or a checkpoint. Their facts have the account root and no actor.
func NodeEvent() *rapid.Generator[domain.Event] {
	return rapid.Custom(func(t *rapid.T) domain.Event {
		switch rapid.IntRange(0, 2).Draw(t, "node event") {
		case 0:
			return domain.NodeJoined{
				Name: NodeName().Draw(t, "name"), Incarnation: Incarnation().Draw(t, "incarnation"),
				Key:   [32]byte(rapid.SliceOfN(rapid.ByteMin(1), 32, 32).Draw(t, "key")),
				Reads: rapid.Uint64().Draw(t, "reads"),
			}
		case 1:
			return domain.NodeLeft{Name: NodeName().Draw(t, "name"), Incarnation: Incarnation().Draw(t, "incarnation")}
		}
		return Checkpoint().Draw(t, "checkpoint")
	})
}

// Checkpoint draws a checkpoint of any history.
func Checkpoint() *rapid.Generator[domain.Checkpoint] {
	return rapid.Custom(func(t *rapid.T) domain.Checkpoint {
		c := domain.Checkpoint{
			Size: rapid.Uint64Min(1).Draw(t, "size"),
			Root: [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root")),
		}
		for range rapid.IntRange(0, 5).Draw(t, "sightings") {
			c.Seen = append(c.Seen, domain.Sighting{
				Replica: rapid.StringN(-1, -1, domain.MaxReplicaName).Draw(t, "replica"),
				By:      Incarnation().Draw(t, "by"),
			})
		}
		return c
	})
}

// NodeName draws the name of a node.
func NodeName() *rapid.Generator[domain.NodeName] {
	return rapid.Custom(func(t *rapid.T) domain.NodeName {
		proper := func(s string) bool { return s != "genesis" }
		return domain.NodeName(rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Filter(proper).Draw(t, "node"))
	})
}

// Incarnation draws an incarnation, which is never zero.
func Incarnation() *rapid.Generator[domain.Incarnation] {
	return rapid.Custom(func(t *rapid.T) domain.Incarnation {
		some := func(b []byte) bool { return domain.Incarnation(b) != domain.Incarnation{} }
		return domain.Incarnation(rapid.SliceOfN(rapid.Byte(), 16, 16).Filter(some).Draw(t, "incarnation"))
	})
}
