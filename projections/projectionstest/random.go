package projectionstest

import (
	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/eventstore"
)

// A small world, so that histories meet: few accounts, tokens and secrets.
var (
	someAccounts = []domain.AccountID{domain.RootAccount, "acme"}
	someTokens   = []domain.TokenID{"a", "b", "c"}
)

// SomeSecrets is how many secrets random histories use, from 0 on.
const SomeSecrets = 8

// RandomFact draws a fact that is possible as the next of the story: wise or
// not, void or not, with a secret that may be taken. It is nil when what was
// drawn is impossible.
func (s *Story) RandomFact(t *rapid.T) *domain.Fact {
	account := rapid.SampledFrom(someAccounts).Draw(t, "account")
	var token domain.TokenID
	if rapid.IntRange(0, 4).Draw(t, "about") > 0 {
		token = rapid.SampledFrom(someTokens).Draw(t, "token")
	}
	state := domain.State{
		Account: s.Model.Accounts[account],
		Token:   s.Model.Tokens[eventstore.TokenSubject(account, token)],
	}
	var e domain.Event
	switch {
	case token == "":
		e = randomAccountEvent(t, state.Account.State)
	case state.Token.Generation == 0 || state.Token.Revoked:
		e = randomIssue(t, state.Token.Generation+1)
	default:
		e = randomTokenEvent(t)
	}
	f := s.Fact(account, token, e)
	f.Time = s.Model.time() + domain.Instant(rapid.IntRange(0, 3).Draw(t, "later"))*1000
	if rapid.Bool().Draw(t, "by a token") {
		f.Actor = s.By(rapid.SampledFrom(someAccounts).Draw(t, "actor's account"), rapid.SampledFrom(someTokens).Draw(t, "actor"))
		f.Authorised -= min(f.Authorised, eventstore.Seq(rapid.IntRange(0, 3).Draw(t, "authorised before")))
		if f.Actor.Generation == 0 {
			return nil
		}
	}
	actor := domain.State{
		Account: s.Model.Accounts[f.Actor.Account],
		Token:   s.Model.Tokens[eventstore.TokenSubject(f.Actor.Account, f.Actor.Token)],
	}
	if domain.Void(f, actor, &state.Account) == "" {
		if _, err := domain.Evolve(state, f, s.Model.At+1); err != nil {
			return nil
		}
	}
	return f
}

func (m *Model) time() domain.Instant { return T0 + domain.Instant(m.At)*1000 }

func randomAccountEvent(t *rapid.T, is domain.AccountState) domain.Event {
	switch is {
	case domain.AccountIsOpen:
		if rapid.IntRange(0, 3).Draw(t, "close") == 0 {
			return domain.AccountClosed{Reason: domain.Reason{Code: domain.ReasonPolicy}}
		}
		return domain.AccountSuspended{Reason: domain.Reason{Code: domain.ReasonPolicy}}
	case domain.AccountIsSuspended:
		return domain.AccountResumed{}
	case domain.AccountIsAbsent, domain.AccountIsClosed:
	}
	return domain.AccountOpened{Name: "an account"}
}

func randomDigest(t *rapid.T) domain.Digest {
	return Secret(rapid.IntRange(0, SomeSecrets-1).Draw(t, "secret")).Digest()
}

func randomEnd(t *rapid.T, name string) domain.Instant {
	return rapid.SampledFrom([]domain.Instant{0, 0, T0 - 5000, T0 + 4000, T0 + 12_000}).Draw(t, name)
}

func randomIssue(t *rapid.T, generation uint64) domain.Event {
	e := Issued(generation, 0)
	e.Digest = randomDigest(t)
	e.Permissions = domaintest.Permissions().Draw(t, "permissions")
	e.NotBefore, e.ExpiresAt = randomEnd(t, "not before"), randomEnd(t, "expires at")
	return e
}

func randomTokenEvent(t *rapid.T) domain.Event {
	switch rapid.IntRange(0, 6).Draw(t, "event") {
	case 0:
		p := domaintest.Permissions().Draw(t, "permissions")
		return domain.TokenEdited{Permissions: &p, Narrows: rapid.Bool().Draw(t, "narrows")}
	case 1:
		end := randomEnd(t, "expires at")
		return domain.TokenEdited{ExpiresAt: &end}
	case 2:
		return domain.TokenEnabled{}
	case 3:
		return domain.TokenDisabled{}
	case 4:
		return domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonPolicy}}
	}
	return domain.TokenRotated{Digest: randomDigest(t), PreviousUntil: randomEnd(t, "previous until")}
}
