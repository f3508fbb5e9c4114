package domain_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
)

// Whatever a token is issued with or edited into by a caller with limited
// rights, it may do nothing that the caller may not.
func TestNoEscalation(t *testing.T) {
	handedOut := 0
	rapid.Check(t, func(rt *rapid.T) {
		mine := domaintest.Permissions().Draw(rt, "mine")
		mine.Allow = append([]domain.Grant{{Resource: "/token", Actions: []domain.Action{"CreateToken", "UpdateToken"}}}, mine.Allow...)
		mine.Deny = nil
		if rapid.Bool().Draw(rt, "denies") {
			mine.Deny = []domain.Grant{{Resource: "/bucket/*", Actions: []domain.Action{"WriteBucket", "Re*"}}}
		}
		start := domaintest.Permissions().Draw(rt, "start")
		want := domaintest.Permissions().Draw(rt, "want")

		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		opened := h.state
		h.as(mine)
		if _, err := h.try(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: want}); err == nil {
			handedOut++
			within(rt, h.state.Token.Permissions, mine, domain.Permissions{})
		}
		h.state, h.by = opened, domain.Authority{}
		h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: start})
		h.as(mine)
		if _, err := h.try(domain.EditToken{Account: "acme", Token: "a", Permissions: &want}); err == nil {
			within(rt, h.state.Token.Permissions, mine, start)
		}
	})
	if handedOut == 0 {
		t.Error("no token was ever issued: the property says nothing")
	}
}

// within holds that p allows nothing that neither a nor b allows. An edit may
// leave what was there before.
func within(t *rapid.T, p, a, b domain.Permissions) {
	for _, n := range domaintest.Universe() {
		if domaintest.Allows(p, n) && !domaintest.Allows(a, n) && !domaintest.Allows(b, n) {
			t.Fatalf("%s on %s was handed out by a caller who may not", n.Action, n.Resource)
		}
	}
}

// An edit that gives some and takes some narrows, as does each that may take.
func TestEveryLossIsANarrowing(t *testing.T) {
	told := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: domaintest.Permissions().Draw(rt, "before")})
		before := h.state
		after := domaintest.Permissions().Draw(rt, "after")
		e := h.do(domain.EditToken{Account: "acme", Token: "a", Permissions: &after})
		if e == nil {
			return
		}
		narrows := domain.Narrows(before, e)
		told[narrows]++
		if narrows != (h.state.Token.Narrowed == h.seq) {
			rt.Fatal("the fold disagrees")
		}
		if narrows {
			return
		}
		for _, n := range domaintest.Universe() {
			if domaintest.Allows(before.Token.Permissions, n) && !domaintest.Allows(h.state.Token.Permissions, n) {
				rt.Fatalf("%s on %s was lost by an edit that is not called narrowing", n.Action, n.Resource)
			}
		}
	})
	if told[true] == 0 || told[false] == 0 {
		t.Errorf("only one kind of edit was seen: %v", told)
	}
}

func TestEditsOfPermissionsSayWhetherTheyNarrow(t *testing.T) {
	for name, c := range map[string]struct {
		after domain.Permissions
		want  bool
	}{
		"fewer":                {grants("/bucket/b", "*"), true},
		"more":                 {grants("/bucket", "*", "/device", "*"), false},
		"others":               {grants("/device", "*"), true},
		"read and write are *": {grants("/bucket", "read write"), false},
		"none":                 {domain.Permissions{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.do(domain.OpenAccount{Account: "acme"})
			h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: grants("/bucket", "*")})
			e, ok := h.do(domain.EditToken{Account: "acme", Token: "a", Permissions: &c.after}).(domain.TokenEdited)
			if !ok || e.Narrows != c.want {
				t.Errorf("got %+v, want narrows %v", e, c.want)
			}
		})
	}
}

