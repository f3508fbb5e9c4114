package projections_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// user is a node that gathers uses, and flushes when told.
type user struct {
	*projectionstest.Node
	t *testing.T
}

func newUser(t *testing.T, log eventstore.Log, name string, at eventstore.Seq) user {
	t.Helper()
	return newUserWith(t, log, at, projections.Config{Node: projections.NodeConfig{Name: domain.NodeName(name)}})
}

func newUserWith(t *testing.T, log eventstore.Log, at eventstore.Seq, cfg projections.Config) user {
	t.Helper()
	cfg.UsageEvery = 1000 * time.Hour
	u := user{projectionstest.StartNode(t, log, cfg), t}
	u.WaitLive(at)
	return u
}

func (u user) flush() {
	u.t.Helper()
	if err := u.Usage.Flush(within(u.t)); err != nil {
		u.t.Error(err)
	}
}

// check uses the nth secret so often.
func (u user) check(secret, times int, from string) {
	u.t.Helper()
	var addr netip.Addr
	if from != "" {
		addr = netip.MustParseAddr(from)
	}
	for range times {
		if _, err := u.Index.CheckFrom(projectionstest.Secret(secret), projectionstest.ReadBucket, addr); err != nil {
			u.t.Error(err)
			return
		}
	}
}

func (u user) want(token string, count uint64, from string) {
	u.t.Helper()
	t, ok := u.Directory.Token("acme", domain.TokenID(token))
	if !ok {
		u.t.Fatalf("there is no token %s", token)
	}
	use, got := u.Usage.Of(t), ""
	if use.From.IsValid() {
		got = use.From.String()
	}
	if use.Count != count || got != from || (use.At != 0) != (count > 0) {
		u.t.Errorf("%s was used %d times, last from %q at %d; want %d, %q", token, use.Count, got, use.At, count, from)
	}
}

func (u user) unused(since domain.Instant, want string) {
	u.t.Helper()
	var ids []string
	tokens, _, _ := u.Directory.Tokens("acme", projections.Filter{UnusedSince: since}, 0, 100)
	for _, t := range tokens {
		ids = append(ids, string(t.ID))
	}
	if got := strings.Join(ids, " "); got != want {
		u.t.Errorf("unused since %d: %q, want %q", since, got, want)
	}
}

