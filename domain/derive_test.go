package domain_test

import (
	"reflect"
	"testing"

	"hallpass/domain"
)

// below makes the history's token the next to be derived from l, whose actor is
// the token p of l itself unless as is called.
func below(t *testing.T, l domain.Lineage) *history {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme"})
	h.seq = 100
	h.state.Ancestors = append([]*domain.Token{l.Token}, l.Above...)
	h.by = domain.AuthorityOf(l, &h.state.Account, h.seq)
	return h
}

func derive(change func(*domain.IssueToken)) domain.IssueToken {
	c := domain.IssueToken{Account: "acme", Token: "child", Parent: "t0", Digest: digest(2)}
	if change != nil {
		change(&c)
	}
	return c
}

func TestADerivedTokenHasWhatItsParentHasUnlessToldLess(t *testing.T) {
	h := below(t, family(2))
	parent := h.state.Ancestors[0]
	parent.Permissions = grants("/token", "*", "/bucket", "ReadBucket WriteBucket")
	parent.Permissions.Mode = domain.FirstMatch
	h.by.Permissions = parent.Permissions
	less := *h
	e, ok := h.do(derive(nil)).(domain.TokenIssued)
	if want := (&domain.Link{Token: "t0", Generation: 1}); !ok || !reflect.DeepEqual(e.Parent, want) || !reflect.DeepEqual(e.Permissions, parent.Permissions) {
		t.Errorf("got %+v", e)
	}
	e, ok = less.do(derive(func(c *domain.IssueToken) { c.Permissions = grants("/bucket/b", "ReadBucket") })).(domain.TokenIssued)
	if !ok || !reflect.DeepEqual(e.Permissions, grants("/bucket/b", "ReadBucket")) || less.state.Token.Parent == nil {
		t.Errorf("got %+v", e)
	}
}