// BenchmarkDecideAtTheBounds prints what the widest edit that a caller can
// send costs: every grant overlaps every other, no two actions are alike, and
// the caller's own stand in the order that makes finding them longest.
func BenchmarkDecideAtTheBounds(b *testing.B) {
	full := func(stem string) domain.Permissions {
		p := domain.Permissions{Mode: domain.Union}
		for i := range domain.MaxGrants {
			g := domain.Grant{Resource: "/*/*", Unverified: true}
			for j := range domain.MaxAllActions / domain.MaxGrants {
				g.Actions = append(g.Actions, domain.Action(fmt.Sprintf("%s%d-%d", stem, i, j)))
			}
			p.Allow = append(p.Allow, g)
		}
		return p
	}
	s := domain.State{Account: domain.Account{State: domain.AccountIsOpen}}
	s.Token = domain.Token{Generation: 1, Enabled: true, Permissions: full("a")}
	boss, after := full("b"), full("b")
	slices.Reverse(boss.Allow)
	boss.Allow = append(boss.Allow, domain.Grant{Resource: "/token", Actions: []domain.Action{"UpdateToken"}})
	by := domain.Authority{Actor: domain.Actor{Account: "acme", Token: "boss", Generation: 1}, Permissions: boss}
	for b.Loop() {
		if _, err := domain.Decide(s, domain.EditToken{Account: "acme", Token: "a", Permissions: &after}, by, now); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNarrowing(t *testing.T) {
	s := domain.State{Token: domain.Token{Generation: 1, Enabled: true, ExpiresAt: 100, NotBefore: 10, Permissions: grants("/bucket", "*")}}
	for name, c := range map[string]struct {
		event domain.Event
		want  bool
	}{
		"revoke":              {domain.TokenRevoked{}, true},
		"disable":             {domain.TokenDisabled{}, true},
		"enable":              {domain.TokenEnabled{}, false},
		"suspend":             {domain.AccountSuspended{}, true},
		"close":               {domain.AccountClosed{}, true},
		"resume":              {domain.AccountResumed{}, false},
		"open":                {domain.AccountOpened{}, false},
		"issue":               {domain.TokenIssued{}, false},
		"genesis":             {domain.Genesis{}, false},
		"rotate at once":      {domain.TokenRotated{}, true},
		"rotate with overlap": {domain.TokenRotated{PreviousUntil: 5}, false},
		"name":                {domain.TokenEdited{Name: ptr("x")}, false},
		"edit that disables":  {domain.TokenEdited{Enabled: ptr(false)}, true},
		"edit that enables":   {domain.TokenEdited{Enabled: ptr(true)}, false},
		"expires sooner":      {domain.TokenEdited{ExpiresAt: ptr[domain.Instant](99)}, true},
		"expires later":       {domain.TokenEdited{ExpiresAt: ptr[domain.Instant](101)}, false},
		"expires never":       {domain.TokenEdited{ExpiresAt: ptr[domain.Instant](0)}, false},
		"starts later":        {domain.TokenEdited{NotBefore: ptr[domain.Instant](11)}, true},
		"starts sooner":       {domain.TokenEdited{NotBefore: ptr[domain.Instant](0)}, false},
		"grants, less":        {domain.TokenEdited{Permissions: &everything, Narrows: true}, true},
		"grants, no less":     {domain.TokenEdited{Permissions: &everything}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := domain.Narrows(s, c.event); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestVoid(t *testing.T) {
	actor := domain.State{Token: domain.Token{Generation: 2, Narrowed: 7}, Account: domain.Account{Narrowed: 5}}
	open, shut := &domain.Account{State: domain.AccountIsOpen}, &domain.Account{State: domain.AccountIsClosed}
	by := func(generation uint64, at domain.Seq, e domain.Event) *domain.Fact {
		return &domain.Fact{Actor: domain.Actor{Account: "acme", Token: "a", Generation: generation}, Authorised: at, Event: e}
	}
	for name, c := range map[string]struct {
		fact   *domain.Fact
		actor  domain.State
		target *domain.Account
		want   domain.VoidReason
	}{
		"as of the narrowing":  {by(2, 7, domain.TokenRevoked{}), actor, open, ""},
		"before the narrowing": {by(2, 6, domain.TokenRevoked{}), actor, open, domain.ActorNarrowed},
		"before the account's": {by(2, 6, domain.TokenRevoked{}), domain.State{Token: domain.Token{Generation: 2}, Account: domain.Account{Narrowed: 7}}, open, domain.ActorNarrowed},
		"another generation":   {by(1, 9, domain.TokenRevoked{}), actor, open, domain.ActorNarrowed},
		"the operator":         {&domain.Fact{Event: domain.TokenIssued{}}, domain.State{}, open, ""},
		"into a closed one":    {by(2, 9, domain.TokenIssued{}), actor, shut, domain.IntoClosed},
		"enable in closed":     {by(2, 9, domain.TokenEnabled{}), actor, shut, domain.IntoClosed},
		"revoke in closed":     {by(2, 9, domain.TokenRevoked{}), actor, shut, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := domain.Void(c.fact, c.actor, c.target); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestImpossibleRecordsAreErrors(t *testing.T) {
	open := domain.State{Account: domain.Account{State: domain.AccountIsOpen}}
	live := open
	live.Token = domain.Token{Generation: 1, Enabled: true}
	frozen := live
	frozen.Token.Immutable = true
	for name, c := range map[string]struct {
		state domain.State
		fact  domain.Fact
		seq   domain.Seq
	}{
		"genesis later":         {open, domain.Fact{Event: domain.Genesis{}}, 2},
		"authorised by itself":  {open, domain.Fact{Event: domain.AccountSuspended{}, Authorised: 5}, 5},
		"opened twice":          {open, domain.Fact{Event: domain.AccountOpened{}}, 5},
		"resumed while open":    {open, domain.Fact{Event: domain.AccountResumed{}}, 5},
		"suspended unopened":    {domain.State{}, domain.Fact{Event: domain.AccountSuspended{}}, 5},
		"issued without it":     {domain.State{}, domain.Fact{Event: domain.TokenIssued{Generation: 1}}, 5},
		"issued twice":          {live, domain.Fact{Event: domain.TokenIssued{Generation: 2}}, 5},
		"issued out of turn":    {open, domain.Fact{Event: domain.TokenIssued{Generation: 2}}, 5},
		"enabled while enabled": {live, domain.Fact{Event: domain.TokenEnabled{}}, 5},
		"revoked unissued":      {open, domain.Fact{Event: domain.TokenRevoked{}}, 5},
		"rotated immutable":     {frozen, domain.Fact{Event: domain.TokenRotated{}}, 5},
		"edited immutable":      {frozen, domain.Fact{Event: domain.TokenEdited{}}, 5},
		"nothing":               {live, domain.Fact{Event: domain.TokenEdited{}, Authorised: 6}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := domain.Evolve(c.state, &c.fact, c.seq); err == nil {
				t.Error("got no error")
			}
		})
	}
}
