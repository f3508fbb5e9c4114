package projections_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// A stream is deleted and made again under a node that follows it. The node
// answers nothing of the new one, and stops to answer of the old; those that
// start on the new one are not troubled by it.
func TestAStreamThatIsMadeAgain(t *testing.T) {
	servers := eventstoretest.StartServers(t, 1)
	cfg := servers.Account()
	open := func(name domain.NodeName) *projectionstest.Node {
		log, err := eventstore.OpenExternal(eventstoretest.Context(t), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { log.Close() }) //nolint:errcheck // it never fails
		n := projectionstest.StartMember(t, log, projections.Config{Node: projections.NodeConfig{Name: name, Lease: 2 * time.Second}})
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	old := open("old")
	if v := old.Verdict(1, projectionstest.ReadBucket); v != string(domain.UnknownSecret) {
		t.Fatalf("a check answers %s", v)
	}
	nc, err := nats.Connect("nats://"+servers.Addr(0), nats.UserInfo(cfg.User, cfg.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("$JS.API.STREAM.DELETE.hallpass", nil, eventstoretest.Patience); err != nil {
		t.Fatal(err)
	}
	fresh := open("fresh")
	eventstoretest.Eventually(t, "the old node answers no more", func() bool {
		return old.Verdict(1, projectionstest.ReadBucket) == string(domain.CodeStale)
	})
	if v := fresh.Verdict(1, projectionstest.ReadBucket); v != string(domain.UnknownSecret) {
		t.Errorf("a check at the new node answers %s", v)
	}
	if _, err := fresh.Fence(within(t), 1); err != nil {
		t.Errorf("a fence at the new node: %v", err)
	}
	if s := fresh.Status(); s.Phase != projections.Live {
		t.Errorf("the new node is %+v", s)
	}
}
