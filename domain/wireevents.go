package domain

// event appends the fields of e. It panics when e is not one of the sealed
// set, like a pointer to one: an event without its fields would be readable.
func (w *writer) event(e Event) {
	switch e := e.(type) {
	case Genesis:
		w.bytes(1, e.Stream[:])
		return
	case AccountOpened:
		w.str(1, e.Name)
		return
	case AccountSuspended:
		w.reason(1, e.Reason)
		return
	case AccountClosed:
		w.reason(1, e.Reason)
		return
	case TokenIssued:
		w.tokenIssued(&e)
		return
	case TokenEdited:
		w.tokenEdited(&e)
		return
	case TokenRotated:
		w.bytes(1, e.Digest[:])
		w.num(2, uint64(e.PreviousUntil))
		return
	case TokenRevoked:
		w.reason(1, e.Reason)
		return
	case NodeJoined:
		w.nodeJoined(&e)
		return
	case NodeLeft:
		w.nodeLeft(&e)
		return
	case Checkpoint:
		w.checkpoint(&e)
		return
	case AccountResumed, TokenEnabled, TokenDisabled:
		return
	}
	panic("domain: encoding an event of an unknown kind")
}

// event reads all that is left as the event of that type.
func (r *reader) event(typ string) Event {
	switch typ {
	case "genesis.1":
		var e Genesis
		r.in = "Genesis1"
		copy(e.Stream[:], r.fixed(1, len(e.Stream)))
		r.close(1)
		return e
	case "account.opened.1":
		r.in = "AccountOpened1"
		e := AccountOpened{r.str(1)}
		r.close(1)
		return e
	case "account.suspended.1":
		r.in = "AccountSuspended1"
		e := AccountSuspended{r.reason(1)}
		r.close(1)
		return e
	case "account.resumed.1":
		r.in = "AccountResumed1"
		r.close(0)
		return AccountResumed{}
	case "account.closed.1":
		r.in = "AccountClosed1"
		e := AccountClosed{r.reason(1)}
		r.close(1)
		return e
	case "token.issued.1":
		r.in = "TokenIssued1"
		return r.tokenIssued()
	case "token.edited.1":
		r.in = "TokenEdited1"
		return r.tokenEdited()
	case "token.enabled.1":
		r.in = "TokenEnabled1"
		r.close(0)
		return TokenEnabled{}
	case "token.disabled.1":
		r.in = "TokenDisabled1"
		r.close(0)
		return TokenDisabled{}
	case "token.rotated.1":
		var e TokenRotated
		r.in = "TokenRotated1"
		copy(e.Digest[:], r.fixed(1, len(e.Digest)))
		e.PreviousUntil = Instant(r.num(2))
		r.close(2)
		return e
	case "token.revoked.1":
		r.in = "TokenRevoked1"
		e := TokenRevoked{r.reason(1)}
		r.close(1)
		return e
	case "node.joined.1":
		r.in = "NodeJoined1"
		return r.nodeJoined()
	case "node.left.1":
		r.in = "NodeLeft1"
		return r.nodeLeft()
	case "checkpoint.1":
		r.in = "Checkpoint1"
		return r.checkpoint()
	}
	r.fail(1, "is a type that this version does not know")
	return nil
}

func (w *writer) tokenIssued(e *TokenIssued) {
	w.num(1, e.Generation)
	w.str(2, e.Name)
	w.str(3, e.Description)
	w.tags(4, e.Tags)
	w.flag(5, e.Enabled)
	w.num(6, uint64(e.Kind))
	w.flag(7, e.Immutable)
	w.num(8, uint64(e.NotBefore))
	w.num(9, uint64(e.ExpiresAt))
	w.permissions(10, &e.Permissions)
	w.bytes(11, e.Digest[:])
}

func (r *reader) tokenIssued() Event {
	var e TokenIssued
	e.Generation = r.num(1)
	e.Name = r.str(2)
	e.Description = r.str(3)
	e.Tags = r.tags(4)
	e.Enabled = r.flag(5)
	e.Kind = Kind(r.enum(6, uint64(KindAPI)))
	e.Immutable = r.flag(7)
	e.NotBefore = Instant(r.num(8))
	e.ExpiresAt = Instant(r.num(9))
	if r.has(10, wireBytes) {
		r.permissions(10, &e.Permissions)
	} else {
		r.missing(10)
	}
	copy(e.Digest[:], r.fixed(11, len(e.Digest)))
	r.close(11)
	return e
}

func (w *writer) tokenEdited(e *TokenEdited) {
	if e.Name != nil {
		w.optStr(1, *e.Name)
	}
	if e.Description != nil {
		w.optStr(2, *e.Description)
	}
	if e.Tags != nil {
		at := w.open(3)
		w.tags(1, *e.Tags)
		w.close(at)
	}
	if e.Enabled != nil {
		w.optFlag(4, *e.Enabled)
	}
	if e.NotBefore != nil {
		w.optNum(5, uint64(*e.NotBefore))
	}
	if e.ExpiresAt != nil {
		w.optNum(6, uint64(*e.ExpiresAt))
	}
	if e.Permissions != nil {
		w.permissions(7, e.Permissions)
	}
	w.flag(8, e.Narrows)
}

func (r *reader) tokenEdited() Event {
	var e TokenEdited
	e.Name = r.optStr(1)
	e.Description = r.optStr(2)
	if r.has(3, wireBytes) {
		o := r.enter(3, "TagSet")
		tags := r.tags(1)
		r.leave(o, 1)
		e.Tags = &tags
	}
	e.Enabled = r.optFlag(4)
	e.NotBefore = r.optInstant(5)
	e.ExpiresAt = r.optInstant(6)
	if r.has(7, wireBytes) {
		e.Permissions = new(Permissions)
		r.permissions(7, e.Permissions)
	}
	e.Narrows = r.flag(8)
	r.close(8)
	return e
}
