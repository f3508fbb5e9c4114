package domain_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hallpass/domain"
)

func ptr[T any](v T) *T { return &v }

func grants(pairs ...string) domain.Permissions {
	p := domain.Permissions{Mode: domain.Union}
	for i := 0; i < len(pairs); i += 2 {
		p.Allow = append(p.Allow, domain.Grant{Resource: domain.Pattern(pairs[i]), Actions: actions(pairs[i+1])})
	}
	return p
}

func actions(s string) []domain.Action {
	var list []domain.Action
	for _, a := range strings.Fields(s) {
		list = append(list, domain.Action(a))
	}
	return list
}

// as makes the history's next commands come from the token acme/boss with p.
func (h *history) as(p domain.Permissions) {
	h.by = domain.Authority{Actor: domain.Actor{Account: "acme", Token: "boss", Generation: 1}, Permissions: p}
}

func withToken(t *testing.T) *history {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme", Name: "Acme"})
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: grants("/bucket", "ReadBucket")})
	return h
}

func TestLifeOfAToken(t *testing.T) {
	h := withToken(t)
	state := func(want domain.TokenState, generation uint64, secrets int) {
		t.Helper()
		if got := &h.state.Token; got.State() != want || got.Generation != generation || len(got.Secrets) != secrets {
			t.Fatalf("got %s of generation %d with %d secrets, want %s, %d, %d",
				got.State(), got.Generation, len(got.Secrets), want, generation, secrets)
		}
	}
	state(domain.TokenIsActive, 1, 1)
	h.do(domain.DisableToken{Account: "acme", Token: "a"})
	state(domain.TokenIsDisabled, 1, 1)
	if e := h.do(domain.DisableToken{Account: "acme", Token: "a"}); e != nil {
		t.Errorf("disabling twice: got %v, want no event", e)
	}
	h.do(domain.EnableToken{Account: "acme", Token: "a"})
	state(domain.TokenIsActive, 1, 1)
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2), Overlap: 1000})
	state(domain.TokenIsActive, 1, 2)
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(3)})
	state(domain.TokenIsActive, 1, 1)
	h.do(domain.RevokeToken{Account: "acme", Token: "a", Reason: domain.Reason{Code: domain.ReasonPolicy}})
	state(domain.TokenIsRevoked, 1, 0)
	if e := h.do(domain.RevokeToken{Account: "acme", Token: "a"}); e != nil {
		t.Errorf("revoking twice: got %v, want no event", e)
	}
	h.refused(domain.EnableToken{Account: "acme", Token: "a"}, domain.CodeRevoked)
	h.refused(domain.EditToken{Account: "acme", Token: "a", Name: ptr("x")}, domain.CodeRevoked)
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(4)}, domain.CodeRevoked)
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(4), Permissions: everything})
	state(domain.TokenIsActive, 2, 1)
	if h.state.Token.Narrowed == 0 {
		t.Error("a new generation forgot when the old one was revoked")
	}
	h.refused(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(5)}, domain.CodeExists)
}

func TestOverlapsEndInOrder(t *testing.T) {
	h := withToken(t)
	h.do(domain.EditToken{Account: "acme", Token: "a", ExpiresAt: ptr(now + 5000)})
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2), Overlap: 4000})
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(3), Overlap: 9000})
	want := []domain.Held{{Digest: digest(3)}, {Digest: digest(2), Until: now + 5000}, {Digest: digest(1), Until: now + 4000}}
	if got := h.state.Token.Secrets; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v: never past the token's expiry, and never later than promised", got, want)
	}
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(4), Overlap: 1000})
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(5), Overlap: 1000}, domain.CodeConflict)
	h.now += 4000
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(5), Overlap: 10})
	if got := len(h.state.Token.Secrets); got != 2 {
		t.Errorf("got %d secrets, want the new one and the one before: the others have ended", got)
	}
	h.now += 2000
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(6)}, domain.CodeInvalid)
}

func TestImmutableTokensCanOnlyBeRevoked(t *testing.T) {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme"})
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Immutable: true})
	h.refused(domain.EditToken{Account: "acme", Token: "a", Name: ptr("x")}, domain.CodeImmutable)
	h.refused(domain.DisableToken{Account: "acme", Token: "a"}, domain.CodeImmutable)
	h.refused(domain.EnableToken{Account: "acme", Token: "a"}, domain.CodeImmutable)
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2)}, domain.CodeImmutable)
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(2)})
}

