package projections_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

var policy = domain.Reason{Code: domain.ReasonPolicy}

func TestARecordOfAnActorNarrowedInBetweenIsVoid(t *testing.T) {
	sessions := domain.SessionsOnly
	anywhere := domain.Conditions{Allow: []netip.Prefix{netip.MustParsePrefix("::/0")}}
	for name, narrow := range map[string]struct {
		token domain.TokenID
		event domain.Event
	}{
		"revoked":           {"actor", domain.TokenRevoked{Reason: policy}},
		"disabled":          {"actor", domain.TokenDisabled{}},
		"edited narrower":   {"actor", domain.TokenEdited{Permissions: &domain.Permissions{Mode: domain.Union}, Narrows: true}},
		"rotated":           {"actor", domain.TokenRotated{Digest: projectionstest.Secret(9).Digest()}},
		"account suspended": {"", domain.AccountSuspended{Reason: policy}},
		"managed otherwise": {"", domain.AccountEdited{ManagedBy: &sessions}},
		"parent revoked":    {"parent", domain.TokenRevoked{Reason: policy}},
		"parent disabled":   {"parent", domain.TokenDisabled{}},
		"parent narrower":   {"parent", domain.TokenEdited{Permissions: &domain.Permissions{Mode: domain.Union}, Narrows: true}},
		"parent bound":      {"parent", domain.TokenEdited{Conditions: &anywhere, Narrows: true}},
		"grandparent":       {"grandparent", domain.TokenDisabled{}},
	} {
		t.Run(name, func(t *testing.T) {
			story, n := acme(t)
			story.Do("acme", "grandparent", projectionstest.Issued(1, 11))
			story.Do("acme", "parent", projectionstest.Derived("grandparent", 12))
			story.Do("acme", "actor", projectionstest.Derived("parent", 1))
			story.Do("acme", "victim", projectionstest.Issued(1, 2))
			f := story.Fact("acme", "victim", domain.TokenRotated{Digest: projectionstest.Secret(3).Digest()})
			f.Actor = story.By("acme", "actor") // authorised here …
			story.Do("acme", narrow.token, narrow.event)
			pending := n.Expect(f.ID)
			seq := story.Append(f) // … and stored here

			out, err := pending.Wait(within(t))
			if want := (projections.Outcome{Seq: seq, Void: domain.ActorNarrowed}); err != nil || out != want {
				t.Errorf("the record came to %+v, %v; want %+v", out, err, want)
			}
			state, last := n.Directory.State(domain.Target{Account: "acme", Token: "victim"})
			if last != seq || state.Token.Revision == seq {
				t.Errorf("the token is at %d, its last record is %d; want it changed before %d, and that one last", state.Token.Revision, last, seq)
			}
			if name == "account suspended" {
				story.Do("acme", "", domain.AccountResumed{})
				n.WaitLive(story.Model.At)
			}
			wantVerdict(t, n, 2, granted)
			wantVerdict(t, n, 3, unknown) // a void record takes no digest either
			entries, err := n.History(within(t), "acme", "victim", 0, 10)
			if err != nil || len(entries) != 2 || entries[1].Void != domain.ActorNarrowed || entries[1].Seq != seq {
				t.Errorf("the history is %+v, %v", entries, err)
			}
			// Who authorises anew may go on from the void record.
			n.WaitLive(story.Do("acme", "victim", domain.TokenRotated{Digest: projectionstest.Secret(3).Digest()}))
			wantVerdict(t, n, 3, granted)
		})
	}
}

func TestARecordIntoAClosedAccountIsVoid(t *testing.T) {
	story, n := acme(t)
	f := story.Fact("acme", "a", projectionstest.Issued(1, 1))
	story.Do("acme", "", domain.AccountClosed{Reason: policy})
	pending := n.Expect(f.ID)
	story.Append(f)
	if out, err := pending.Wait(within(t)); err != nil || out.Void != domain.IntoClosed {
		t.Errorf("the record came to %+v, %v; want it void", out, err)
	}
	if _, ok := n.Directory.Token("acme", "a"); ok {
		t.Error("the token is there")
	}
	wantVerdict(t, n, 1, unknown)
}

