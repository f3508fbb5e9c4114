package projectionstest

import (
	"fmt"

	"hallpass/domain"
	"hallpass/eventstore"
)

// Model is the oracle: what a node has to answer after the records applied to
// it, in plain maps and without any care for time or memory. Rules about single
// facts and decisions are domain's, which has its own models.
type Model struct {
	At       eventstore.Seq
	Accounts map[domain.AccountID]domain.Account
	Tokens   map[eventstore.Subject]domain.Token
	Owners   map[domain.Digest]eventstore.Subject // the first token that held each, for ever
	Last     map[eventstore.Subject]eventstore.Seq
	Void     map[eventstore.Seq]domain.VoidReason
	Lost     map[eventstore.Seq]bool // records whose secret is another token's
	Created  []eventstore.Subject    // tokens, in the order of their first issue
}

// NewModel returns the model of an empty log.
func NewModel() *Model {
	return &Model{
		Accounts: map[domain.AccountID]domain.Account{},
		Tokens:   map[eventstore.Subject]domain.Token{},
		Owners:   map[domain.Digest]eventstore.Subject{},
		Last:     map[eventstore.Subject]eventstore.Seq{},
		Void:     map[eventstore.Seq]domain.VoidReason{},
		Lost:     map[eventstore.Seq]bool{},
	}
}

// Apply applies the next record. An error means that a node must stop at it;
// the model is then as before.
func (m *Model) Apply(f *domain.Fact) error {
	seq, subject := m.At+1, eventstore.SubjectOf(f)
	state := domain.State{Account: m.Accounts[f.Account], Token: m.Tokens[subject]}
	actor := domain.State{
		Account: m.Accounts[f.Actor.Account],
		Token:   m.Tokens[eventstore.TokenSubject(f.Actor.Account, f.Actor.Token)],
	}
	if void := domain.Void(f, actor, &state.Account); void != "" {
		m.At, m.Last[subject], m.Void[seq] = seq, seq, void
		return nil
	}
	after, err := domain.Evolve(state, f, seq)
	if err != nil {
		return err
	}
	m.At, m.Last[subject] = seq, seq
	switch {
	case subject == eventstore.GenesisSubject:
	case f.Token == "":
		m.Accounts[f.Account] = after.Account
	default:
		m.token(subject, state.Token, after.Token)
	}
	return nil
}

func (m *Model) token(subject eventstore.Subject, before, after domain.Token) {
	if before.Generation == 0 {
		m.Created = append(m.Created, subject)
	}
	var kept []domain.Held
	for _, h := range after.Secrets {
		owner, taken := m.Owners[h.Digest]
		if taken && owner != subject {
			m.Lost[m.At] = true
			continue
		}
		m.Owners[h.Digest] = subject
		kept = append(kept, h)
	}
	after.Secrets = kept
	m.Tokens[subject] = after
}

// Authorize returns what a check has to answer, and for which token.
func (m *Model) Authorize(d domain.Digest, n domain.Need, now domain.Instant) (domain.Decision, *domain.Token) {
	owner, ok := m.Owners[d]
	if !ok {
		return domain.Decision{Verdict: domain.UnknownSecret}, nil
	}
	t := m.Tokens[owner]
	return domain.Authorize(&t, m.Accounts[t.Account].State, d, n, now), &t
}

// Entry returns the next record's entry for a log.
func (m *Model) Entry(f *domain.Fact) eventstore.Entry {
	subject := eventstore.SubjectOf(f)
	return eventstore.Entry{
		Subject: subject, Expect: m.Last[subject], ID: f.ID, Type: f.Event.Type(), Data: domain.Encode(f),
	}
}

func (m *Model) String() string {
	return fmt.Sprintf("model at %d: accounts %v, tokens %v", m.At, m.Accounts, m.Tokens)
}
