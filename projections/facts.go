package projections

import (
	"errors"
	"strings"

	"hallpass/domain"
	"hallpass/eventstore"
)

var (
	errNoGenesis    = errors.New("a stream starts with a genesis record")
	errWrongSubject = errors.New("it is about something else than its subject says")
)

func (f *fold) factLocked(rec *eventstore.Record, fact *domain.Fact, hash uint64) (is verdict, _ error) {
	if _, ok := fact.Event.(domain.Genesis); ok {
		if rec.Subject != eventstore.GenesisSubject {
			return is, errWrongSubject
		}
		_, err := domain.Evolve(domain.State{}, fact, rec.Seq)
		return is, err
	}
	switch {
	case rec.Seq == 1:
		return is, errNoGenesis
	case ownAffair(fact.Event):
		if rec.Subject != eventstore.SubjectOf(fact) {
			return is, errWrongSubject
		}
		return is, f.ownAffair(rec.Seq, fact.Event)
	case ofCatalog(fact.Event) && rec.Subject != eventstore.SubjectOf(fact), !ofCatalog(fact.Event) && !filedUnder(rec.Subject, fact):
		return is, errWrongSubject
	}
	f.callForCheckpoint()
	if ofCatalog(fact.Event) {
		return f.typeLocked(rec.Seq, fact)
	}
	account := f.directory.accountLocked(fact.Account)
	var token *tokenCell
	state := domain.State{Account: *account.now.Load()}
	if fact.Token != "" {
		token = f.directory.tokenLocked(hash, account, fact.Token)
		state.Token = *token.token()
	}
	if is.void = domain.Void(fact, f.actorLocked(fact.Actor), &state.Account); is.void == "" || without(voidActor) {
		after, err := domain.Evolve(state, fact, rec.Seq)
		if err != nil {
			return is, err
		}
		if token == nil {
			f.setAccountLocked(account, after.Account, rec.Seq)
		} else {
			is.secretLost = f.setTokenLocked(token, &after.Token, fact.Event, rec.Seq)
		}
	}
	if token == nil {
		account.last = rec.Seq
	} else {
		token.last = rec.Seq
	}
	return is, nil
}

// ownAffair tells whether e is about the stream itself.
func ownAffair(e domain.Event) bool {
	switch e.(type) {
	case domain.NodeJoined, domain.NodeLeft, domain.Checkpoint:
		return true
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenIssued, domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled, domain.TokenRotated, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring, domain.TypeDefined, domain.TypeRemoved:
	}
	return false
}

// ownAffair applies a record about the stream itself.
func (f *fold) ownAffair(seq Seq, e domain.Event) error {
	switch e := e.(type) {
	case domain.NodeJoined:
		return f.members.join(e, seq)
	case domain.NodeLeft:
		ended, err := f.members.leave(e, seq)
		if ended {
			f.leases.end(e.Incarnation)
		}
		return err
	case domain.Checkpoint:
		return f.meet(&e, seq)
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenIssued, domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled, domain.TokenRotated, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring, domain.TypeDefined, domain.TypeRemoved:
	}
	return nil
}

// actorLocked returns the actor's token and account as they stand; zero values
// for the operator and for what there is none of.
func (f *fold) actorLocked(a domain.Actor) (s domain.State) {
	if c := f.directory.accounts[a.Account]; c != nil {
		s.Account = *c.now.Load()
		if t := f.directory.cellLocked(a.Account, a.Token); t != nil {
			s.Token, s.Ancestors = *t.token(), t.ancestors()
		}
	}
	return s
}

// ofCatalog tells whether e is about a resource type.
func ofCatalog(e domain.Event) bool {
	switch e.(type) {
	case domain.TypeDefined, domain.TypeRemoved:
		return true
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenIssued, domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled, domain.TokenRotated, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring,
		domain.NodeJoined, domain.NodeLeft, domain.Checkpoint:
	}
	return false
}