func TestWhatADerivedTokenMayNotBe(t *testing.T) {
	for name, c := range map[string]struct {
		line   domain.Lineage
		change func(h *history, t []*domain.Token, c *domain.IssueToken)
		want   domain.Code
		at     string
	}{
		"from 7 ancestors": {family(7), nil, "", ""},
		"from 8 ancestors": {family(8), nil, domain.CodeInvalid, "/parent"},
		"no such parent": {family(0), func(h *history, _ []*domain.Token, c *domain.IssueToken) {
			h.state.Ancestors, h.by, c.Parent = nil, domain.Authority{}, "none"
		}, domain.CodeNotFound, ""},
		"never issued": {family(0), func(h *history, _ []*domain.Token, c *domain.IssueToken) {
			h.state.Ancestors, h.by = []*domain.Token{{}}, domain.Authority{}
		}, domain.CodeNotFound, ""},
		"parent revoked":     {family(2), func(_ *history, t []*domain.Token, _ *domain.IssueToken) { t[0].Revoked = true }, domain.CodeRevoked, ""},
		"ancestor revoked":   {family(2), func(_ *history, t []*domain.Token, _ *domain.IssueToken) { t[2].Revoked = true }, domain.CodeRevoked, ""},
		"ancestor re-issued": {family(2), func(_ *history, t []*domain.Token, _ *domain.IssueToken) { t[1].Generation++ }, domain.CodeRevoked, ""},
		"ancestor missing": {family(2), func(h *history, _ []*domain.Token, _ *domain.IssueToken) {
			h.state.Ancestors = h.state.Ancestors[:2]
		}, domain.CodeRevoked, ""},
		"parent disabled": {family(2), func(_ *history, t []*domain.Token, _ *domain.IssueToken) { t[0].Enabled = false }, "", ""},
		"parent expired":  {family(2), func(_ *history, t []*domain.Token, _ *domain.IssueToken) { t[0].ExpiresAt = now }, domain.CodeInvalid, "/parent"},
		"ancestor expired": {family(2), func(_ *history, t []*domain.Token, _ *domain.IssueToken) {
			t[0].ExpiresAt, t[1].ExpiresAt = now+5, now-1
		}, domain.CodeInvalid, "/parent"},
		"outlives its parent": {family(2), func(_ *history, t []*domain.Token, c *domain.IssueToken) {
			t[0].ExpiresAt, c.ExpiresAt = now+10, now+11
		}, domain.CodeInvalid, "/expires_at"},
		"outlives an ancestor": {family(2), func(_ *history, t []*domain.Token, c *domain.IssueToken) {
			t[0].ExpiresAt, t[2].ExpiresAt, c.ExpiresAt = now+20, now+10, now+11
		}, domain.CodeInvalid, "/expires_at"},
		"ends with its parent": {family(2), func(_ *history, t []*domain.Token, c *domain.IssueToken) {
			t[0].ExpiresAt, c.ExpiresAt = now+10, now+10
		}, "", ""},
		"more than its parent": {family(1), func(h *history, t []*domain.Token, c *domain.IssueToken) {
			t[0].Permissions, c.Permissions, h.by = grants("/bucket", "*"), grants("/device", "*"), domain.Authority{}
		}, domain.CodeInvalid, "/permissions"},
		"more than an ancestor": {family(1), func(h *history, t []*domain.Token, c *domain.IssueToken) {
			t[1].Permissions, c.Permissions, h.by = grants("/bucket", "*"), grants("/device", "*"), domain.Authority{}
		}, domain.CodeInvalid, "/permissions"},
		"more than its issuer": {family(1), func(h *history, _ []*domain.Token, _ *domain.IssueToken) {
			h.as(grants("/token", "*"))
		}, domain.CodeForbidden, ""},
		"of a parent that the issuer may not see": {family(1), func(h *history, t []*domain.Token, _ *domain.IssueToken) {
			t[0].Permissions = grants("/bucket", "*")
			h.as(grants("/token/child", "*", "/bucket", "*"))
		}, domain.CodeForbidden, ""},
		"of a parent that the issuer may see": {family(1), func(h *history, t []*domain.Token, _ *domain.IssueToken) {
			t[0].Permissions = grants("/bucket", "*")
			h.as(grants("/token/child", "*", "/token/t0", "ReadTokenConfig", "/bucket", "*"))
		}, "", ""},
		"by who may not issue": {family(1), func(h *history, _ []*domain.Token, _ *domain.IssueToken) {
			h.by.Permissions = grants("/bucket", "*", "/token", "ReadTokenConfig")
		}, domain.CodeForbidden, ""},
		"by who may issue only itself": {family(1), func(h *history, t []*domain.Token, _ *domain.IssueToken) {
			t[0].Permissions = grants("/token", "CreateToken")
			h.by.Permissions = t[0].Permissions
		}, "", ""},
		"as a session": {family(1), func(_ *history, _ []*domain.Token, c *domain.IssueToken) {
			c.Kind, c.ExpiresAt = domain.KindSession, now+1000
		}, domain.CodeInvalid, "/kind"},
		"immutable parent": {family(1), func(_ *history, t []*domain.Token, _ *domain.IssueToken) { t[0].Immutable = true }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := below(t, c.line)
			cmd := derive(nil)
			if c.change != nil {
				c.change(h, append([]*domain.Token{c.line.Token}, c.line.Above...), &cmd)
			}
			e, err := h.try(cmd)
			if c.want == "" {
				if err != nil || e == nil {
					t.Errorf("got event %v, error %v", e, err)
				}
				return
			}
			if domain.CodeOf(err) != c.want || pointer(err) != c.at {
				t.Errorf("got %v, want %s at %q", err, c.want, c.at)
			}
		})
	}
}

func TestADerivedTokenEndsWithTheFirstOfItsAncestors(t *testing.T) {
	l := family(2)
	l.Token.ExpiresAt, l.Above[1].ExpiresAt = now+20_000, now+10_000
	h := below(t, l)
	h.do(derive(nil))
	if got := h.state.Token.ExpiresAt; got != now+10_000 {
		t.Fatalf("it ends %d ms from now", got-now)
	}
	child := &h.state.Token
	h.refused(domain.EditToken{Account: "acme", Token: "child", ExpiresAt: ptr(now + 10_001)}, domain.CodeInvalid)
	if e := h.do(domain.EditToken{Account: "acme", Token: "child", ExpiresAt: ptr[domain.Instant](0)}); e != nil {
		t.Errorf("never means as late as the ancestors allow, which it does: got %v", e)
	}
	h.do(domain.EditToken{Account: "acme", Token: "child", ExpiresAt: ptr(now + 5000)})
	h.do(domain.EditToken{Account: "acme", Token: "child", ExpiresAt: ptr[domain.Instant](0)})
	if child.ExpiresAt != now+10_000 {
		t.Errorf("it ends %d ms from now", child.ExpiresAt-now)
	}
	h.do(domain.RotateToken{Account: "acme", Token: "child", Digest: digest(3), Overlap: 60_000})
	if got := child.Secrets[1].Until; got != now+10_000 {
		t.Errorf("its old secret ends %d ms from now, and it itself sooner", got-now)
	}
}