func TestLifeOfAnAccount(t *testing.T) {
	h := withToken(t)
	h.refused(domain.OpenAccount{Account: "acme"}, domain.CodeExists)
	if e := h.do(domain.ResumeAccount{Account: "acme"}); e != nil {
		t.Errorf("resuming an open account: got %v, want no event", e)
	}
	h.do(domain.SuspendAccount{Account: "acme"})
	h.do(domain.EditToken{Account: "acme", Token: "a", Name: ptr("still managed")})
	h.do(domain.ResumeAccount{Account: "acme"})
	h.do(domain.CloseAccount{Account: "acme"})
	if e := h.do(domain.CloseAccount{Account: "acme"}); e != nil {
		t.Errorf("closing twice: got %v, want no event", e)
	}
	for _, c := range []domain.Command{
		domain.OpenAccount{Account: "acme"}, domain.SuspendAccount{Account: "acme"}, domain.ResumeAccount{Account: "acme"},
		domain.IssueToken{Account: "acme", Token: "b", Digest: digest(2)}, domain.EditToken{Account: "acme", Token: "a"},
		domain.EnableToken{Account: "acme", Token: "a"}, domain.DisableToken{Account: "acme", Token: "a"},
		domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2)},
	} {
		h.refused(c, domain.CodeAccountClosed)
	}
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
}

func TestRootCantBeLockedOut(t *testing.T) {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: domain.RootAccount})
	h.refused(domain.SuspendAccount{Account: domain.RootAccount}, domain.CodeForbidden)
	h.refused(domain.CloseAccount{Account: domain.RootAccount}, domain.CodeForbidden)
}

func TestAbsentThings(t *testing.T) {
	h := newHistory(t)
	h.refused(domain.SuspendAccount{Account: "acme"}, domain.CodeNotFound)
	h.refused(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1)}, domain.CodeNotFound)
	h.refused(domain.RevokeToken{Account: "acme", Token: "a"}, domain.CodeNotFound)
	h.do(domain.OpenAccount{Account: "acme"})
	h.refused(domain.RevokeToken{Account: "acme", Token: "a"}, domain.CodeNotFound)
	h.refused(domain.EditToken{Account: "acme", Token: "a"}, domain.CodeNotFound)
	h.as(grants("/bucket", "*"))
	h.refused(domain.EditToken{Account: "acme", Token: "a"}, domain.CodeForbidden)
	h.refused(domain.RevokeToken{Account: "other", Token: "a"}, domain.CodeForbidden)
}

func TestExpectedRevision(t *testing.T) {
	h := withToken(t)
	at := h.state.Token.Revision
	h.do(domain.EditToken{Account: "acme", Token: "a", Expect: at, Name: ptr("first")})
	h.refused(domain.EditToken{Account: "acme", Token: "a", Expect: at, Name: ptr("second")}, domain.CodePrecondition)
	h.refused(domain.RevokeToken{Account: "acme", Token: "a", Expect: at}, domain.CodePrecondition)
	h.do(domain.RevokeToken{Account: "acme", Token: "a", Expect: at + 1})
}

