package projectionstest

import (
	"slices"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/eventstore"
)

// A small world, so that histories meet: few accounts, tokens, secrets and types.
var (
	someAccounts = []domain.AccountID{domain.RootAccount, "acme"}
	someTokens   = []domain.TokenID{"a", "b", "c", "d"}
)

// SomeSecrets is how many secrets random histories use, from 0 on.
const SomeSecrets = 8

// SomeTypes are the resource types of random histories: one is built in.
var SomeTypes = []string{"bucket", "robot", "crane"}

// RandomFact draws a fact that is possible as the next of the story: wise or
// not, void or not, with a secret that may be taken. It is nil when what was
// drawn is impossible.
func (s *Story) RandomFact(t *rapid.T) *domain.Fact {
	account := rapid.SampledFrom(someAccounts).Draw(t, "account")
	var token domain.TokenID
	about := rapid.IntRange(0, 19).Draw(t, "about")
	if about > 2 && (s.Model.Accounts[account].State != domain.AccountIsAbsent || about%2 == 0) {
		token = rapid.SampledFrom(someTokens).Draw(t, "token")
	}
	state := s.Model.State(account, token)
	var e domain.Event
	switch {
	case token == "" && account == domain.RootAccount && about != 0:
		e = randomTypeEvent(t)
	case token == "":
		e = randomAccountEvent(t, state.Account.State)
	case state.Token.Generation == 0 || state.Token.Revoked:
		e = s.randomIssue(t, &state)
	default:
		e = randomTokenEvent(t, &state.Token)
	}
	f := s.Fact(account, token, e)
	f.Time = s.Model.time() + domain.Instant(rapid.IntRange(0, 3).Draw(t, "later"))*1000
	if !upkeep(e) && rapid.Bool().Draw(t, "by a token") {
		f.Actor = s.By(rapid.SampledFrom(someAccounts).Draw(t, "actor's account"), rapid.SampledFrom(someTokens).Draw(t, "actor"))
		f.Authorised -= min(f.Authorised, eventstore.Seq(rapid.IntRange(0, 3).Draw(t, "authorised before")))
		if f.Actor.Generation == 0 {
			return nil
		}
	}
	if domain.Void(f, s.Model.State(f.Actor.Account, f.Actor.Token), &state.Account) == "" {
		if _, err := domain.Evolve(state, f, s.Model.At+1); err != nil {
			return nil
		}
	}
	return f
}

// upkeep tells whether e is what only a node itself writes.
func upkeep(e domain.Event) bool {
	return slices.Contains([]string{"token.retired.1", "token.resealed.1", "token.expiring.1"}, e.Type())
}

func (m *Model) time() domain.Instant { return T0 + domain.Instant(m.At)*1000 }

func randomTypeEvent(t *rapid.T) domain.Event {
	name := rapid.SampledFrom(SomeTypes).Draw(t, "type")
	if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
		return domain.TypeRemoved{Name: name}
	}
	def := domain.TypeDef{Name: name}
	for _, action := range []string{"Wave", "Hoist", "ReadBucket"} {
		if level := rapid.IntRange(0, int(domain.LevelWrite)).Draw(t, "level"); level > 0 {
			def.Actions = append(def.Actions, domain.ActionDef{Name: action, Level: domain.Level(level)})
		}
	}
	return domain.TypeDefined{Def: def}
}

func randomManagers(t *rapid.T) domain.Managers {
	return rapid.SampledFrom([]domain.Managers{domain.AnyToken, domain.AnyToken, domain.SessionsOnly}).Draw(t, "managed by")
}

func randomAccountEvent(t *rapid.T, is domain.AccountState) domain.Event {
	switch is {
	case domain.AccountIsOpen, domain.AccountIsSuspended:
		switch n := rapid.IntRange(0, 9).Draw(t, "event"); {
		case n == 9:
			return domain.AccountClosed{Reason: domain.Reason{Code: domain.ReasonPolicy}}
		case is == domain.AccountIsSuspended && n > 0:
			return domain.AccountResumed{}
		case n < 7:
			managed := randomManagers(t)
			return domain.AccountEdited{ManagedBy: &managed}
		}
		return domain.AccountSuspended{Reason: domain.Reason{Code: domain.ReasonPolicy}}
	case domain.AccountIsAbsent, domain.AccountIsClosed:
	}
	return domain.AccountOpened{Name: "an account", ManagedBy: randomManagers(t)}
}
