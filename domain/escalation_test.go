package domain_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
)

// No command that is accepted makes any token able to do what the command's
// actor could not do himself at that moment, unless that token could before:
// neither at once, nor by its own permissions once it or an ancestor is enabled
// or widened. Random sequences of commands by tokens with limited rights, their
// own offspring among them, are held against a model of plain sets.
func TestNobodyMakesATokenThatMayDoMoreThanHe(t *testing.T) {
	told := map[string]*[2]int{} // kind of command → accepted, refused
	missing := func() string {
		for kind, least := range map[string][2]int{
			"issue": {40, 80}, "import": {10, 20}, "derive": {12, 50}, "session": {2, 15}, "edit permissions": {60, 60},
			"edit times": {30, 30}, "edit conditions": {30, 20}, "enable": {3, 15}, "disable": {15, 8}, "rotate": {15, 30},
			"reveal": {15, 25}, "revoke": {15, 5},
		} {
			if got := told[kind]; got == nil || got[0] < least[0] || got[1] < least[1] {
				return fmt.Sprintf("%s: %v accepted and refused of at least %v", kind, got, least)
			}
		}
		return ""
	}
	domaintest.CheckUntil(t, missing, func(rt *rapid.T) {
		s := newSociety(rt, told)
		for range 25 {
			s.now += domain.Instant(rapid.IntRange(0, 3).Draw(rt, "later")) * 1000
			s.step()
			s.agrees()
		}
	})
	for kind, n := range told {
		t.Logf("%-16s %4d accepted %4d refused", kind, n[0], n[1])
	}
}

// society is the tokens of the account acme, folded by the domain and by the
// model, and one of root.
type society struct {
	*rapid.T
	account domain.Account
	tokens  map[domain.TokenID]*domain.Token
	world   *domaintest.World
	boss    domain.Authority // of a token of root
	told    map[string]*[2]int
	now     domain.Instant
	seq     domain.Seq
	secrets byte
}

var someIDs = []domain.TokenID{"a", "ab", "b", "c", "d", "e"}

var here = netip.MustParseAddr("10.1.2.3")

// management is what an actor needs to do anything here.
var management = domain.Grant{Resource: "/token", Actions: actions("CreateToken UpdateToken DeleteToken RevealToken ReadTokenConfig")}

func managementNeeds() (needs []domain.Need) {
	for _, a := range management.Actions {
		for _, r := range []string{"/token", "/token/a", "/token/ab", "/token/b", "/token/c"} {
			n, err := domain.Builtin().Need(string(a), r, false)
			if err != nil {
				panic(err)
			}
			needs = append(needs, n)
		}
	}
	return needs
}

