package domain_test

import (
	"reflect"
	"testing"

	"hallpass/domain"
)

const (
	hour = 60 * 60 * 1000
	day  = 24 * hour
)

func once(key, request byte) *domain.Once {
	return &domain.Once{Key: [16]byte{key}, Request: [16]byte{request}}
}

// The same key with the same request does nothing again for 24 hours; with
// another one it is refused.
func TestAnIdempotencyKeyCountsOnce(t *testing.T) {
	rotate := func(n byte, o *domain.Once) domain.RotateToken {
		return domain.RotateToken{Account: "acme", Token: "a", Digest: digest(n), Once: o}
	}
	h := withToken(t)
	seen := h.state.Token.Revision
	first := rotate(2, once(1, 1))
	first.Expect = seen
	h.do(first)
	if d := h.state.Token.Done; len(d) != 1 || d[0].Seq != h.seq || d[0].At != now || d[0].Once != *once(1, 1) {
		t.Fatalf("got %+v", d)
	}
	again := first
	again.Digest = digest(3)
	if e := h.do(again); e != nil {
		t.Errorf("the same again, by what the caller saw then: got %v", e)
	}
	if _, err := h.try(rotate(3, once(1, 2))); pointer(err) != "/idempotency_key" {
		t.Errorf("another request: got %v", err)
	}
	h.do(rotate(3, once(2, 1)))
	h.now += day - 1
	if e := h.do(rotate(4, once(1, 1))); e != nil {
		t.Errorf("a millisecond before 24 hours: got %v", e)
	}
	h.now++
	h.do(rotate(4, once(1, 1)))
	if got := len(h.state.Token.Done); got != 1 {
		t.Errorf("it remembers %d, and the others are over", got)
	}
	h.do(rotate(5, once(2, 2)))
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	h.refused(rotate(6, once(2, 2)), domain.CodeRevoked)
}

func TestOfManyIdempotencyKeysTheNewestAreRemembered(t *testing.T) {
	h := withToken(t)
	for i := range byte(domain.MaxDone + 1) {
		h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(10 + i), Once: once(i, 1)})
	}
	done := h.state.Token.Done
	if len(done) != domain.MaxDone || done[0].Key[0] != domain.MaxDone || done[len(done)-1].Key[0] != 1 {
		t.Errorf("got %d, from %d to %d", len(done), done[0].Key[0], done[len(done)-1].Key[0])
	}
}

func TestIssuingWithAnIdempotencyKey(t *testing.T) {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme"})
	issue := domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Once: once(1, 1)}
	h.do(issue)
	issue.Digest = digest(2)
	if e := h.do(issue); e != nil {
		t.Errorf("the same again: got %v", e)
	}
	other := issue
	other.Once = once(1, 2)
	if _, err := h.try(other); pointer(err) != "/idempotency_key" {
		t.Errorf("another request: got %v", err)
	}
	other.Once = once(2, 1)
	h.refused(other, domain.CodeExists)
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	if e := h.do(issue); e != nil {
		t.Errorf("a retry made a new token of one that was revoked: %v", e)
	}
	h.now += day
	h.do(issue)
	if got := &h.state.Token; got.Generation != 2 || len(got.Done) != 1 || got.Done[0].At != h.now {
		t.Errorf("got %+v", got)
	}
	h.as(grants("/bucket", "*"))
	h.refused(issue, domain.CodeForbidden)
}

func TestTheFirstUseOfANewSecretEndsTheOlder(t *testing.T) {
	h := withToken(t)
	rotate := func(n byte, overlap int64) domain.RotateToken {
		return domain.RotateToken{Account: "acme", Token: "a", Digest: digest(n), Overlap: overlap, Retires: true}
	}
	retire := func(n byte) domain.RetireSecrets {
		return domain.RetireSecrets{Account: "acme", Token: "a", Digest: digest(n)}
	}
	h.do(rotate(2, 0))
	if got := h.state.Token.Secrets[1].Until; got != now+domain.MaxOverlap {
		t.Errorf("unless told otherwise the old one has 30 days: got %d ms", got-now)
	}
	h.do(rotate(3, 5000))
	want := []domain.Held{{Digest: digest(3), Retires: true}, {Digest: digest(2), Until: now + 5000, Retires: true}, {Digest: digest(1), Until: now + 5000}}
	if got := h.state.Token.Secrets; !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if e := h.do(retire(1)); e != nil {
		t.Errorf("the use of the oldest: got %v", e)
	}
	if e := h.do(retire(9)); e != nil {
		t.Errorf("the use of another: got %v", e)
	}
	before := h.state
	e := h.do(retire(2))
	if got := h.state.Token.Secrets; len(got) != 2 || got[1].Digest != digest(2) || got[1].Retires || got[1].Until != now+5000 || !got[0].Retires {
		t.Errorf("the use of the one between ended %v", got)
	}
	if domain.Narrows(before, e) || h.state.Token.Narrowed != 0 {
		t.Error("the command that was the first use is void")
	}
	h.do(retire(3))
	if got := h.state.Token.Secrets; !reflect.DeepEqual(got, []domain.Held{{Digest: digest(3)}}) {
		t.Errorf("got %v", got)
	}
	if e := h.do(retire(3)); e != nil {
		t.Errorf("told twice: got %v", e)
	}
	if d := domain.Standing(alone(&h.state.Token), &h.state.Account, digest(2), at(h.now)); d.Verdict != domain.WasRevoked {
		t.Errorf("a retired secret: got %s", d.Verdict)
	}
	h.do(domain.EditToken{Account: "acme", Token: "a", ExpiresAt: ptr(now + hour)})
	h.do(rotate(4, 0))
	if got := h.state.Token.Secrets[1].Until; got != now+hour {
		t.Errorf("the old one ends %d ms from now, past the token", got-now)
	}
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	if e := h.do(retire(4)); e != nil {
		t.Errorf("told of a revoked token: got %v", e)
	}
}

