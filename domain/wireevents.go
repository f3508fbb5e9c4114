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
		if e.ManagedBy != AnyToken {
			w.num(2, uint64(e.ManagedBy)+1)
		}
		return
	case AccountEdited:
		w.accountEdited(&e)
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
		w.tokenRotated(&e)
		return
	case TokenRevoked:
		w.reason(1, e.Reason)
		if !e.Bulk.IsZero() {
			w.bytes(2, e.Bulk[:])
		}
		return
	case TokenRetired:
		w.bytes(1, e.Digest[:])
		return
	case TokenRevealed:
		w.bytes(1, e.Digest[:])
		return
	case TokenResealed:
		w.bytes(1, e.Digest[:])
		w.sealed(2, &e.Sealed)
		return
	case TokenExpiring:
		w.num(1, uint64(e.Notice))
		return
	case TypeDefined:
		w.typeDefined(&e)
		return
	case TypeRemoved:
		w.str(1, e.Name)
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
		e := AccountOpened{Name: r.str(1)}
		r.close(1)
		return e
	case "account.opened.2":
		r.in = "AccountOpened2"
		e := AccountOpened{r.str(1), Managers(r.enum(2, uint64(SessionsOnly)+1) - 1)}
		r.close(2)
		return e
	case "account.edited.1":
		r.in = "AccountEdited1"
		return r.accountEdited()
	case "account.suspended.1":
		r.in = "AccountSuspended1"
		e := AccountSuspended{r.reason()}
		r.close(1)
		return e
	case "account.resumed.1":
		r.in = "AccountResumed1"
		r.close(0)
		return AccountResumed{}
	case "account.closed.1":
		r.in = "AccountClosed1"
		e := AccountClosed{r.reason()}
		r.close(1)
		return e
	case "token.issued.1":
		r.in = "TokenIssued1"
		return r.tokenIssued(1)
	case "token.issued.2":
		r.in = "TokenIssued2"
		return r.tokenIssued(2)
	case "token.edited.1":
		r.in = "TokenEdited1"
		return r.tokenEdited(1)
	case "token.edited.2":
		r.in = "TokenEdited2"
		return r.tokenEdited(2)
	case "token.enabled.1":
		r.in = "TokenEnabled1"
		r.close(0)
		return TokenEnabled{}
	case "token.disabled.1":
		r.in = "TokenDisabled1"
		r.close(0)
		return TokenDisabled{}
	case "token.rotated.1":
		r.in = "TokenRotated1"
		return r.tokenRotated(1)
	case "token.rotated.2":
		r.in = "TokenRotated2"
		return r.tokenRotated(2)
	case "token.revoked.1":
		r.in = "TokenRevoked1"
		e := TokenRevoked{Reason: r.reason()}
		r.close(1)
		return e
	case "token.revoked.2":
		r.in = "TokenRevoked2"
		e := TokenRevoked{Reason: r.reason()}
		r.nonZero(2, e.Bulk[:])
		r.close(2)
		return e
	case "token.retired.1":
		r.in = "TokenRetired1"
		e := TokenRetired{r.digest(1)}
		r.close(1)
		return e
	case "token.revealed.1":
		r.in = "TokenRevealed1"
		e := TokenRevealed{r.digest(1)}
		r.close(1)
		return e
	case "token.resealed.1":
		r.in = "TokenResealed1"
		e := TokenResealed{Digest: r.digest(1)}
		if s := r.sealed(2); s != nil {
			e.Sealed = *s
		} else {
			r.missing(2)
		}
		r.close(2)
		return e
	case "token.expiring.1":
		r.in = "TokenExpiring1"
		e := TokenExpiring{Notice(r.enum(1, uint64(AtExpiry)))}
		r.close(1)
		return e
	case "type.defined.1":
		r.in = "TypeDefined1"
		return r.typeDefined()
	case "type.removed.1":
		r.in = "TypeRemoved1"
		e := TypeRemoved{r.id(1)}
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
	if e.Parent != nil {
		at := w.open(12)
		w.str(1, string(e.Parent.Token))
		w.num(2, e.Parent.Generation)
		w.close(at)
	}
	if e.Conditions != nil {
		w.conditions(13, e.Conditions)
	}
	if e.Sealed != nil {
		w.sealed(14, e.Sealed)
	}
	if e.Origin != "" || e.Imported || e.Once != nil || e.Wider {
		at := w.open(15)
		w.str(1, e.Origin)
		w.flag(2, e.Imported)
		w.once(3, e.Once)
		w.flag(4, e.Wider)
		w.close(at)
	}
}

// tokenIssued reads that version of the event: what the first has is in the
// same place in both.
func (r *reader) tokenIssued(version int) Event {
	var e TokenIssued
	e.Generation = r.num(1)
	e.Name = r.str(2)
	e.Description = r.str(3)
	e.Tags = r.tags(4)
	e.Enabled = r.flag(5)
	kinds := KindAPI
	if version > 1 {
		kinds = KindSession
	}
	e.Kind = Kind(r.enum(6, uint64(kinds)))
	e.Immutable = r.flag(7)
	e.NotBefore = Instant(r.num(8))
	e.ExpiresAt = Instant(r.num(9))
	if r.has(10, wireBytes) {
		r.permissions(10, &e.Permissions)
	} else {
		r.missing(10)
	}
	e.Digest = r.digest(11)
	if version == 1 {
		r.close(11)
		return e
	}
	if r.has(12, wireBytes) {
		o := r.enter(12, "Link")
		e.Parent = &Link{TokenID(r.id(1)), r.num(2)}
		r.leave(o, 2)
	}
	if e.Conditions = r.conditions(13); e.Conditions != nil && e.Conditions.IsZero() {
		r.fail(13, "is there although it is empty")
	}
	e.Sealed = r.sealed(14)
	if r.has(15, wireBytes) {
		o := r.enter(15, "Provenance")
		if e.Origin = r.optID(1); len(e.Origin) > MaxOrigin {
			r.fail(1, "is too long")
		}
		e.Imported = r.flag(2)
		e.Once = r.once(3)
		if e.Wider = r.flag(4); e.Origin == "" && !e.Imported && e.Once == nil && !e.Wider {
			r.fail(1, "and all others are missing")
		}
		r.leave(o, 4)
	}
	r.close(15)
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
	if e.Conditions != nil {
		w.conditions(9, e.Conditions)
	}
}

func (r *reader) tokenEdited(version int) Event {
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
	if version == 1 {
		r.close(8)
		return e
	}
	if e.Conditions = r.conditions(9); e.Conditions == nil {
		r.missing(9)
	}
	r.close(9)
	return e
}

func (w *writer) tokenRotated(e *TokenRotated) {
	w.bytes(1, e.Digest[:])
	w.num(2, uint64(e.PreviousUntil))
	w.flag(3, e.Retires)
	if e.Sealed != nil {
		w.sealed(4, e.Sealed)
	}
	w.once(5, e.Once)
}

func (r *reader) tokenRotated(version int) Event {
	e := TokenRotated{Digest: r.digest(1), PreviousUntil: Instant(r.num(2))}
	if version == 1 {
		r.close(2)
		return e
	}
	e.Retires = r.flag(3)
	e.Sealed = r.sealed(4)
	e.Once = r.once(5)
	r.close(5)
	return e
}
