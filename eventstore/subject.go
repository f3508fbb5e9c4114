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
	allSubjects   = "hp.>"
)

// GenesisSubject files the stream's first record.
const GenesisSubject Subject = "hp.e.root.node.genesis"

// TokenSubject files the records of one token.
func TokenSubject(a domain.AccountID, t domain.TokenID) Subject {
	return Subject(recordPrefix + string(a) + ".token." + string(t))
}

// AccountSubject files the records of an account itself.
func AccountSubject(a domain.AccountID) Subject {
	return Subject(recordPrefix + string(a) + ".account." + string(a))
}

// SubjectOf returns where f is filed.
func SubjectOf(f *domain.Fact) Subject {
	if _, ok := f.Event.(domain.Genesis); ok {
		return GenesisSubject
	}
	if f.Token != "" {
		return TokenSubject(f.Account, f.Token)
	}
	return AccountSubject(f.Account)
}
