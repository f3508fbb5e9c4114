package domain_test

import (
	"testing"

	"hallpass/domain"
)

func session(lasts domain.Instant) domain.IssueToken {
	return domain.IssueToken{Account: "acme", Token: "s", Digest: digest(5), Kind: domain.KindSession, ExpiresAt: now + lasts}
}

func TestASessionCarriesEverythingForHours(t *testing.T) {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme"})
	boss := everything
	boss.Deny = grants("/bucket/secret", "*").Allow
	h.as(boss)
	less := session(1000)
	less.Permissions, less.Disabled = grants("/bucket", "ReadBucket"), true
	h.do(less)
	s := &h.state.Token
	if s.Kind != domain.KindSession || !s.Immutable || !s.Enabled || len(s.Permissions.Allow) != 1 || s.Permissions.Allow[0].Resource != "/" || len(s.Permissions.Deny) != 1 {
		t.Errorf("got %+v", s)
	}
	if s.Manages(now) {
		t.Error("it counts as a manager, and is gone in an hour")
	}
	h.refused(domain.EditToken{Account: "acme", Token: "s", ExpiresAt: ptr[domain.Instant](0)}, domain.CodeImmutable)
	h.refused(domain.RotateToken{Account: "acme", Token: "s", Digest: digest(6)}, domain.CodeImmutable)
}

func TestHowLongASessionLasts(t *testing.T) {
	for lasts, ok := range map[domain.Instant]bool{
		-now: false, -1: false, 0: false, 1: true, domain.MaxSession: true, domain.MaxSession + 1: false,
	} {
		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		h.as(everything)
		if _, err := h.try(session(lasts)); (err == nil) != ok || !ok && pointer(err) != "/expires_in" {
			t.Errorf("%d ms: got %v", lasts, err)
		}
	}
}

func TestWhoMayOpenASession(t *testing.T) {
	l := family(1)
	ofSession := family(1)
	ofSession.Above[0].Kind = domain.KindSession
	itself := family(0)
	itself.Token.Kind = domain.KindSession
	short := family(1)
	short.Above[0].Permissions = grants("/token", "*", "/bucket", "*")
	root := func(p domain.Permissions) domain.Authority {
		return domain.Authority{Actor: domain.Actor{Account: "root", Token: "x", Generation: 1}, Permissions: p}
	}
	sessions := open
	sessions.ManagedBy = domain.SessionsOnly
	for name, c := range map[string]struct {
		by      domain.Authority
		account domain.Account
		want    domain.Code
	}{
		"everything":                     {domain.AuthorityOf(l, &open, 1), open, ""},
		"a session":                      {domain.AuthorityOf(itself, &open, 1), open, domain.CodeForbidden},
		"derived from a session":         {domain.AuthorityOf(ofSession, &open, 1), open, domain.CodeForbidden},
		"the operator":                   {domain.Operator(1), open, ""},
		"one that governs tokens":        {domain.Authority{Actor: domain.Actor{Account: "acme", Token: "t", Generation: 1}, Permissions: grants("/token", "CreateToken GovernTokens")}, open, domain.CodeForbidden},
		"its tokens alone":               {domain.Authority{Actor: domain.Actor{Account: "acme", Token: "t", Generation: 1}, Permissions: grants("/token", "*")}, open, domain.CodeForbidden},
		"an ancestor with less":          {domain.AuthorityOf(short, &open, 1), open, domain.CodeForbidden},
		"root":                           {root(everything), open, ""},
		"root for its tokens":            {root(grants("/token", "*")), open, domain.CodeForbidden},
		"an API token where sessions do": {domain.AuthorityOf(l, &sessions, 1), sessions, domain.CodeForbidden},
		"root where sessions do":         {root(everything), sessions, ""},
		"a session where sessions do":    {domain.AuthorityOf(itself, &sessions, 1), sessions, domain.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := domain.Decide(domain.State{Account: c.account}, session(1000), c.by, now)
			if (err == nil) != (c.want == "") || err != nil && domain.CodeOf(err) != c.want {
				t.Errorf("got %v, %v, want code %q", e, err, c.want)
			}
		})
	}
}

