package projections

import (
	"errors"
	"testing"
	"time"

	"hallpass/domain"
)

// hands are clocks that a test sets.
type hands struct {
	boot time.Duration
	wall domain.Instant
}

func (h *hands) Boot() time.Duration  { return h.boot }
func (h *hands) Wall() domain.Instant { return h.wall }

func (h *hands) advance(d time.Duration) {
	h.boot += d
	h.wall += domain.Instant(d.Milliseconds())
}

func TestALeaseIsAsOldAsTheWorseOfTwoClocksSays(t *testing.T) {
	h := &hands{time.Hour, 1_790_000_000_000}
	l := &lease{boot: h.Boot, wall: h.Wall}
	if s := l.status(); s != (Lease{}) {
		t.Errorf("before any proof it stands as %+v", s)
	}
	l.renew(proven{boot: h.boot, wall: h.wall, length: 2 * time.Second})
	for name, c := range map[string]struct {
		boot, wall time.Duration
		left       time.Duration
	}{
		"both go on":            {time.Second, time.Second, time.Second},
		"it slept":              {3 * time.Second, 0, 0},
		"boot stood still":      {0, 3 * time.Second, 0},
		"the wall went back":    {time.Second, -time.Hour, time.Second},
		"just before its end":   {1999 * time.Millisecond, 0, time.Millisecond},
		"at its end":            {2 * time.Second, 0, 0},
		"nothing goes anywhere": {0, 0, 2 * time.Second},
	} {
		then := *h
		h.boot += c.boot
		h.wall += domain.Instant(c.wall.Milliseconds())
		if got := l.status().Left; got != c.left {
			t.Errorf("%s: %v is left, want %v", name, got, c.left)
		}
		*h = then
	}
}

func TestAnOlderProofDoesNotReplaceANewerOne(t *testing.T) {
	h := &hands{time.Hour, 0}
	l := &lease{boot: h.Boot, wall: h.Wall}
	l.renew(proven{boot: time.Hour, length: 2 * time.Second})
	l.renew(proven{boot: time.Hour - time.Second, length: 2 * time.Second})
	if p := l.newer.Load(); p.boot != time.Hour {
		t.Errorf("the lease counts from %v", p.boot)
	}
	l.renew(proven{boot: time.Hour + time.Second, length: 2 * time.Second})
	if p := l.newer.Load(); p.boot != time.Hour+time.Second {
		t.Errorf("the lease counts from %v", p.boot)
	}
}

func given(of byte, lease, stale time.Duration) proof {
	return proof{Of: hex16{of}, Nonce: hex16{of}, Lease: millis(lease.Milliseconds()), Stale: millis(stale.Milliseconds()), Reads: 1}
}

func TestWhoMayAnswerWithoutARevision(t *testing.T) {
	h := &hands{time.Hour, 0}
	l := newLeases(h.Boot, 2*time.Second, func() time.Duration { return 12 * time.Second })
	n1, n2, n3 := domain.Incarnation{1}, domain.Incarnation{2}, domain.Incarnation{3}
	begin := h.boot
	l.add(10, []proof{given(1, 2*time.Second, 0), given(2, 4*time.Second, 6*time.Second), given(3, 0, 0)})
	h.advance(time.Second)
	l.add(20, []proof{given(1, 2*time.Second, 0)})

	want := func(name string, seq Seq, want map[domain.Incarnation]time.Duration) {
		t.Helper()
		got := l.below(seq)
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for of, ends := range want {
			if got[of] != begin+ends {
				t.Errorf("%s: %s until %v, want %v", name, of, got[of]-begin, ends)
			}
		}
	}
	first, second, other := 2100*time.Millisecond, 3100*time.Millisecond, 10500*time.Millisecond
	want("from before all", 10, nil)
	want("between the two", 20, map[domain.Incarnation]time.Duration{n1: first, n2: other})
	want("after both", 21, map[domain.Incarnation]time.Duration{n1: second, n2: other})
	h.advance(1100 * time.Millisecond) // the first is over, the second is not
	want("between the two, later", 20, map[domain.Incarnation]time.Duration{n2: other})
	want("after both, later", 21, map[domain.Incarnation]time.Duration{n1: second, n2: other})
	if length, left := l.of(n2); length != 10*time.Second || left != 8400*time.Millisecond {
		t.Errorf("n2 has %v of %v left", left, length)
	}
	if length, left := l.of(n3); length != 0 || left != 0 {
		t.Errorf("an echo gave a lease of %v", length)
	}
	l.end(n2)
	want("n2 has left", 21, map[domain.Incarnation]time.Duration{n1: second})
	h.advance(time.Minute)
	want("all are over", 30, nil)
	l.add(40, nil)
	if len(l.by) != 0 {
		t.Errorf("%d are still kept", len(l.by))
	}
}

