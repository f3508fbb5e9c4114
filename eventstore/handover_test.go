package eventstore

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Who leads counts as a leader as long as a majority with it answers, however
// late. What nobody answers is for the others to replace.
func TestALeaderIsWhomAMajorityAnswers(t *testing.T) {
	heard := func(ago time.Duration) *server.PeerInfo { return &server.PeerInfo{Active: ago} }
	now, old, offline := heard(time.Second), heard(3*time.Second), &server.PeerInfo{Active: time.Second, Offline: true}
	for name, c := range map[string]struct {
		others []*server.PeerInfo
		want   bool
	}{
		"alone":              {nil, false},
		"both of two":        {[]*server.PeerInfo{now, now}, true},
		"one of two":         {[]*server.PeerInfo{old, now}, true},
		"none of two":        {[]*server.PeerInfo{old, old}, false},
		"one that is gone":   {[]*server.PeerInfo{offline, old}, false},
		"two of four":        {[]*server.PeerInfo{now, old, now, old}, true},
		"one of four":        {[]*server.PeerInfo{now, old, old, offline}, false},
		"the only other one": {[]*server.PeerInfo{now}, true},
	} {
		if got := answered(c.others); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
