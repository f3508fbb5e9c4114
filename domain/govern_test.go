package domain_test

import (
	"testing"

	"hallpass/domain"
)

// A token that governs the tokens of its account issues and reveals wider ones,
// which is written down, and does nothing else that it lacks.
func TestGoverning(t *testing.T) {
	grants := func(gs ...domain.Grant) domain.Permissions {
		return domain.Permissions{Mode: domain.FirstMatch, Allow: gs}
	}
	on := func(r domain.Pattern, actions ...domain.Action) domain.Grant {
		return domain.Grant{Resource: r, Actions: actions}
	}
	manages := on("/token", "CreateToken", "RevealToken", "UpdateToken")
	master := grants(on("/token", "CreateToken", "RevealToken", "UpdateToken", domain.ActionGovern))
	wide := grants(on("/tenant/site1", "*"))
	all := domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{on("/", "*")}}
	governDenied := master
	governDenied.Deny = []domain.Grant{on("/token", domain.ActionGovern)}
	denied := all
	denied.Deny = []domain.Grant{on("/audit", "*")}
	account := domain.Account{ID: "acme", State: domain.AccountIsOpen}
	for _, row := range []struct {
		name  string
		by    domain.Permissions
		above []domain.Permissions
		of    domain.AccountID
		asks  domain.Permissions
		want  string // the code, or "plain" or "wider"
	}{
		{"a master issues what it lacks", master, nil, "acme", wide, "wider"},
		{"a master issues a master", master, nil, "acme", master, "plain"},
		{"what it has, it hands out like any", master, nil, "acme", grants(on("/token/a", "CreateToken")), "plain"},
		{"without the name nothing lifts the rule", grants(manages), nil, "acme", wide, "forbidden"},
		{"a wildcard does not name it", grants(on("/token", "*")), nil, "acme", wide, "forbidden"},
		{"nor does a part of the name", grants(on("/token", "CreateToken", "Govern*")), nil, "acme", wide, "forbidden"},
		{"nor is it for handing out by a wildcard", grants(on("/token", "*")), nil, "acme", master, "forbidden"},
		{"on one token it says nothing", grants(manages, on("/token/a", domain.ActionGovern)), nil, "acme", wide, "forbidden"},
		{"a deny of it counts first", governDenied, nil, "acme", wide, "forbidden"},
		{"and so does a grant before it", grants(manages, on("/token", domain.ActionGovern)), nil, "acme", wide, "forbidden"},
		{"a derived token does not govern", master, []domain.Permissions{master}, "acme", wide, "forbidden"},
		{"behind a grant that decides it says nothing", grants(on("/token", "*"), on("/token", domain.ActionGovern)), nil, "acme", wide, "forbidden"},
		{"in another account neither", master, nil, "other", wide, "forbidden"},
		{"who may do everything makes a master", all, nil, "acme", master, "plain"},
		{"who is denied anything does not", denied, nil, "acme", master, "forbidden"},
	} {
		by := domain.Authority{Actor: domain.Actor{Account: row.of, Token: "boss", Generation: 1}, Permissions: row.by, Above: row.above}
		event, err := domain.Decide(domain.State{Account: account},
			domain.IssueToken{Account: "acme", Token: "new", Digest: domain.Digest{1}, Permissions: row.asks}, by, 1)
		got := string(domain.CodeOf(err))
		if err == nil {
			issued := event.(domain.TokenIssued)
			if got = "plain"; issued.Wider {
				got = "wider"
			}
			if issued.Wider != (issued.Type() == "token.issued.2") {
				t.Errorf("%s: written as %s", row.name, issued.Type())
			}
		}
		if got != row.want {
			t.Errorf("%s: got %s, want %s (%v)", row.name, got, row.want, err)
		}
	}

	s := domain.State{Account: account, Token: domain.Token{
		Account: "acme", ID: "w", Generation: 1, Enabled: true, Kind: domain.KindAPI, Permissions: wide, Revealable: true,
		Secrets: []domain.Held{{Digest: domain.Digest{2}, Sealed: &domain.Sealed{Key: "k", Box: []byte{1}}}},
	}}
	by := domain.Authority{Actor: domain.Actor{Account: "acme", Token: "boss", Generation: 1}, Permissions: master}
	if _, err := domain.Decide(s, domain.RevealToken{Account: "acme", Token: "w"}, by, 1); err != nil {
		t.Errorf("reveal: %v", err)
	}
	for _, c := range []domain.Command{
		domain.RotateToken{Account: "acme", Token: "w", Digest: domain.Digest{3}},
		domain.EditToken{Account: "acme", Token: "w", Permissions: &all},
	} {
		if _, err := domain.Decide(s, c, by, 1); domain.CodeOf(err) != domain.CodeForbidden {
			t.Errorf("%T: got %v, want it forbidden", c, err)
		}
	}
}

