package eventstore

import "hallpass/domain"

// Subject is where records of one aggregate are filed: one literal subject
// each, because the expected last sequence guards only those (over wildcards
// it is no compare-and-set on a replicated stream). The event's type stands in
// the record, never in the subject.
type Subject string

// The subject spaces: records, and the barriers that share their stream.
const (
	recordPrefix  = "hp.e."
	barrierPrefix = "hp.l."
	busPrefix     = "hp.m." // messages between nodes; no stream keeps them
	allSubjects   = "hp.>"
)

// GenesisSubject files the stream's first record.
const GenesisSubject Subject = "hp.e.root.node.genesis"

// CheckpointSubject files the checkpoints of the history.
const CheckpointSubject Subject = "hp.e.root.checkpoint.tree"

// NodeSubject files the joins and leaves of the nodes of one name.
func NodeSubject(name domain.NodeName) Subject {
	return Subject(recordPrefix + string(domain.RootAccount) + ".node." + string(name))
}

// TokenSubject files the records of one token.
func TokenSubject(a domain.AccountID, t domain.TokenID) Subject {
	return Subject(recordPrefix + string(a) + ".token." + string(t))
}

// AccountSubject files the records of an account itself.
func AccountSubject(a domain.AccountID) Subject {
	return Subject(recordPrefix + string(a) + ".account." + string(a))
}

// TypeSubject files the records of one resource type.
func TypeSubject(name string) Subject {
	return Subject(recordPrefix + string(domain.RootAccount) + ".type." + name)
}

// TypeOf returns the resource type that e is about; empty if it is about none.
func TypeOf(e domain.Event) string {
	switch e := e.(type) {
	case domain.TypeDefined:
		return e.Def.Name
	case domain.TypeRemoved:
		return e.Name
	case domain.Genesis, domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenIssued, domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled, domain.TokenRotated, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring,
		domain.NodeJoined, domain.NodeLeft, domain.Checkpoint:
	}
	return ""
}

// SubjectOf returns where f is filed.
func SubjectOf(f *domain.Fact) Subject {
	switch e := f.Event.(type) {
	case domain.Genesis:
		return GenesisSubject
	case domain.NodeJoined:
		return NodeSubject(e.Name)
	case domain.NodeLeft:
		return NodeSubject(e.Name)
	case domain.Checkpoint:
		return CheckpointSubject
	case domain.TypeDefined, domain.TypeRemoved:
		return TypeSubject(TypeOf(e))
	case domain.AccountOpened, domain.AccountEdited, domain.AccountSuspended, domain.AccountResumed, domain.AccountClosed,
		domain.TokenIssued, domain.TokenEdited, domain.TokenEnabled, domain.TokenDisabled,
		domain.TokenRotated, domain.TokenRevoked,
		domain.TokenRetired, domain.TokenRevealed, domain.TokenResealed, domain.TokenExpiring:
	}
	if f.Token != "" {
		return TokenSubject(f.Account, f.Token)
	}
	return AccountSubject(f.Account)
}