func TestWhenAllThatIsNotKnownHasRunOut(t *testing.T) {
	h := &hands{time.Hour, 0}
	longest := 12 * time.Second
	l := newLeases(h.Boot, 2*time.Second, func() time.Duration { return longest })
	if got := l.complete() - h.boot; got != 12600*time.Millisecond {
		t.Errorf("after a start: %v", got)
	}
	h.advance(time.Minute)
	if l.complete() > h.boot {
		t.Error("a minute later something is still not known")
	}
	l.gap()
	if got := l.complete() - h.boot; got != 12600*time.Millisecond {
		t.Errorf("after a gap: %v", got)
	}
	longest = 20 * time.Second
	if got := l.complete() - h.boot; got != 21*time.Second {
		t.Errorf("when longer leases are permitted: %v", got)
	}
}

func TestNothingIsWrittenThatALeaseCannotRead(t *testing.T) {
	h := &hands{time.Hour, 0}
	l := newLeases(h.Boot, 2*time.Second, func() time.Duration { return 12 * time.Second })
	if got := l.reads(); got != domain.SchemaLevel {
		t.Errorf("alone: %d", got)
	}
	old := given(1, 2*time.Second, 0)
	old.Reads = 0
	l.add(1, []proof{old, given(2, 2*time.Second, 0)})
	if got := l.reads(); got != 0 {
		t.Errorf("with one that reads less: %d", got)
	}
	h.advance(3 * time.Second)
	if got := l.reads(); got != domain.SchemaLevel {
		t.Errorf("when its lease is over: %d", got)
	}
}

func joined(n byte, name domain.NodeName) domain.NodeJoined {
	return domain.NodeJoined{Name: name, Incarnation: domain.Incarnation{n}, Key: [32]byte{n}, Reads: 1}
}

func TestMembersAreThoseWhoJoinedAndHaveNotLeft(t *testing.T) {
	self := domain.Incarnation{1}
	m := newMembers(self)
	steps := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	steps(m.join(joined(9, "n1"), 2), m.join(joined(1, "n1"), 3), m.join(joined(2, "n2"), 4), m.join(joined(2, "n2"), 5))
	if is, ok := m.get(domain.Incarnation{2}); !ok || is.Joined != 4 || is.Name != "n2" {
		t.Errorf("n2 is %+v", is)
	}
	var names []string
	for _, is := range m.all() {
		names = append(names, string(is.Name)+is.Incarnation.String()[:2])
	}
	if len(names) != 3 || names[0] != "n109" || names[1] != "n101" || names[2] != "n202" {
		t.Errorf("members are %v", names)
	}
	if m.lastOf("n2") != 5 || m.lastOf("n1") != 3 || m.lastOf("n3") != 0 {
		t.Error("a name's newest record is not the newest")
	}
	left := func(e domain.NodeLeft, seq Seq, want bool) {
		t.Helper()
		if ended, err := m.leave(e, seq); ended != want || err != nil {
			t.Errorf("leave(%v) is %v, %v", e, ended, err)
		}
	}
	left(domain.NodeLeft{Name: "n1", Incarnation: domain.Incarnation{2}}, 6, false) // in another's name
	if _, there := m.get(domain.Incarnation{2}); !there {
		t.Error("n1 has ended a life of n2")
	}
	left(domain.NodeLeft{Name: "n2", Incarnation: domain.Incarnation{2}}, 6, true)
	if _, there := m.get(domain.Incarnation{2}); there {
		t.Error("n2 has left, and is there")
	}
	if is, gone := m.gone(domain.Incarnation{2}); !gone || is.Name != "n2" {
		t.Error("n2 has left, and nobody knows")
	}
	left(domain.NodeLeft{Name: "n7", Incarnation: domain.Incarnation{7}}, 7, false) // was never there
	if err := m.join(joined(3, "n1"), 8); !errors.Is(err, ErrSuperseded) {
		t.Errorf("another joins under this node's name: %v", err)
	}
	if _, err := m.leave(domain.NodeLeft{Name: "n1", Incarnation: self}, 9); !errors.Is(err, ErrClosed) {
		t.Errorf("this node has left: %v", err)
	}
}