func TestAnEditKeepsADerivedTokenBelowItsAncestors(t *testing.T) {
	l := family(1)
	h := below(t, l)
	h.do(derive(nil))
	h.by = domain.Authority{}
	l.Above[0].Permissions = grants("/bucket", "*")
	wide, narrow := grants("/device", "*"), grants("/bucket/b", "*")
	if _, err := h.try(domain.EditToken{Account: "acme", Token: "child", Permissions: &wide}); pointer(err) != "/permissions" {
		t.Errorf("got %v", err)
	}
	h.do(domain.EditToken{Account: "acme", Token: "child", Permissions: &narrow})
}

// What an actor's ancestors deny it denies to what it hands out, though it does
// not itself deny it.
func TestDeniesOfAncestorsAreHandedOn(t *testing.T) {
	l := family(2)
	l.Above[1].Permissions.Deny = grants("/bucket/secret", "*").Allow
	h := below(t, l)
	h.state.Ancestors = nil
	h.do(domain.IssueToken{Account: "acme", Token: "free", Digest: digest(2), Permissions: grants("/bucket", "*")})
	if got := h.state.Token.Permissions.Deny; !reflect.DeepEqual(got, l.Above[1].Permissions.Deny) {
		t.Errorf("got denies %v", got)
	}
	l.Above[0].Permissions = grants("/token", "*")
	h.by = domain.AuthorityOf(l, &h.state.Account, h.seq)
	h.state.Token = domain.Token{}
	h.refused(domain.IssueToken{Account: "acme", Token: "free", Digest: digest(2), Permissions: grants("/bucket", "*")}, domain.CodeForbidden)
	if by := domain.Operator(1); !by.Everywhere() {
		t.Error("the operator acts everywhere")
	}
}

// A token of root acts elsewhere only if its ancestors do too.
func TestADerivedTokenOfRootActsElsewhereIfItsAncestorsDo(t *testing.T) {
	l := family(2)
	for _, k := range append([]*domain.Token{l.Token}, l.Above...) {
		k.Account = domain.RootAccount
	}
	n := domain.TokenNeed("CreateToken", "x")
	if by := domain.AuthorityOf(l, &open, 1); !by.May("acme", n) || !by.MayRoot(domain.AccountNeed("CreateAccount", "b")) {
		t.Error("it may not, though all of them are allowed everything")
	}
	l.Above[1].Permissions = grants("/token", "*")
	if by := domain.AuthorityOf(l, &open, 1); by.May("acme", n) || !by.May(domain.RootAccount, n) || by.MayRoot(domain.AccountNeed("CreateAccount", "b")) {
		t.Error("its ancestor's limits are not its own")
	}
}

func TestVoidWithAncestors(t *testing.T) {
	fact := &domain.Fact{Actor: domain.Actor{Account: "acme", Token: "t0", Generation: 1}, Authorised: 9, Event: domain.TokenRevoked{}}
	for name, c := range map[string]struct {
		change func(s *domain.State)
		want   domain.VoidReason
	}{
		"stands":             {func(*domain.State) {}, ""},
		"parent as of it":    {func(s *domain.State) { s.Ancestors[0].Narrowed = 9 }, ""},
		"parent narrowed":    {func(s *domain.State) { s.Ancestors[0].Narrowed = 10 }, domain.ActorNarrowed},
		"ancestor narrowed":  {func(s *domain.State) { s.Ancestors[2].Narrowed = 10 }, domain.ActorNarrowed},
		"ancestor re-issued": {func(s *domain.State) { s.Ancestors[1].Generation++ }, domain.ActorNarrowed},
		"ancestor missing":   {func(s *domain.State) { s.Ancestors = s.Ancestors[:2] }, domain.ActorNarrowed},
		"account narrowed":   {func(s *domain.State) { s.Account.Narrowed = 10 }, domain.ActorNarrowed},
	} {
		t.Run(name, func(t *testing.T) {
			l := family(3)
			s := domain.State{Account: open, Token: *l.Token, Ancestors: l.Above}
			c.change(&s)
			if got := domain.Void(fact, s, &open); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