// typeLocked applies a record about a resource type.
func (f *fold) typeLocked(seq Seq, fact *domain.Fact) (is verdict, _ error) {
	d := f.directory
	root := d.accountLocked(domain.RootAccount).now.Load()
	name := eventstore.TypeOf(fact.Event)
	is.void = domain.Void(fact, f.actorLocked(fact.Actor), root)
	if is.void == "" || without(voidActor) {
		after, err := domain.Evolve(domain.State{Type: d.catalog.Load().Type(name)}, fact, seq)
		if err != nil {
			return is, err
		}
		if after.Type != nil {
			d.catalog.Store(d.catalog.Load().With(*after.Type))
		} else {
			d.catalog.Store(d.catalog.Load().Without(name))
		}
	}
	d.types[name] = seq
	return is, nil
}

func (f *fold) setAccountLocked(c *accountCell, a domain.Account, seq Seq) {
	c.set(&a)
	f.directory.openedLocked(c, seq)
}

// setTokenLocked makes t what the cell holds, and settles whose the digest is
// that the event brings, if it brings one.
func (f *fold) setTokenLocked(c *tokenCell, t *domain.Token, e domain.Event, seq Seq) (secretLost bool) {
	if d, ok := brought(e); ok {
		if owner := f.index.digests.owner(&d); owner != nil && owner != c {
			secretLost = true
			dropSecret(t, &d)
		} else {
			keepFirst(t, &d)
		}
	}
	before := c.token().Secrets
	now := f.newSnapshotLocked(c, t)
	if t.Generation != c.token().Generation {
		c.used.renew(t.Generation)
	}
	c.now.Store(now)
	for i := range now.token.Secrets {
		f.index.digests.open(&now.token.Secrets[i].Digest, c, now, f.termsOf(now, i))
	}
	for i := range before {
		if d := &before[i].Digest; !holds(&now.token, d) {
			f.index.digests.shut(d)
		}
	}
	c.account.noteManager(c)
	f.directory.issuedLocked(c, seq)
	return secretLost
}

// brought returns the digest that an event gives to its token; false if none.
func brought(e domain.Event) (domain.Digest, bool) {
	switch e := e.(type) {
	case domain.TokenIssued:
		return e.Digest, true
	case domain.TokenRotated:
		return e.Digest, true
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring, domain.TypeDefined, domain.TypeRemoved,
		domain.NodeJoined, domain.NodeLeft, domain.Checkpoint:
	}
	return domain.Digest{}, false
}

// dropSecret takes a secret out of t, which is not yet seen by anyone.
func dropSecret(t *domain.Token, d *domain.Digest) {
	var kept []domain.Held
	for _, h := range t.Secrets {
		if !sameSecret(&h.Digest, d) {
			kept = append(kept, h)
		}
	}
	t.Secrets = kept
}

// keepFirst leaves t, which is not yet seen by anyone, one secret of those that
// the table takes for d: the one just brought, as if it were brought again.
func keepFirst(t *domain.Token, d *domain.Digest) {
	if len(t.Secrets) < 2 {
		return
	}
	first := t.Secrets[0]
	dropSecret(t, d)
	t.Secrets = append([]domain.Held{first}, t.Secrets...)
}

func holds(t *domain.Token, d *domain.Digest) bool { return heldAs(t, d) != nil }

// heldAs returns the secret of t that the table takes d for; nil if there is none.
func heldAs(t *domain.Token, d *domain.Digest) *domain.Held {
	for i := range t.Secrets {
		if h := &t.Secrets[i]; sameSecret(&h.Digest, d) {
			return h
		}
	}
	return nil
}

// filedUnder tells whether s is eventstore.SubjectOf(f), without building it.
// It takes the shapes of subjects from eventstore itself.
func filedUnder(s eventstore.Subject, f *domain.Fact) bool {
	shape, id := accountShape, string(f.Account)
	if f.Token != "" {
		shape, id = tokenShape, string(f.Token)
	}
	account, a, b := string(f.Account), len(shape[0]), len(shape[0])+len(f.Account)
	c := b + len(shape[1])
	return len(s) == c+len(id) && string(s[:a]) == shape[0] && string(s[a:b]) == account &&
		string(s[b:c]) == shape[1] && string(s[c:]) == id
}

var (
	tokenShape   = strings.Split(string(eventstore.TokenSubject("\x00", "\x00")), "\x00")
	accountShape = strings.Split(string(eventstore.AccountSubject("\x00")), "\x00")
)