func TestADigestBelongsToTheFirstTokenThatHeldIt(t *testing.T) {
	story, n := acme(t)
	lost := func(token domain.TokenID, e domain.Event) bool {
		t.Helper()
		f := story.Fact("acme", token, e)
		pending := n.Expect(f.ID)
		story.Append(f)
		out, err := pending.Wait(within(t))
		if err != nil || out.Void != "" {
			t.Fatalf("the record came to %+v, %v", out, err)
		}
		if state, _ := n.Directory.State(domain.Target{Account: "acme", Token: token}); out.SecretLost && len(state.Token.Secrets) > 1 {
			t.Errorf("the token holds %v", state.Token.Secrets)
		}
		return out.SecretLost
	}
	who := func(secret int) domain.TokenID {
		b, err := n.Index.Bearer(projectionstest.Secret(secret), netip.Addr{})
		if err != nil || b.Token == nil {
			t.Fatalf("secret %d is %+v's, %v", secret, b, err)
		}
		return b.Token.ID
	}
	first, second := projectionstest.Secret(1).Digest(), projectionstest.Secret(2).Digest()
	if lost("a", projectionstest.Issued(1, 1)) || !lost("b", projectionstest.Issued(1, 1)) {
		t.Error("want b to lose the secret that a holds")
	}
	if who(1) != "a" {
		t.Error("want it to stay a's")
	}
	if lost("a", domain.TokenRotated{Digest: second}) || !lost("b", domain.TokenRotated{Digest: first}) {
		t.Error("want b to lose the secret that a held once")
	}
	wantVerdict(t, n, 1, revoked)
	wantVerdict(t, n, 2, granted)
	lost("a", domain.TokenRevoked{Reason: policy})
	if !lost("b", domain.TokenRotated{Digest: second}) {
		t.Error("want b to lose the secret that a held when it was revoked")
	}
	wantVerdict(t, n, 2, revoked)
	if lost("a", projectionstest.Issued(2, 2)) || lost("a", domain.TokenRotated{Digest: first, PreviousUntil: projectionstest.T0 + 3_600_000}) {
		t.Error("want a to keep the secrets that it held before")
	}
	for _, secret := range []int{1, 2} {
		wantVerdict(t, n, secret, granted)
		if who(secret) != "a" {
			t.Errorf("secret %d is not a's", secret)
		}
	}
	if lost("b", domain.TokenRotated{Digest: projectionstest.Secret(3).Digest()}) {
		t.Error("want b to get a secret of its own")
	}
	wantVerdict(t, n, 3, granted)
}

func TestABearerIsToldWhoHeIsAndWhetherItWorks(t *testing.T) {
	story, n := acme(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	n.WaitLive(story.Do("acme", "", domain.AccountSuspended{Reason: policy}))
	b, err := n.Index.Bearer(projectionstest.Secret(1), netip.Addr{})
	if err != nil || b.Token.ID != "a" || b.Account.Name != "Acme" || b.Verdict != domain.OnSuspended || b.At != story.Model.At {
		t.Errorf("got %+v, %v", b, err)
	}
	b, err = n.Index.Bearer(projectionstest.Secret(2), netip.Addr{})
	if err != nil || b.Token != nil || b.Verdict != domain.UnknownSecret {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestAPendingRecordThatLostItsPlaceStaysUnseen(t *testing.T) {
	story, n := acme(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	mine, other := story.Fact("acme", "a", domain.TokenEdited{}), story.Fact("acme", "a", domain.TokenEdited{})
	entry := story.Model.Entry(mine)
	pending := n.Expect(mine.ID)
	defer pending.Cancel()
	story.Append(other)

	var conflict *eventstore.ConflictError
	if _, err := story.Log.Append(t.Context(), entry); !errors.As(err, &conflict) {
		t.Fatalf("the append answers %v, want a conflict", err)
	}
	if err := n.Position.Wait(within(t), conflict.Last); err != nil {
		t.Fatal(err)
	}
	if out, seen := pending.Outcome(); seen {
		t.Errorf("the record was seen: %+v", out)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := pending.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting answers %v, want the context's error", err)
	}
}

func TestAPendingRecordIsKnownNoLaterThanItsPosition(t *testing.T) {
	story, n := acme(t)
	story.Do("acme", "a", projectionstest.Issued(1, 1))
	for range 200 {
		f := story.Fact("acme", "a", domain.TokenEdited{})
		one, two, gone := n.Expect(f.ID), n.Expect(f.ID), n.Expect(f.ID)
		gone.Cancel()
		gone.Cancel()
		seq := story.Append(f)
		if err := n.Position.Wait(within(t), seq); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*projections.Pending{one, two} {
			if out, seen := p.Outcome(); !seen || out.Seq != seq {
				t.Fatalf("at %d the outcome is %+v, %v", seq, out, seen)
			}
			if out, err := p.Wait(within(t)); err != nil || out.Seq != seq {
				t.Fatalf("at %d waiting answers %+v, %v", seq, out, err)
			}
			p.Cancel()
		}
		if _, seen := gone.Outcome(); seen {
			t.Fatal("a cancelled one was seen")
		}
	}
}

func TestWaitingForAPositionEndsWithIt(t *testing.T) {
	story, n := acme(t)
	at := story.Model.At
	got := make(chan error, 3)
	for ahead := range eventstore.Seq(3) {
		go func() { got <- n.Position.Wait(within(t), at+ahead+1) }()
	}
	for range 3 {
		story.Do("acme", "", domain.AccountSuspended{Reason: policy})
		story.Do("acme", "", domain.AccountResumed{})
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := n.Position.Wait(short, story.Model.At+1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for what isn't there answers %v, want the context's error", err)
	}
}