// two is a story with the tokens a and b, of secrets 1 and 2.
func two(t *testing.T) *projectionstest.Story {
	story := newStory(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	story.Do("acme", "b", projectionstest.Issued(1, 2))
	return story
}

func TestAUseIsShownWithItsTimeAddressAndCount(t *testing.T) {
	story := two(t)
	n := newUser(t, story.Log, "n1", story.Model.At)
	n.want("a", 0, "")
	n.check(1, 3, "203.0.113.77")
	n.want("a", 3, "203.0.113.0/24") // before any flush
	n.flush()
	n.want("a", 3, "203.0.113.0/24")
	n.check(1, 1, "2001:db8:1:2::3")
	n.want("a", 4, "2001:db8:1::/48")
	n.check(1, 1, "::ffff:198.51.100.7")
	n.want("a", 5, "198.51.100.0/24")
	n.check(1, 1, "")
	n.want("a", 6, "")
	n.want("b", 0, "")
	a, _ := n.Directory.Token("acme", "a")
	if at := n.Usage.Of(a).At; at != projectionstest.T0/1000*1000 {
		t.Errorf("used at %d, want the second of %d", at, projectionstest.T0)
	}
	n.unused(projectionstest.T0, "b")
	n.unused(projectionstest.T0+1000, "a b")
}

func TestWhatIsAUse(t *testing.T) {
	story := two(t)
	n := newUser(t, story.Log, "n1", story.Model.At)
	secret := projectionstest.Secret(1)
	if _, err := n.Index.Check(secret, domain.Need{Resource: "/nowhere", Action: "Use", Level: domain.LevelWrite}); err != nil {
		t.Fatal(err)
	}
	n.want("a", 1, "") // whatever the decision
	if _, err := n.Index.CheckAll([]projections.Ask{
		{Secret: secret}, {Secret: secret, Aside: true}, {Secret: projectionstest.Secret(2)}, {Secret: projectionstest.Secret(99)},
	}); err != nil {
		t.Fatal(err)
	}
	n.want("a", 2, "")
	n.want("b", 1, "")
	b, err := n.Index.Bearer(secret, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	n.want("a", 2, "")
	n.Index.Used(&b, netip.MustParseAddr("192.0.2.1"))
	n.want("a", 3, "192.0.2.0/24")
	n.WaitLive(story.Do("acme", "a", domain.TokenDisabled{}))
	n.check(1, 5, "")
	n.want("a", 3, "192.0.2.0/24") // it doesn't work
}

func TestANewGenerationStartsAtNone(t *testing.T) {
	story := two(t)
	n := newUser(t, story.Log, "n1", story.Model.At)
	n.check(1, 2, "")
	n.flush()
	n.check(1, 2, "")
	story.Do("acme", "a", domain.TokenRevoked{Reason: policy})
	n.WaitLive(story.Model.At)
	n.want("a", 4, "")
	n.WaitLive(story.Do("acme", "a", projectionstest.Issued(2, 3)))
	n.want("a", 0, "")
	n.check(3, 1, "")
	n.want("a", 1, "")
	n.flush()
	n.flush()
	n.want("a", 1, "")
	n.check(3, 1, "")
	n.want("a", 2, "")
}

func TestNodesShareWhatTheyGather(t *testing.T) {
	story := two(t)
	one, other := newUser(t, story.Log, "n1", story.Model.At), newUser(t, story.Log, "n2", story.Model.At)
	one.check(1, 3, "203.0.113.77")
	other.check(1, 4, "203.0.113.77")
	other.check(2, 1, "")
	one.want("a", 3, "203.0.113.0/24")
	one.flush()
	other.flush()
	one.flush()
	for _, n := range []user{one, other} {
		n.want("a", 7, "203.0.113.0/24")
		n.want("b", 1, "")
		n.unused(projectionstest.T0, "")
	}
}

func TestARestartGoesOnCounting(t *testing.T) {
	story := two(t)
	n := newUser(t, story.Log, "n1", story.Model.At)
	n.check(1, 3, "192.0.2.1")
	if err := n.Leave(within(t)); err != nil { // it flushes
		t.Fatal(err)
	}
	n.Close()
	n = newUser(t, story.Log, "n1", story.Model.At)
	n.check(1, 1, "")
	n.flush()
	n.want("a", 4, "")
	n.check(1, 5, "")
	n.Close() // as a process that is killed: what was not flushed is lost
	n = newUser(t, story.Log, "n1", story.Model.At)
	n.flush()
	n.want("a", 4, "")
	gone := newUser(t, story.Log, "n3", story.Model.At)
	n.Close()
	gone.flush()
	gone.want("a", 4, "") // of a node that is gone
}

func (u user) wantSoon(token string, count uint64) {
	u.t.Helper()
	u.flush()
	u.want(token, count, "")
}

type locked struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

func TestAShelfMadeAnewIsFilledAgain(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{Now: projectionstest.T0.Time})
	story := projectionstest.NewStory(t, log)
	story.Do("acme", "", domain.AccountOpened{Name: "Acme"})
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	story.Do("acme", "b", projectionstest.Issued(1, 2))
	n := newUser(t, log, "n1", story.Model.At)
	n.check(1, 1, "")
	n.check(2, 2, "")
	n.flush()
	n.flush() // it has read as far as it wrote
	log.Clear()
	n.check(1, 1, "")
	n.flush()
	n.flush()
	other := newUser(t, log, "n2", story.Model.At)
	other.wantSoon("a", 2)
	other.want("b", 2, "")
}

func TestWithoutGatheringNothingIsKnown(t *testing.T) {
	story := two(t)
	n := user{projectionstest.StartNode(t, story.Log, projections.Config{}), t}
	n.WaitLive(story.Model.At)
	n.check(1, 2, "")
	n.want("a", 0, "")
	n.flush()
	if n.Usage.On() || n.Usage.Status() != (projections.UsageStatus{}) {
		t.Errorf("%+v", n.Usage.Status())
	}
	nameless := projections.Open(story.Log, projections.Config{Logger: quiet, UsageEvery: time.Hour})
	defer nameless.Close()
	if err := nameless.Ready(within(t)); !errors.As(err, new(*projections.ConfigError)) {
		t.Errorf("a node without a name that gathers: %v", err)
	}
}

// Many check at once while the node flushes and tokens are edited: every use is
// counted, once.
func TestNoUseIsLostOrCountedTwice(t *testing.T) {
	story := two(t)
	n := newUser(t, story.Log, "n1", story.Model.At)
	const checkers, each = 4, 3000
	done := make(chan struct{})
	var beside, all sync.WaitGroup
	beside.Go(func() {
		for name := "x"; ; {
			select {
			case <-done:
				return
			default:
			}
			story.Do("acme", "a", domain.TokenEdited{Name: &name})
			n.flush()
		}
	})
	for range checkers {
		all.Go(func() {
			for i := range each {
				n.check(1+i%2, 1, "192.0.2.1")
				if a, _ := n.Directory.Token("acme", "a"); n.Usage.Of(a).Count > checkers*each/2 {
					t.Error("a use was counted twice")
				}
			}
		})
	}
	all.Wait()
	close(done)
	beside.Wait()
	for range 2 {
		n.want("a", checkers*each/2, "192.0.2.0/24")
		n.want("b", checkers*each/2, "192.0.2.0/24")
		n.flush()
	}
}