// Who lacks the name comes by it neither by an edit nor by another's secret,
// and taking it away is a narrowing.
func TestGoverningIsNotComeBy(t *testing.T) {
	on := func(r domain.Pattern, actions ...domain.Action) domain.Grant {
		return domain.Grant{Resource: r, Actions: actions}
	}
	union := func(allow ...domain.Grant) domain.Permissions {
		return domain.Permissions{Mode: domain.Union, Allow: allow}
	}
	account := domain.Account{ID: "acme", State: domain.AccountIsOpen}
	token := func(id domain.TokenID, p domain.Permissions) domain.Token {
		return domain.Token{
			Account: "acme", ID: id, Generation: 1, Enabled: id != "off", Kind: domain.KindAPI, Permissions: p, Revision: 5,
			Secrets: []domain.Held{{Digest: domain.Digest{1}, Sealed: &domain.Sealed{Key: "k", Box: []byte{1}}}},
		}
	}
	bounded := union(on("/", "*"))
	bounded.Deny = []domain.Grant{on("/audit", "*")}
	masters := union(on("/token", "CreateToken", "UpdateToken", domain.ActionGovern))
	for _, mine := range []domain.Permissions{
		union(on("/token", "*")), union(on("/token", "write")), union(on("/token", "read", "write")),
		union(on("/token", "UpdateToken", "RevealToken", "CreateToken", "Govern*")),
		union(on("/token", "*"), on("/token/a", domain.ActionGovern)), bounded,
	} {
		self := token("a", mine)
		by := domain.AuthorityOf(domain.Alone(&self), &account, 5)
		wanted := []domain.Permissions{mine, mine, mine}
		for i, r := range []domain.Pattern{"/token", "/", "/*"} {
			wanted[i].Allow = append([]domain.Grant{on(r, "*", domain.ActionGovern)}, mine.Allow...)
		}
		for _, c := range []struct {
			of domain.Token
			domain.Command
		}{
			{self, domain.EditToken{Account: "acme", Token: "a", Permissions: &wanted[0]}},
			{self, domain.EditToken{Account: "acme", Token: "a", Permissions: &wanted[1]}},
			{self, domain.EditToken{Account: "acme", Token: "a", Permissions: &wanted[2]}},
			{token("m", masters), domain.RotateToken{Account: "acme", Token: "m", Digest: domain.Digest{3}}},
			{token("m", masters), domain.RevealToken{Account: "acme", Token: "m"}},
			{token("off", masters), domain.EnableToken{Account: "acme", Token: "off"}},
			{domain.Token{}, domain.IssueToken{Account: "acme", Token: "n", Digest: domain.Digest{4}, Permissions: masters}},
		} {
			if _, err := domain.Decide(domain.State{Account: account, Token: c.of}, c.Command, by, 1); domain.CodeOf(err) != domain.CodeForbidden {
				t.Errorf("%v by %v: got %v, want it forbidden", c.Command, mine.Allow, err)
			}
		}
	}
	master, less := token("m", masters), union(on("/token", "*"))
	e, err := domain.Decide(domain.State{Account: account, Token: master}, domain.EditToken{Account: "acme", Token: "m", Permissions: &less}, domain.Operator(5), 1)
	if err != nil || !e.(domain.TokenEdited).Narrows {
		t.Errorf("taking it away: %+v, %v; want a narrowing", e, err)
	}
}
