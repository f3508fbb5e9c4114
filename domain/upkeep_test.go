package domain_test

import (
	"strings"
	"testing"

	"hallpass/domain"
)

func TestUpkeepIsForNodesAlone(t *testing.T) {
	h := withToken(t)
	commands := []domain.Command{
		domain.RetireSecrets{Account: "acme", Token: "a", Digest: digest(1)}, domain.TellExpiry{Account: "acme", Token: "a"},
		domain.ResealToken{Account: "acme", Token: "a", Digest: digest(1), Was: "k1", Sealed: goldenSealed},
	}
	h.as(everything)
	h.by.Actor.Account = domain.RootAccount
	for _, c := range commands {
		h.refused(c, domain.CodeForbidden)
	}
	h.by = domain.Authority{}
	for _, c := range commands { // and nothing of it is due
		if e := h.do(c); e != nil {
			t.Errorf("%T: got %v", c, e)
		}
	}
}

func TestTheEndIsToldOnceEachTime(t *testing.T) {
	h := withToken(t)
	tell := func(at domain.Instant, want domain.Notice) {
		t.Helper()
		h.now = at
		e := h.do(domain.TellExpiry{Account: "acme", Token: "a"})
		if got, _ := e.(domain.TokenExpiring); got.Notice != want {
			t.Errorf("got %q, want %q", got.Notice, want)
		}
		if e := h.do(domain.TellExpiry{Account: "acme", Token: "a"}); e != nil {
			t.Errorf("twice: %v", e)
		}
	}
	move := func(end domain.Instant) {
		t.Helper()
		h.do(domain.EditToken{Account: "acme", Token: "a", ExpiresAt: &end})
	}
	tell(now, domain.NoNotice)
	end := now + 100*day
	move(end)
	tell(end-30*day-1, domain.NoNotice)
	at := h.state.Token.Revision
	tell(end-30*day, domain.In30Days)
	tell(end-7*day-1, domain.NoNotice)
	tell(end-7*day, domain.In7Days)
	tell(end-day, domain.In1Day)
	tell(end-1, domain.NoNotice)
	if h.state.Token.Revision != at {
		t.Error("to tell of it changes nothing")
	}

	end += 7*day + hour // so that two of the notices are behind it already
	move(end)
	tell(h.now, domain.NoNotice)
	tell(end-7*day, domain.In7Days)
	tell(end, domain.AtExpiry) // nobody told of the day before: it is over
	tell(end+day, domain.NoNotice)

	end += 60 * day
	move(end)
	tell(end-30*day, domain.In30Days)
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	tell(end, domain.NoNotice)

	h.now = now
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(3), ExpiresAt: now + 3*day})
	tell(now, domain.NoNotice)
	tell(now+2*day, domain.In1Day)
	h.do(domain.DisableToken{Account: "acme", Token: "a"})
	tell(now+3*day, domain.AtExpiry)
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(4), ExpiresAt: now})
	tell(now+4*day, domain.NoNotice)
}

func TestTheLastManagerStaysUnlessForced(t *testing.T) {
	manager := grants("/token", "*")
	edit := func(change func(*domain.EditToken)) domain.EditToken {
		c := domain.EditToken{Account: "acme", Token: "a"}
		change(&c)
		return c
	}
	editing := func(change func(*domain.EditToken)) func(bool) domain.Command {
		return func(force bool) domain.Command {
			c := edit(change)
			c.Force = force
			return c
		}
	}
	away := []func(force bool) domain.Command{
		func(force bool) domain.Command { return domain.RevokeToken{Account: "acme", Token: "a", Force: force} },
		func(force bool) domain.Command { return domain.DisableToken{Account: "acme", Token: "a", Force: force} },
		editing(func(c *domain.EditToken) { c.Enabled = ptr(false) }),
		editing(func(c *domain.EditToken) { c.Permissions = ptr(grants("/bucket", "*")) }),
		editing(func(c *domain.EditToken) { c.Permissions = ptr(grants("/token", "CreateToken UpdateToken")) }),
		editing(func(c *domain.EditToken) { c.Permissions = ptr(grants("/token/a", "*")) }),
		editing(func(c *domain.EditToken) { c.ExpiresAt = ptr(now) }),
		editing(func(c *domain.EditToken) { c.NotBefore = ptr(now + 1) }),
	}
	start := func(t *testing.T) *history {
		h := newHistory(t)
		h.do(domain.OpenAccount{Account: "acme"})
		h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: manager})
		h.state.LastManager = true
		return h
	}
	for _, c := range away {
		h := start(t)
		h.refused(c(false), domain.CodeLastManager)
		h.do(c(true))

		h = start(t)
		h.state.LastManager = false
		h.do(c(false))

		h = start(t)
		h.state.Account.ManagedBy = domain.SessionsOnly
		h.do(c(false)) // sessions manage it, and whoever opens them
	}
	h := start(t)
	for _, c := range []domain.Command{
		edit(func(c *domain.EditToken) { c.Name = ptr("x") }),
		edit(func(c *domain.EditToken) { c.Permissions = ptr(grants("/", "*")) }),
		edit(func(c *domain.EditToken) { c.ExpiresAt = ptr(now + 1) }),
		domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2)},
	} {
		h.do(c)
	}
	h.now++ // it has expired: nobody is lost with it
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
}

func TestWhichTokensManage(t *testing.T) {
	manager := bound(nil)
	denied := everything
	denied.Deny = []domain.Grant{{Resource: "/token", Actions: actions("DeleteToken")}}
	for name, c := range map[string]struct {
		change func(*domain.Token)
		want   bool
	}{
		"manager":       {func(*domain.Token) {}, true},
		"disabled":      {func(t *domain.Token) { t.Enabled = false }, false},
		"revoked":       {func(t *domain.Token) { t.Revoked = true }, false},
		"expired":       {func(t *domain.Token) { t.ExpiresAt = now }, false},
		"expires later": {func(t *domain.Token) { t.ExpiresAt = now + 1 }, true},
		"session":       {func(t *domain.Token) { t.Kind = domain.KindSession }, false},
		"derived":       {func(t *domain.Token) { t.Parent = &domain.Link{Token: "p", Generation: 1} }, false},
		"never issued":  {func(t *domain.Token) { *t = domain.Token{} }, false},
		"denied one":    {func(t *domain.Token) { t.Permissions = denied }, false},
	} {
		token := *manager
		c.change(&token)
		if got := token.Manages(now); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// Whatever its grants, a token may end itself, and none but itself.
func TestATokenMayRevokeItself(t *testing.T) {
	h := withToken(t)
	h.by = domain.AuthorityOf(alone(&h.state.Token), &h.state.Account, h.seq)
	again := *h
	again.by.Actor.Generation++
	again.refused(domain.RevokeToken{Account: "acme", Token: "a"}, domain.CodeForbidden)
	h.do(domain.RevokeToken{Account: "acme", Token: "a", Bulk: domain.BulkID{1}})
	if !h.state.Token.Revoked {
		t.Error("it lives")
	}
}

func TestReasonsOfVerdictsAreSentences(t *testing.T) {
	for _, v := range []domain.Verdict{domain.WrongAddress, domain.OutsideHours, domain.OnlySessions} {
		if s := v.Reason(); s == string(v) || !strings.Contains(s, " ") {
			t.Errorf("%s: %q", v, s)
		}
	}
}