func TestOfThoseThatLeftOnlySoManyAreKept(t *testing.T) {
	m := newMembers(domain.Incarnation{0xff})
	for n := range leftKept + 100 {
		i := domain.Incarnation{1, byte(n), byte(n >> 8)}
		if err := m.join(domain.NodeJoined{Name: "n", Incarnation: i}, Seq(2*n)); err != nil {
			t.Fatal(err)
		}
		if _, err := m.leave(domain.NodeLeft{Name: "n", Incarnation: i}, Seq(2*n+1)); err != nil {
			t.Fatal(err)
		}
		if _, gone := m.gone(i); !gone {
			t.Fatalf("number %d has just left, and nobody knows", n)
		}
	}
	if len(m.left) > leftKept || len(m.by) != 0 {
		t.Errorf("%d that left are kept, and %d that are there", len(m.left), len(m.by))
	}
}

// A node goes by its own barriers only as long as more read what it reads, it
// included, than don't.
func TestWhoeverIsAloneWithItsHistoryIsOutvoted(t *testing.T) {
	for name, c := range map[string]struct {
		agree, differ, silent int
		outvoted              bool
	}{
		"alone": {}, "with one": {agree: 1}, "one against one": {differ: 1, outvoted: true}, "two against one": {agree: 1, differ: 1},
		"one against two": {differ: 2, outvoted: true}, "two against two": {agree: 1, differ: 2, outvoted: true}, "one that can't be compared": {silent: 1},
	} {
		m := newMembers(domain.Incarnation{1})
		n := byte(1)
		add := func(count int, s sighting) {
			for range count {
				n++
				_ = m.join(joined(n, domain.NodeName(rune('a'+n))), Seq(n))
				m.saw(domain.Incarnation{n}, s)
			}
		}
		_ = m.join(joined(1, "self"), 1)
		m.saw(domain.Incarnation{1}, sighting{at: 10, agrees: true})
		add(c.agree, sighting{at: 10, agrees: true})
		add(c.differ, sighting{at: 10, differs: true})
		add(c.silent, sighting{at: 10})
		add(3, sighting{at: 4, differs: true}) // of long ago
		m.saw(domain.Incarnation{0xee}, sighting{at: 10, differs: true})
		if got := m.outvoted(5); got != c.outvoted {
			t.Errorf("%s: outvoted: %v", name, got)
		}
	}
}

// However many read a damaged copy, it is one.
func TestACopyCountsOnce(t *testing.T) {
	m := newMembers(domain.Incarnation{1})
	for n, replica := range []string{"A", "B", "C", "C", "C", "C"} {
		of := domain.Incarnation{byte(n + 1)}
		_ = m.join(joined(byte(n+1), domain.NodeName(rune('a'+n))), Seq(n+1))
		m.saw(of, sighting{at: 10, replica: replica, agrees: replica != "C", differs: replica == "C"})
	}
	if m.outvoted(5) {
		t.Error("two copies are outvoted by one that four nodes read")
	}
	m.saw(domain.Incarnation{2}, sighting{at: 10, replica: "B", differs: true})
	if !m.outvoted(5) {
		t.Error("two copies don't outvote one")
	}
}