func TestEditsBecomeTheSmallestEvent(t *testing.T) {
	for name, c := range map[string]struct {
		edit domain.EditToken
		want domain.Event
	}{
		"nothing":     {domain.EditToken{}, nil},
		"same name":   {domain.EditToken{Name: ptr("")}, nil},
		"same grants": {domain.EditToken{Permissions: ptr(grants("/bucket", "ReadBucket"))}, nil},
		"no tags":     {domain.EditToken{Tags: ptr([]domain.Tag{})}, nil},
		"enabled":     {domain.EditToken{Enabled: ptr(true)}, nil},
		"disabled":    {domain.EditToken{Enabled: ptr(false)}, domain.TokenDisabled{}},
		"name":        {domain.EditToken{Name: ptr("x"), Enabled: ptr(true)}, domain.TokenEdited{Name: ptr("x")}},
		"both":        {domain.EditToken{Name: ptr("x"), Enabled: ptr(false)}, domain.TokenEdited{Name: ptr("x"), Enabled: ptr(false)}},
		"tags are sorted": {domain.EditToken{Tags: &[]domain.Tag{{Key: "b"}, {Key: "a"}}},
			domain.TokenEdited{Tags: &[]domain.Tag{{Key: "a"}, {Key: "b"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := withToken(t)
			c.edit.Account, c.edit.Token = "acme", "a"
			if got := h.do(c.edit); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

func TestNobodyHandsOutMoreThanHeHas(t *testing.T) {
	boss := grants("/token", "*", "/bucket/b1", "ReadBucket WriteBucket", "/device", "read")
	boss.Deny = []domain.Grant{{Resource: "/bucket/b1/secret", Actions: actions("*")}}
	h := withToken(t)
	h.do(domain.DisableToken{Account: "acme", Token: "a"})
	h.as(boss)
	issue := func(p domain.Permissions) domain.IssueToken {
		return domain.IssueToken{Account: "acme", Token: "new", Digest: digest(9), Permissions: p}
	}
	refusing := *h
	for _, p := range []domain.Permissions{
		everything, grants("/bucket", "ReadBucket"), grants("/bucket/b1", "*"), grants("/bucket/b1", "Read*"),
		grants("/device", "write"), grants("/device/d", "AccessDeviceResources"), grants("/*/b1", "ReadBucket"),
	} {
		refusing.state.Token = domain.Token{}
		refusing.refused(issue(p), domain.CodeForbidden)
	}
	h.refused(domain.EnableToken{Account: "acme", Token: "a"}, domain.CodeForbidden)
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(3)}, domain.CodeForbidden)
	h.refused(domain.EditToken{Account: "acme", Token: "a", Enabled: ptr(true)}, domain.CodeForbidden)
	h.do(domain.EditToken{Account: "acme", Token: "a", Name: ptr("a name takes nothing")})
	h.do(domain.EditToken{Account: "acme", Token: "a", Permissions: ptr(grants("/bucket/b2", "ReadBucket"))})
	h.refused(domain.EditToken{Account: "acme", Token: "a", Permissions: ptr(grants("/bucket/b3", "ReadBucket"))}, domain.CodeForbidden)
	h.do(domain.EditToken{Account: "acme", Token: "a", Permissions: ptr(grants("/bucket/b1", "ReadBucket"))})
	if got := h.state.Token.Permissions.Deny; !reflect.DeepEqual(got, boss.Deny) {
		t.Errorf("got denies %v, want the issuer's to be passed on", got)
	}
	h.do(domain.EnableToken{Account: "acme", Token: "a"})
}

func TestOnlyRootTokensActElsewhere(t *testing.T) {
	actor := func(account domain.AccountID, p domain.Permissions) domain.Authority {
		return domain.Authority{Actor: domain.Actor{Account: account, Token: "x", Generation: 1}, Permissions: p}
	}
	denied := everything
	denied.Deny = []domain.Grant{{Resource: "/token/keep", Actions: actions("DeleteToken")}}
	for name, c := range map[string]struct {
		by   domain.Authority
		cmd  domain.Command
		want domain.Code
	}{
		"root opens":                {actor("root", everything), domain.OpenAccount{Account: "b"}, ""},
		"root with the one action":  {actor("root", grants("/account", "CreateAccount")), domain.OpenAccount{Account: "b"}, ""},
		"root for one account":      {actor("root", grants("/account/c", "CreateAccount")), domain.OpenAccount{Account: "b"}, domain.CodeForbidden},
		"an account's own admin":    {actor("acme", everything), domain.OpenAccount{Account: "b"}, domain.CodeForbidden},
		"root issues elsewhere":     {actor("root", everything), domain.IssueToken{Account: "acme", Token: "z", Digest: digest(7)}, ""},
		"half a root does not":      {actor("root", grants("/token", "*")), domain.IssueToken{Account: "acme", Token: "z", Digest: digest(7)}, domain.CodeForbidden},
		"root's denies still apply": {actor("root", denied), domain.RevokeToken{Account: "acme", Token: "keep"}, domain.CodeForbidden},
		"another account's admin":   {actor("b", everything), domain.IssueToken{Account: "acme", Token: "z", Digest: digest(7)}, domain.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			h := withToken(t)
			h.by = c.by
			state := h.state
			if _, isOpen := c.cmd.(domain.OpenAccount); isOpen {
				state = domain.State{}
			}
			state.Token = domain.Token{}
			_, err := domain.Decide(state, c.cmd, c.by, now)
			if (err == nil) != (c.want == "") || err != nil && domain.CodeOf(err) != c.want {
				t.Errorf("got %v, want code %q", err, c.want)
			}
		})
	}
}

func TestFieldsOutOfBounds(t *testing.T) {
	secret := domain.NewSecret([32]byte{7}).Reveal()
	long := strings.Repeat("x", 3000)
	manyTags := make([]domain.Tag, domain.MaxTags+1)
	for i := range manyTags {
		manyTags[i].Key = long[:i+1]
	}
	manyGrants := domain.Permissions{Allow: make([]domain.Grant, domain.MaxGrants+1)}
	for name, c := range map[string]struct {
		issue domain.IssueToken
		want  string // pointer
	}{
		"long name":             {domain.IssueToken{Name: long}, "/name"},
		"name with a newline":   {domain.IssueToken{Name: "a\nb"}, "/name"},
		"name not UTF-8":        {domain.IssueToken{Name: "a\xff"}, "/name"},
		"secret as name":        {domain.IssueToken{Name: "it is " + secret}, "/name"},
		"long description":      {domain.IssueToken{Description: long}, "/description"},
		"secret in description": {domain.IssueToken{Description: secret}, "/description"},
		"many tags":             {domain.IssueToken{Tags: manyTags}, "/tags"},
		"empty tag key":         {domain.IssueToken{Tags: []domain.Tag{{}}}, "/tags"},
		"tag twice":             {domain.IssueToken{Tags: []domain.Tag{{Key: "a"}, {Key: "a"}}}, "/tags"},
		"long tag value":        {domain.IssueToken{Tags: []domain.Tag{{Key: "a", Value: long}}}, "/tags"},
		"never valid":           {domain.IssueToken{NotBefore: 2, ExpiresAt: 2}, "/expires_at"},
		"many grants":           {domain.IssueToken{Permissions: manyGrants}, "/permissions"},
		"many actions in all":   {domain.IssueToken{Permissions: grants(slices.Repeat([]string{"/bucket", strings.Repeat("ReadBucket ", 33)}, 32)...)}, "/permissions"},
		"no actions":            {domain.IssueToken{Permissions: grants("/bucket", "")}, "/permissions/allow/0/actions"},
		"relative resource":     {domain.IssueToken{Permissions: grants("/bucket", "*", "bucket", "*")}, "/permissions/allow/1/resource"},
		"unknown action":        {domain.IssueToken{Permissions: grants("/bucket", "ReadBucket ReadBuket")}, "/permissions/allow/0/actions/1"},
		"action of other type":  {domain.IssueToken{Permissions: grants("/bucket", "ListDevices")}, "/permissions/allow/0/actions/0"},
		"action of no type":     {domain.IssueToken{Permissions: grants("/robot", "Wave")}, "/permissions/allow/0/actions/0"},
		"unknown on /":          {domain.IssueToken{Permissions: grants("/", "Wave")}, "/permissions/allow/0/actions/0"},
		"star inside":           {domain.IssueToken{Permissions: grants("/", "Re*ad")}, "/permissions/allow/0/actions/0"},
		"odd action":            {domain.IssueToken{Permissions: grants("/", "Read{}")}, "/permissions/allow/0/actions/0"},
		"bad id":                {domain.IssueToken{Token: "a/b"}, "/id"},
		"secret as id":          {domain.IssueToken{Token: domain.TokenID(secret)}, "/id"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			h.do(domain.OpenAccount{Account: "acme"})
			c.issue.Account, c.issue.Digest = "acme", digest(1)
			if c.issue.Token == "" {
				c.issue.Token = "a"
			}
			_, err := h.try(c.issue)
			var e *domain.Error
			if !errors.As(err, &e) || e.Code != domain.CodeInvalid || len(e.Fields) == 0 || e.Fields[0].Pointer != c.want {
				t.Fatalf("got %#v, want code invalid at %s", err, c.want)
			}
			if strings.Contains(e.Error(), secret) {
				t.Error("the error repeats a secret")
			}
		})
	}
}

func TestNearActionsAreNamed(t *testing.T) {
	h := withToken(t)
	_, err := h.try(domain.EditToken{Account: "acme", Token: "a", Permissions: ptr(grants("/bucket", "ReadBuket"))})
	if err == nil || !strings.Contains(err.Error(), "ReadBucket") {
		t.Errorf("got %v, want ReadBucket to be named", err)
	}
}
