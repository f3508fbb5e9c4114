package domain

func (w *writer) nodeJoined(e *NodeJoined) {
	w.str(1, string(e.Name))
	w.bytes(2, e.Incarnation[:])
	w.bytes(3, e.Key[:])
	w.num(4, e.Reads)
}

func (r *reader) nodeJoined() Event {
	var e NodeJoined
	e.Name = r.nodeName(1)
	r.nonZero(2, e.Incarnation[:])
	r.nonZero(3, e.Key[:])
	e.Reads = r.num(4)
	r.close(4)
	return e
}

func (w *writer) nodeLeft(e *NodeLeft) {
	w.str(1, string(e.Name))
	w.bytes(2, e.Incarnation[:])
}

func (r *reader) nodeLeft() Event {
	var e NodeLeft
	e.Name = r.nodeName(1)
	r.nonZero(2, e.Incarnation[:])
	r.close(2)
	return e
}

func (w *writer) checkpoint(e *Checkpoint) {
	w.num(1, e.Size)
	w.bytes(2, e.Root[:])
	for i := range e.Seen {
		s := &e.Seen[i]
		at := w.open(3)
		w.str(1, s.Replica)
		w.bytes(2, s.By[:])
		w.close(at)
	}
}

func (r *reader) checkpoint() Event {
	var e Checkpoint
	if e.Size = r.num(1); e.Size == 0 {
		r.missing(1)
	}
	copy(e.Root[:], r.fixed(2, len(e.Root)))
	e.Seen = r.sightings(3)
	r.close(3)
	return e
}

func (r *reader) sightings(n byte) []Sighting {
	k := r.count(n)
	if k == 0 {
		return nil
	}
	if k > MaxSightings {
		r.fail(n, "is there more often than it may be")
		return nil
	}
	seen := make([]Sighting, k)
	for i := range seen {
		r.has(n, wireBytes)
		o := r.enter(n, "Sighting")
		s := &seen[i]
		if s.Replica = r.str(1); len(s.Replica) > MaxReplicaName {
			r.fail(1, "is too long for the name of a server")
		}
		r.nonZero(2, s.By[:])
		r.leave(o, 2)
	}
	return seen
}

// nodeName takes a required name of a node.
func (r *reader) nodeName(n byte) NodeName {
	s := r.id(n)
	if s == noNode {
		r.fail(n, "is a name that no node has")
	}
	return NodeName(s)
}

// nonZero fills b with required bytes, which are not all zero.
func (r *reader) nonZero(n byte, b []byte) {
	copy(b, r.fixed(n, len(b)))
	for _, c := range b {
		if c != 0 {
			return
		}
	}
	r.fail(n, "is zero")
}

// misfiled says what is wrong with the account or the actor of f; "" if
// nothing. Records about the stream itself come from no token: what one may do
// never decides which nodes a fence waits for.
func (f *Fact) misfiled() string {
	switch f.Event.(type) {
	case NodeJoined, NodeLeft, Checkpoint:
		if !f.Actor.IsOperator() {
			return "Fact field 4 names an actor where there is none"
		}
		if f.Account != RootAccount {
			return "Fact field 7 is not the account root"
		}
	case TypeDefined, TypeRemoved:
		if f.Account != RootAccount {
			return "Fact field 7 is not the account root"
		}
	case TokenRetired, TokenResealed, TokenExpiring:
		if !f.Actor.IsOperator() {
			return "Fact field 4 names an actor where there is none"
		}
	case Genesis, AccountOpened, AccountEdited, AccountSuspended, AccountResumed, AccountClosed,
		TokenIssued, TokenEdited, TokenEnabled, TokenDisabled, TokenRotated, TokenRevoked, TokenRevealed:
	}
	return ""
}