func TestSessionsManageTheTokensOfTheirAccount(t *testing.T) {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme", ManagedBy: domain.SessionsOnly})
	api, person := family(0), family(0)
	person.Token.Kind = domain.KindSession
	issue := domain.IssueToken{Account: "acme", Token: "a", Digest: digest(3), Permissions: everything}
	h.by = domain.AuthorityOf(api, &h.state.Account, h.seq)
	for _, c := range []domain.Command{
		issue, domain.EditToken{Account: "acme", Token: "a", Name: ptr("x")}, domain.RevokeToken{Account: "acme", Token: "a"},
		domain.RotateToken{Account: "acme", Token: "t0", Digest: digest(3)}, domain.RevealToken{Account: "acme", Token: "a"},
		domain.EnableToken{Account: "acme", Token: "a"}, domain.DisableToken{Account: "acme", Token: "a"},
	} {
		h.refused(c, domain.CodeForbidden)
	}
	h.by = domain.AuthorityOf(person, &h.state.Account, h.seq)
	h.do(issue)
	h.do(domain.EditToken{Account: "acme", Token: "a", Name: ptr("x")})
}

func TestHowATokenIsMadeIsChecked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*domain.IssueToken)
		want   string
	}{
		"unknown kind":          {func(c *domain.IssueToken) { c.Kind = 3 }, "/kind"},
		"session brought along": {func(c *domain.IssueToken) { c.Kind, c.ExpiresAt, c.Imported = domain.KindSession, now+1, true }, "/kind"},
		"session to be shown":   {func(c *domain.IssueToken) { c.Kind, c.ExpiresAt, c.Sealed = domain.KindSession, now+1, &goldenSealed }, "/kind"},
		"odd origin":            {func(c *domain.IssueToken) { c.Origin = "a door" }, "/origin"},
		"no key":                {func(c *domain.IssueToken) { c.Sealed = &domain.Sealed{Box: []byte("x")} }, "/sealed"},
		"no box":                {func(c *domain.IssueToken) { c.Sealed = &domain.Sealed{Key: "k"} }, "/sealed"},
		"great box":             {func(c *domain.IssueToken) { c.Sealed = &domain.Sealed{Key: "k", Box: make([]byte, domain.MaxSealed+1)} }, "/sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.do(domain.OpenAccount{Account: "acme"})
			cmd := domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1)}
			c.change(&cmd)
			if _, err := h.try(cmd); pointer(err) != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAccountsAreEdited(t *testing.T) {
	h := newHistory(t)
	h.refused(domain.EditAccount{Account: "acme", Name: ptr("x")}, domain.CodeNotFound)
	h.do(domain.OpenAccount{Account: "acme", Name: "Acme"})
	if e := h.do(domain.EditAccount{Account: "acme", Name: ptr("Acme"), ManagedBy: ptr(domain.AnyToken)}); e != nil {
		t.Errorf("nothing to change: got %v", e)
	}
	h.do(domain.EditAccount{Account: "acme", Name: ptr("Acme AG")})
	if a := h.state.Account; a.Name != "Acme AG" || a.Narrowed != 0 || a.Revision != h.seq {
		t.Errorf("got %+v", a)
	}
	h.do(domain.EditAccount{Account: "acme", ManagedBy: ptr(domain.SessionsOnly)})
	if a := h.state.Account; a.ManagedBy != domain.SessionsOnly || a.Narrowed != h.seq || a.Name != "Acme AG" {
		t.Errorf("got %+v: its API tokens lost rights", a)
	}
	h.do(domain.SuspendAccount{Account: "acme"})
	h.do(domain.EditAccount{Account: "acme", ManagedBy: ptr(domain.AnyToken)})
	if a := h.state.Account; a.Narrowed == h.seq || a.State != domain.AccountIsSuspended {
		t.Errorf("got %+v", a)
	}
	for _, c := range []domain.Command{
		domain.EditAccount{Account: "acme", Name: ptr("a\nb")}, domain.EditAccount{Account: "acme", ManagedBy: ptr(domain.Managers(2))},
	} {
		h.refused(c, domain.CodeInvalid)
	}
	h.as(everything)
	h.refused(domain.EditAccount{Account: "acme", Name: ptr("x")}, domain.CodeForbidden)
	h.by.Actor.Account = domain.RootAccount
	h.do(domain.EditAccount{Account: "acme", Name: ptr("x")})
	h.do(domain.CloseAccount{Account: "acme"})
	h.refused(domain.EditAccount{Account: "acme", Name: ptr("y")}, domain.CodeAccountClosed)
}

func TestTheTokensOfRootAreManagedByAny(t *testing.T) {
	h := newHistory(t)
	h.refused(domain.OpenAccount{Account: domain.RootAccount, ManagedBy: domain.SessionsOnly}, domain.CodeInvalid)
	h.refused(domain.OpenAccount{Account: "acme", ManagedBy: 2}, domain.CodeInvalid)
	h.do(domain.OpenAccount{Account: domain.RootAccount})
	h.refused(domain.EditAccount{Account: domain.RootAccount, ManagedBy: ptr(domain.SessionsOnly)}, domain.CodeInvalid)
}