func newSociety(t *rapid.T, told map[string]*[2]int) *society {
	s := &society{
		T: t, told: told, now: now, seq: 10,
		account: domain.Account{ID: "acme", State: domain.AccountIsOpen},
		tokens:  map[domain.TokenID]*domain.Token{},
		world:   domaintest.NewWorld(append(domaintest.Universe(), managementNeeds()...)),
	}
	if rapid.IntRange(0, 4).Draw(t, "managed by") == 0 {
		s.account.ManagedBy, s.world.SessionsOnly = domain.SessionsOnly, true
	}
	limited := everything
	limited.Deny = rapid.SliceOfN(domaintest.Grant(), 0, 2).Draw(t, "denies of root's token")
	s.boss = domain.Authority{Actor: domain.Actor{Account: domain.RootAccount, Token: "boss", Generation: 1}, Permissions: limited}
	family := !s.world.SessionsOnly && rapid.Bool().Draw(t, "a family")
	for _, id := range someIDs[:3] {
		c := domain.IssueToken{
			Account: "acme", Token: id, Digest: s.digest(), Permissions: s.permissions(nil), Sealed: s.seal(),
			Disabled: rapid.IntRange(0, 5).Draw(t, "disabled") == 0, ExpiresAt: s.end("expires at"),
		}
		if s.world.SessionsOnly && id == "ab" {
			c = domain.IssueToken{Account: "acme", Token: id, Kind: domain.KindSession, Digest: s.digest(), ExpiresAt: s.now + domain.MaxSession}
		}
		if id == "b" && family {
			c.Permissions, c.Disabled, c.ExpiresAt = limited, false, 0
		}
		if err := s.do(c, domain.Operator(s.seq)); err != nil {
			t.Fatal(err)
		}
	}
	if family { // a child that is denied less than its parent
		c := domain.IssueToken{Account: "acme", Token: "c", Parent: "b", Digest: s.digest(), Permissions: everything}
		if err := s.do(c, domain.Operator(s.seq)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// step lets someone do something, and holds what came of it against the model.
func (s *society) step() {
	by, mine, kin := s.boss, domaintest.Set{}, []*domain.Token(nil)
	if who := rapid.SampledFrom(append(s.working(), "")).Draw(s.T, "actor"); who == "" {
		for i, n := range s.world.Needs {
			if domaintest.Allows(by.Permissions, n) {
				mine[i] = true
			}
		}
	} else {
		l, _ := s.lineage(who)
		by, mine, kin = domain.AuthorityOf(l, &s.account, s.seq), s.world.Does(who, s.now), append(l.Above, l.Token)
	}
	kind, c := s.command(&by)
	does, own := s.world.Tokens(s.now)
	target := c.Target().Token
	before := s.seq
	err := s.do(c, by)
	if s.told[kind] == nil {
		s.told[kind] = new([2]int)
	}
	if err != nil {
		s.told[kind][1]++
	}
	if s.seq == before {
		return
	}
	s.told[kind][0]++
	what := fmt.Sprintf("%s of %s by %s", kind, target, by.Actor.Token)
	if !s.may(&by, kin, c.Needs()) && (kind != "revoke" || target != by.Actor.Token) {
		s.Fatalf("%s, who may not %s on %s", what, c.Needs().Action, c.Needs().Resource)
	}
	doesNow, ownNow := s.world.Tokens(s.now)
	for id := range doesNow {
		if n, more := s.world.Beyond(doesNow[id], does[id], mine); more {
			s.Fatalf("%s lets %s do %s on %s, which the actor may not\n%+v", what, id, n.Action, n.Resource, c)
		}
		if n, more := s.world.Beyond(ownNow[id], own[id], mine); more {
			s.Fatalf("%s gives %s a right to %s on %s, which the actor may not\n%+v", what, id, n.Action, n.Resource, c)
		}
	}
	l, _ := s.lineage(target)
	switch kind {
	case "rotate", "reveal":
		if n, more := s.world.Beyond(own[target], mine); more && target != by.Actor.Token {
			s.Fatalf("%s shows the secret of a token that may %s on %s", what, n.Action, n.Resource)
		}
	case "session":
		if slices.ContainsFunc(kin, func(k *domain.Token) bool { return k.Kind == domain.KindSession }) {
			s.Fatalf("%s, which is a session or derived from one", what)
		}
	case "derive", "edit times":
		for _, above := range l.Above {
			if end := l.Token.ExpiresAt; above.ExpiresAt != 0 && (end == 0 || end > above.ExpiresAt) && kind == "derive" {
				s.Fatalf("%s: it outlives %s", what, above.ID)
			}
		}
	}
}

// may tells whether the actor may do n about tokens: all his kin must, himself
// the last of them. That of root has none here.
func (s *society) may(by *domain.Authority, kin []*domain.Token, n domain.Need) bool {
	if len(kin) == 0 {
		return domaintest.Allows(by.Permissions, n)
	}
	if s.world.SessionsOnly && kin[len(kin)-1].Kind != domain.KindSession {
		return false
	}
	return !slices.ContainsFunc(kin, func(k *domain.Token) bool { return !domaintest.Allows(k.Permissions, n) })
}

// command draws what the actor tries, more often than not something that has a
// chance.
func (s *society) command(by *domain.Authority) (kind string, _ domain.Command) {
	id := rapid.SampledFrom(someIDs).Draw(s.T, "token")
	other := rapid.SampledFrom(someIDs).Draw(s.T, "other token")
	if free := s.free(); len(free) > 0 && rapid.IntRange(0, 2).Draw(s.T, "a new one") > 0 {
		issued := rapid.SampledFrom(free).Draw(s.T, "new token")
		return s.issuing(by, issued, other)
	}
	edit := domain.EditToken{Account: "acme", Token: id}
	switch rapid.IntRange(6, 14).Draw(s.T, "command") {
	case 6:
		return s.issuing(by, id, other)
	case 7, 14:
		p := s.permissions(by)
		edit.Permissions = &p
		return "edit permissions", edit
	case 8:
		edit.ExpiresAt, edit.NotBefore = ptr(s.end("expires at")), ptr(s.now+domain.Instant(rapid.IntRange(-3, 2).Draw(s.T, "starts"))*1000)
		if rapid.Bool().Draw(s.T, "enabled") {
			edit.Enabled = ptr(true)
		}
		return "edit times", edit
	case 9:
		edit.Conditions = rapid.SampledFrom([]*domain.Conditions{
			{}, {Allow: prefixes("10.0.0.0/8")}, {Allow: prefixes("10.1.0.0/16")}, {Deny: prefixes("10.9.0.0/16")},
		}).Draw(s.T, "conditions")
		return "edit conditions", edit
	case 10:
		return "enable", domain.EnableToken{Account: "acme", Token: id}
	case 11:
		if rapid.Bool().Draw(s.T, "for good") {
			return "revoke", domain.RevokeToken{Account: "acme", Token: id}
		}
		return "disable", domain.DisableToken{Account: "acme", Token: id}
	case 12:
		return "reveal", domain.RevealToken{Account: "acme", Token: id}
	}
	return "rotate", domain.RotateToken{Account: "acme", Token: id, Digest: s.digest(), Sealed: s.seal()}
}

func (s *society) issuing(by *domain.Authority, id, parent domain.TokenID) (kind string, _ domain.Command) {
	issue := domain.IssueToken{
		Account: "acme", Token: id, Digest: s.digest(), Permissions: s.permissions(by), Sealed: s.seal(),
		Disabled: rapid.IntRange(0, 3).Draw(s.T, "disabled") == 0, ExpiresAt: s.end("expires at"),
	}
	switch rapid.IntRange(0, 7).Draw(s.T, "how") {
	case 0, 1, 2:
		return "issue", issue
	case 3:
		issue.Imported, issue.Origin = true, "crafter"
		return "import", issue
	case 4:
		issue.Kind, issue.ExpiresAt = domain.KindSession, s.now+domain.Instant(rapid.Int64Range(1, domain.MaxSession).Draw(s.T, "ends in"))
		issue.Sealed = nil
		return "session", issue
	}
	if issue.Parent = parent; rapid.Bool().Draw(s.T, "of himself") {
		issue.Parent = by.Actor.Token
	}
	if rapid.Bool().Draw(s.T, "with all that the parent has") {
		issue.Permissions = domain.Permissions{}
	}
	return "derive", issue
}

// working are the tokens that can do something now.
func (s *society) working() (ids []domain.TokenID) {
	for _, id := range someIDs {
		if l, ok := s.lineage(id); ok && domain.Standing(l, &s.account, l.Token.Secrets[0].Digest, s.use()).Allowed() {
			ids = append(ids, id)
		}
	}
	return ids
}

// free are the ids that can be issued.
func (s *society) free() (ids []domain.TokenID) {
	for _, id := range someIDs {
		if t := s.tokens[id]; t == nil || t.Revoked {
			ids = append(ids, id)
		}
	}
	return ids
}

// permissions draws any, or some of the actor's with or without more.
func (s *society) permissions(by *domain.Authority) domain.Permissions {
	p := domaintest.Permissions().Draw(s.T, "permissions")
	if by != nil && rapid.IntRange(0, 3).Draw(s.T, "of his own") > 0 {
		mine := by.Permissions
		if len(mine.Allow) > 0 {
			mine.Allow = rapid.SliceOfN(rapid.SampledFrom(mine.Allow), 1, 4).Draw(s.T, "grants")
		}
		mine.Deny = p.Deny
		return mine
	}
	switch rapid.IntRange(0, 4).Draw(s.T, "beside") {
	case 0, 1, 2:
		p.Allow = append([]domain.Grant{management}, p.Allow...)
	case 3:
		p.Allow = everything.Allow
	}
	return p
}

func (s *society) end(name string) domain.Instant {
	return rapid.SampledFrom([]domain.Instant{0, 0, 0, 0, s.now - 1000, s.now + 5000, s.now + 20_000, s.now + 60_000}).Draw(s.T, name)
}

func (s *society) digest() domain.Digest {
	s.secrets++
	return domain.Digest{1, s.secrets}
}

func (s *society) seal() *domain.Sealed { return &domain.Sealed{Key: "k1", Box: []byte("box")} }

func (s *society) use() domain.Circumstances { return domain.Circumstances{Now: s.now, From: here} }

// lineage is the token with its ancestors, as a node knows them; false if it
// has no secret.
func (s *society) lineage(id domain.TokenID) (domain.Lineage, bool) {
	l := domain.Lineage{Token: s.tokens[id]}
	if l.Token == nil {
		return domain.Lineage{Token: &domain.Token{}}, false
	}
	for t := l.Token; t.Parent != nil && s.tokens[t.Parent.Token] != nil; {
		t = s.tokens[t.Parent.Token]
		l.Above = append(l.Above, t)
	}
	return l, len(l.Token.Secrets) > 0
}

// do decides, folds what was decided, and tells the model.
func (s *society) do(c domain.Command, by domain.Authority) error {
	target := c.Target()
	l, _ := s.lineage(target.Token)
	state := domain.State{Account: s.account, Token: *l.Token, Ancestors: l.Above}
	if issue, ok := c.(domain.IssueToken); ok && issue.Parent != "" {
		if parent, _ := s.lineage(issue.Parent); parent.Token.Generation != 0 {
			state.Ancestors = append([]*domain.Token{parent.Token}, parent.Above...)
		} else {
			state.Ancestors = nil
		}
	}
	e, err := domain.Decide(state, c, by, s.now)
	if err != nil || e == nil {
		return err
	}
	s.seq++
	f := &domain.Fact{Time: s.now, Actor: by.Actor, Authorised: s.seq - 1, Account: "acme", Token: target.Token, Event: e}
	after, err := domain.Evolve(state, f, s.seq)
	if err != nil {
		s.Fatal(err)
	}
	s.tokens[target.Token] = &after.Token
	s.world.Apply(target.Token, e)
	return nil
}

// agrees holds every decision about use against the model.
func (s *society) agrees() {
	for _, id := range someIDs {
		l, ok := s.lineage(id)
		if !ok {
			continue
		}
		does := s.world.Does(id, s.now)
		for i, n := range s.world.Needs {
			d := domain.Authorize(l, &s.account, l.Token.Secrets[0].Digest, n, s.use())
			if d.Allowed() != does[i] {
				s.Fatalf("%s on %s by %s: got %s on account of %q, want allowed %v", n.Action, n.Resource, id, d.Verdict, d.Ancestor, does[i])
			}
		}
	}
}

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}
