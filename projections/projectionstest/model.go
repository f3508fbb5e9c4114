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
	Lost     map[eventstore.Seq]bool                 // records whose secret is another token's
	Created  []eventstore.Subject                    // tokens, in the order of their first issue
	Lines    map[eventstore.Subject][]domain.TokenID // what each token was derived from, the parent first
	Types    map[string]domain.TypeDef               // those that records made
	Levels   map[string]domain.Level                 // of every action that there is or was
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
		Lines:    map[eventstore.Subject][]domain.TokenID{},
		Types:    map[string]domain.TypeDef{},
		Levels:   builtinLevels(),
	}
}

func builtinLevels() map[string]domain.Level {
	levels := map[string]domain.Level{}
	for _, t := range domain.Builtin().Types {
		for _, a := range t.Actions {
			levels[a.Name] = a.Level
		}
	}
	return levels
}

// Apply applies the next record. An error means that a node must stop at it;
// the model is then as before.
func (m *Model) Apply(f *domain.Fact) error {
	seq, subject := m.At+1, eventstore.SubjectOf(f)
	state := domain.State{Account: m.Accounts[f.Account], Token: m.Tokens[subject]}
	actor := m.State(f.Actor.Account, f.Actor.Token)
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
	case eventstore.TypeOf(f.Event) != "":
		m.define(eventstore.TypeOf(f.Event), after.Type)
	case f.Token == "":
		m.Accounts[f.Account] = after.Account
	default:
		m.token(subject, state.Token, after.Token)
	}
	return nil
}

// define keeps a type as it is defined; nil removes it. Nothing changes a
// built-in one, and an action has the level for ever that it had first.
func (m *Model) define(name string, def *domain.TypeDef) {
	if domain.Builtin().Type(name) != nil {
		return
	}
	delete(m.Types, name)
	if def == nil {
		return
	}
	t := domain.TypeDef{Name: name, Description: def.Description}
	for _, a := range def.Actions {
		if _, known := m.Levels[a.Name]; !known {
			m.Levels[a.Name] = a.Level
		}
		a.Level = m.Levels[a.Name]
		t.Actions = append(t.Actions, a)
	}
	m.Types[name] = t
}

func (m *Model) token(subject eventstore.Subject, before, after domain.Token) {
	if before.Generation == 0 {
		m.Created = append(m.Created, subject)
	}
	if after.Generation != before.Generation {
		var line []domain.TokenID
		if p := after.Parent; p != nil {
			above := eventstore.TokenSubject(after.Account, p.Token)
			line = append(line, p.Token)
			if m.Tokens[above].Generation == p.Generation {
				line = append(line, m.Lines[above]...)
			}
		}
		m.Lines[subject] = line[:min(len(line), domain.MaxDepth)]
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

// Authorize returns what a check has to answer, for which token, and what
// Bearer says of it.
func (m *Model) Authorize(d domain.Digest, n domain.Need, at domain.Circumstances) (_ domain.Decision, _ *domain.Token, stands domain.Verdict) {
	owner, ok := m.Owners[d]
	if !ok {
		return domain.Decision{Verdict: domain.UnknownSecret}, nil, domain.UnknownSecret
	}
	s := m.State(m.Tokens[owner].Account, m.Tokens[owner].ID)
	stands = domain.Standing(s.Lineage(), &s.Account, d, at).Verdict
	return domain.Authorize(s.Lineage(), &s.Account, d, n, at), &s.Token, stands
}

// State returns a token as it stands, with its account and its ancestors.
func (m *Model) State(account domain.AccountID, token domain.TokenID) domain.State {
	s := domain.State{Account: m.Accounts[account], Token: m.Tokens[eventstore.TokenSubject(account, token)]}
	for t := &s.Token; t.Parent != nil && len(s.Ancestors) <= domain.MaxDepth; {
		parent, ok := m.Tokens[eventstore.TokenSubject(account, t.Parent.Token)]
		if !ok {
			break
		}
		s.Ancestors = append(s.Ancestors, &parent)
		t = &parent
	}
	return s
}

// LastManager tells whether no token of the account but that one could manage
// its tokens.
func (m *Model) LastManager(account domain.AccountID, but domain.TokenID, now domain.Instant) bool {
	for _, t := range m.Tokens {
		if t.Account == account && t.ID != but && t.Manages(now) {
			return false
		}
	}
	return true
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