func TestBoundsOfARotation(t *testing.T) {
	h := withToken(t)
	for _, overlap := range []int64{-1, domain.MaxOverlap + 1} {
		if _, err := h.try(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2), Overlap: overlap}); pointer(err) != "/overlap" {
			t.Errorf("overlap of %d: got %v", overlap, err)
		}
	}
	for n := byte(2); n <= domain.MaxSecrets; n++ {
		h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(n), Retires: true})
	}
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(9), Retires: true}, domain.CodeConflict)
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(9)})
	if got := len(h.state.Token.Secrets); got != 1 {
		t.Errorf("%d secrets are left of a rotation at once", got)
	}
	h.refused(domain.RotateToken{Account: "acme", Token: "a"}, domain.CodeInternal)
}

func TestSecretsThatCanBeShownAgain(t *testing.T) {
	h := newHistory(t)
	h.do(domain.OpenAccount{Account: "acme"})
	box := func(key domain.KeyID) *domain.Sealed { return &domain.Sealed{Key: key, Box: []byte("box")} }
	reveal := domain.RevealToken{Account: "acme", Token: "a"}
	h.refused(reveal, domain.CodeNotFound)
	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(1), Permissions: grants("/bucket", "*"), Sealed: box("k1")})
	if e := h.do(reveal); e != (domain.TokenRevealed{Digest: digest(1)}) || h.state.Token.Revision == h.seq {
		t.Errorf("got %v at revision %d of %d: to look changes nothing", e, h.state.Token.Revision, h.seq)
	}
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2)}, domain.CodeKeyMissing)
	h.refused(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2), Sealed: &domain.Sealed{}}, domain.CodeInvalid)
	h.do(domain.RotateToken{Account: "acme", Token: "a", Digest: digest(2), Sealed: box("k1"), Overlap: 1000})
	if e := h.do(reveal); e != (domain.TokenRevealed{Digest: digest(2)}) {
		t.Errorf("got %v, want the newest", e)
	}

	reseal := domain.ResealToken{Account: "acme", Token: "a", Digest: digest(1), Was: "k1", Sealed: *box("k2")}
	for _, late := range []domain.ResealToken{
		{Account: "acme", Token: "a", Digest: digest(9), Was: "k1", Sealed: *box("k2")},
		{Account: "acme", Token: "a", Digest: digest(1), Was: "k0", Sealed: *box("k2")},
		{Account: "acme", Token: "a", Digest: digest(1), Was: "k1", Sealed: *box("k1")},
	} {
		if e := h.do(late); e != nil {
			t.Errorf("%+v: got %v", late, e)
		}
	}
	h.refused(domain.ResealToken{Account: "acme", Token: "a", Digest: digest(1), Was: "k1", Sealed: domain.Sealed{Key: "k2"}}, domain.CodeInvalid)
	before := h.state.Token
	h.do(reseal)
	if got := h.state.Token.Secrets; got[1].Sealed.Key != "k2" || got[0].Sealed.Key != "k1" || before.Secrets[1].Sealed.Key != "k1" {
		t.Errorf("got %+v, and before it %+v", got, before.Secrets)
	}
	if h.state.Token.Revision != before.Revision {
		t.Error("another key is not another token")
	}
	if e := h.do(reseal); e != nil {
		t.Errorf("twice: got %v", e)
	}

	h.as(grants("/token", "RevealToken"))
	h.refused(reveal, domain.CodeForbidden)
	h.as(grants("/token", "*", "/bucket", "*"))
	h.do(reveal)
	h.as(grants("/token", "CreateToken UpdateToken DeleteToken ReadTokenConfig ListTokens", "/bucket", "*"))
	h.refused(reveal, domain.CodeForbidden)
	h.by = domain.Authority{}
	h.do(domain.RevokeToken{Account: "acme", Token: "a"})
	h.refused(reveal, domain.CodeRevoked)

	h.do(domain.IssueToken{Account: "acme", Token: "a", Digest: digest(3), Immutable: true})
	h.refused(reveal, domain.CodeNotRevealable)
}
