package projections

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hallpass/domain"
)

// ErrSuperseded is why a node ended: another process joined under its name.
var ErrSuperseded = errors.New("projections: another process has joined under the name of this node, which therefore stopped; " +
	"if both are to run, give each its own name")

// Member is one life of one node, as its join record tells.
type Member struct {
	Name        domain.NodeName
	Incarnation domain.Incarnation
	Key         ed25519.PublicKey // its signatures are by
	Joined      Seq               // its join record
}

// MemberStatus is how a member stands, as this node sees it.
type MemberStatus struct {
	Member
	Reads     uint64        // the schema level that it can read
	Lease     time.Duration // the length of its newest lease; 0: none is running
	LeaseLeft time.Duration // until it has surely run out
	Replica   string        // whose copy of the stream it reads; "" if it didn't say
	Size      uint64        // of its tree, when it last said
	Differs   bool          // its history was last seen to differ from this node's
}

// members is who takes part in the stream, as the stream itself tells.
type members struct {
	self domain.Incarnation

	mu      sync.Mutex // guards what follows
	by      map[domain.Incarnation]*member
	last    map[domain.NodeName]Seq       // each name's newest record
	left    map[domain.Incarnation]Member // of late
	writers map[domain.Incarnation]sighting
}

// leftKept is how many of those that left are kept in mind, for fences that
// are waiting for them.
const leftKept = 1024

type member struct {
	Member
	reads uint64
}

// sighting is what a member's newest barrier said of its history.
type sighting struct {
	at      time.Duration // CLOCK_BOOTTIME when the barrier was applied
	replica string
	size    uint64
	agrees  bool // its root was this node's own
	differs bool // it was another; neither: it could not be compared
}

func newMembers(self domain.Incarnation) *members {
	return &members{
		self: self, by: map[domain.Incarnation]*member{},
		last: map[domain.NodeName]Seq{}, left: map[domain.Incarnation]Member{}, writers: map[domain.Incarnation]sighting{},
	}
}

// join folds a join record. Its error is ErrSuperseded.
func (m *members) join(e domain.NodeJoined, seq Seq) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[e.Name] = seq
	if m.by[e.Incarnation] != nil {
		return nil // again: the first one counts
	}
	if self := m.by[m.self]; self != nil && self.Name == e.Name {
		return ErrSuperseded
	}
	m.by[e.Incarnation] = &member{Member{e.Name, e.Incarnation, ed25519.PublicKey(e.Key[:]), seq}, e.Reads}
	return nil
}

// leave folds a left record, which is none if it names somebody else's life:
// who may write about one node can't end another. It tells whether it was one.
// Its error is ErrClosed, when it is this node's own:
// it wrote that, or whoever holds its data directory now.
func (m *members) leave(e domain.NodeLeft, seq Seq) (ended bool, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[e.Name] = seq
	is := m.by[e.Incarnation]
	if is == nil || is.Name != e.Name {
		return false, nil
	}
	for i := range m.left {
		if len(m.left) < leftKept {
			break
		}
		delete(m.left, i)
	}
	m.left[e.Incarnation] = is.Member
	delete(m.by, e.Incarnation)
	delete(m.writers, e.Incarnation)
	if e.Incarnation == m.self {
		return true, fmt.Errorf("%w: the stream says that this node has left", ErrClosed)
	}
	return true, nil
}

// get returns a member that has not left.
func (m *members) get(i domain.Incarnation) (Member, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if is := m.by[i]; is != nil {
		return is.Member, true
	}
	return Member{}, false
}

// gone returns a member that has left of late.
func (m *members) gone(i domain.Incarnation) (Member, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	is, ok := m.left[i]
	return is, ok
}

// lastOf returns the newest record under the name.
func (m *members) lastOf(n domain.NodeName) Seq {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[n]
}

// all returns the members that have not left, by name and place.
func (m *members) all() []member {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]member, 0, len(m.by))
	for _, is := range m.by {
		out = append(out, *is)
	}
	slices.SortFunc(out, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Joined, b.Joined))
	})
	return out
}

// saw notes what a barrier said of its writer's history.
func (m *members) saw(by domain.Incarnation, s sighting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by[by] != nil {
		m.writers[by] = s
	}
}

// sightings returns what was last seen of each member that writes barriers, if
// that was after since.
func (m *members) sightings(since time.Duration) map[domain.Incarnation]sighting {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[domain.Incarnation]sighting{}
	for of, s := range m.writers {
		if s.at >= since {
			out[of] = s
		}
	}
	return out
}

// outvoted tells whether of the copies of the stream that were read of late as
// many are seen to hold another history as hold this node's own: a tie tells
// nobody who is right, and who is not must not go on by its own barriers. A
// copy counts once, however many read it, as most of them do.
func (m *members) outvoted(since time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	readers := map[string]int{m.writers[m.self].replica: 1} // of each copy: those who agree, less those who don't
	for of, s := range m.writers {
		switch {
		case of == m.self || s.at < since:
		case s.differs:
			readers[s.replica]--
		case s.agrees:
			readers[s.replica]++
		}
	}
	votes := 0
	for _, n := range readers {
		votes += cmp.Compare(n, 0)
	}
	return votes <= 0
}
