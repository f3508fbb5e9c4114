package domain_test

import (
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
)

func TestAuthorizationCases(t *testing.T) {
	for _, c := range domaintest.AuthorizeCases() {
		t.Run(c.Name, func(t *testing.T) {
			token := issued(t, c.Permissions)
			if len(c.Checks) == 0 {
				t.Fatal("no checks")
			}
			for _, q := range c.Checks {
				n, err := domain.Builtin().Need(q.Action, q.Resource, q.Unverified)
				if err != nil {
					t.Fatalf("line %d: %v", q.Line, err)
				}
				d := domain.Authorize(alone(&token), &open, digest(1), n, at(now))
				if d.Verdict != q.Want {
					t.Errorf("line %d: %s %s: got %s, want %s", q.Line, q.Action, q.Resource, d.Verdict, q.Want)
				}
				if (d.Grant != nil) != (d.Verdict == domain.Granted || d.Verdict == domain.Denied) {
					t.Errorf("line %d: verdict %s with grant %v", q.Line, d.Verdict, d.Grant)
				}
			}
		})
	}
}

func TestStanding(t *testing.T) {
	base := issued(t, domain.Permissions{Allow: []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}}})
	with := func(change func(*domain.Token)) domain.Token {
		token := base
		change(&token)
		return token
	}
	for name, c := range map[string]struct {
		token   domain.Token
		account domain.AccountState
		secret  domain.Digest
		want    domain.Verdict
	}{
		"works":            {base, domain.AccountIsOpen, digest(1), domain.Granted},
		"never issued":     {domain.Token{}, domain.AccountIsOpen, digest(1), domain.UnknownSecret},
		"revoked":          {with(func(t *domain.Token) { t.Revoked = true }), domain.AccountIsOpen, digest(1), domain.WasRevoked},
		"replaced secret":  {base, domain.AccountIsOpen, digest(2), domain.WasRevoked},
		"suspended":        {base, domain.AccountIsSuspended, digest(1), domain.OnSuspended},
		"closed":           {base, domain.AccountIsClosed, digest(1), domain.OnSuspended},
		"account unknown":  {base, domain.AccountIsAbsent, digest(1), domain.OnSuspended},
		"disabled":         {with(func(t *domain.Token) { t.Enabled = false }), domain.AccountIsOpen, digest(1), domain.IsDisabled},
		"expires now":      {with(func(t *domain.Token) { t.ExpiresAt = now }), domain.AccountIsOpen, digest(1), domain.HasExpired},
		"expires later":    {with(func(t *domain.Token) { t.ExpiresAt = now + 1 }), domain.AccountIsOpen, digest(1), domain.Granted},
		"expired long ago": {with(func(t *domain.Token) { t.ExpiresAt = -5 }), domain.AccountIsOpen, digest(1), domain.HasExpired},
		"not yet":          {with(func(t *domain.Token) { t.NotBefore = now + 1 }), domain.AccountIsOpen, digest(1), domain.NotYetValid},
		"valid from now":   {with(func(t *domain.Token) { t.NotBefore = now }), domain.AccountIsOpen, digest(1), domain.Granted},
		"overlap over": {with(func(t *domain.Token) {
			t.Secrets = []domain.Held{{Digest: digest(2)}, {Digest: digest(1), Until: now}}
		}), domain.AccountIsOpen, digest(1), domain.HasExpired},
		"in its overlap": {with(func(t *domain.Token) {
			t.Secrets = []domain.Held{{Digest: digest(2)}, {Digest: digest(1), Until: now + 1}}
		}), domain.AccountIsOpen, digest(1), domain.Granted},
	} {
		t.Run(name, func(t *testing.T) {
			n := domain.TokenNeed("ListTokens", "")
			got := domain.Authorize(alone(&c.token), &domain.Account{State: c.account}, c.secret, n, at(now))
			if got.Verdict != c.want {
				t.Errorf("got %s, want %s", got.Verdict, c.want)
			}
			if got.Verdict.Reason() == string(got.Verdict) {
				t.Errorf("%s has no sentence", got.Verdict)
			}
		})
	}
}

func TestDecisionsAgreeWithTheNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := domaintest.Permissions().Draw(t, "permissions")
		for _, n := range domaintest.Universe() {
			if got, want := p.Decide(n).Allowed(), domaintest.Allows(p, n); got != want {
				t.Fatalf("%s %s: got %v, want %v", n.Action, n.Resource, got, want)
			}
		}
	})
}

// Deciding allocates nothing: it is on the path of every check.
func TestAuthorizeDoesNotAllocate(t *testing.T) {
	token := issued(t, domain.Permissions{Allow: []domain.Grant{
		{Resource: "/device/*/state", Actions: []domain.Action{"read"}},
		{Resource: "/device/thermo1", Actions: []domain.Action{"AccessDeviceResources", "Read*"}},
	}})
	n, err := domain.Builtin().Need("AccessDeviceResources", "/device/thermo1/temperature", false)
	if err != nil {
		t.Fatal(err)
	}
	secret := domain.NewSecret([32]byte{1})
	token.Secrets = []domain.Held{{Digest: secret.Digest()}}
	if got := testing.AllocsPerRun(100, func() {
		d := secret.Digest()
		if !domain.Authorize(alone(&token), &open, d, n, at(now)).Allowed() {
			t.Fatal("refused")
		}
	}); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}
