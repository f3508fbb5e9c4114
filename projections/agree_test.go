package projections_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hallpass/domain"
	"hallpass/domain/domaintest"
	"hallpass/eventstore"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// Two nodes follow one random history, over links that break now and then.
// After every record both give the answers that the model gives, and so does a
// node that replays the whole of it at the end.
func TestNodesAgreeAfterEveryRecord(t *testing.T) {
	var facts, voids, lost int
	seen := tally{}
	missing := func() string {
		for of, floor := range map[string]int{
			"derived: granted": 50, "derived: refused by an ancestor": 200, "an ancestor's conditions: refused": 20, "under a re-issued ancestor": 5,
			"conditions: granted": 200, "conditions: refused": 500, "sessions_only": 30,
			"token.retired.1": 10, "type.defined.1": 20, "type.removed.1": 10, "account.edited.1": 20,
		} {
			if seen[of] < floor {
				return fmt.Sprintf("%d of %q", seen[of], of)
			}
		}
		if facts < 500 || voids < 20 || lost < 20 {
			return fmt.Sprintf("%d facts, %d void and %d lost secrets", facts, voids, lost)
		}
		return ""
	}
	domaintest.CheckUntil(t, missing, func(rt *rapid.T) {
		log := eventstore.NewMemory(eventstore.MemoryConfig{Now: projectionstest.T0.Time})
		story := projectionstest.NewStory(t, log)
		cfg := projections.Config{Hook: unleased, Now: func() domain.Instant { return projectionstest.T0 }, Logger: quiet}
		var nodes []*node
		start := func() {
			link := projectionstest.NewLink(log)
			nodes = append(nodes, &node{projections.Open(link, cfg), link, seen})
		}
		start()
		start()
		defer func() {
			for _, n := range nodes {
				n.Close()
			}
		}()
		story.Do("root", "", domain.AccountOpened{Name: "root"})
		for range rapid.IntRange(10, 60).Draw(rt, "records") {
			f := story.RandomFact(rt)
			if f == nil {
				continue
			}
			pending := nodes[0].Expect(f.ID)
			if rapid.IntRange(0, 9).Draw(rt, "cut") == 0 {
				nodes[1].link.Cut()
			}
			seq := story.Append(f)
			facts++
			seen[f.Event.Type()]++
			out, err := pending.Wait(within(t))
			want := projections.Outcome{Seq: seq, Void: story.Model.Void[seq], SecretLost: story.Model.Lost[seq]}
			if err != nil || out != want {
				rt.Fatalf("%s came to %+v, %v; want %+v", f.Event.Type(), out, err, want)
			}
			for _, n := range nodes {
				n.agrees(rt, story.Model)
			}
		}
		voids += len(story.Model.Void)
		lost += len(story.Model.Lost)
		start()
		nodes[2].agrees(rt, story.Model)
		nodes[2].tells(rt, story)
	})
	t.Logf("%v", seen)
}

type node struct {
	*projections.Projection
	link *projectionstest.Link
	seen tally
}

// tally counts what was compared.
type tally map[string]int

// note counts a check: what it was of, and how it ended.
func (c tally) note(s *domain.State, d domain.Decision) {
	c[string(d.Verdict)]++
	refused := d.Verdict == domain.WrongAddress || d.Verdict == domain.OutsideHours
	switch derived, own := s.Token.Parent != nil, s.Token.Conditions != nil; {
	case derived && d.Allowed():
		c["derived: granted"]++
	case derived && d.Ancestor != "":
		c["derived: refused by an ancestor"]++
		if refused {
			c["an ancestor's conditions: refused"]++
		}
		if !s.Token.Parent.IsOf(s.Ancestors[0]) && !s.Ancestors[0].Revoked {
			c["under a re-issued ancestor"]++
		}
	case own && d.Allowed():
		c["conditions: granted"]++
	case own && refused:
		c["conditions: refused"]++
	}
}

var needs = domaintest.Universe()

// agrees compares every answer with the model's.
func (n *node) agrees(t *rapid.T, m *projectionstest.Model) {
	ctx, cancel := context.WithTimeout(context.Background(), projectionstest.Patience)
	defer cancel()
	if err := n.Position.Wait(ctx, m.At); err != nil {
		t.Fatalf("waiting for record %d: %v; %+v", m.At, err, n.Status())
	}
	at := domain.Circumstances{Now: projectionstest.T0}
	for s := range projectionstest.SomeSecrets {
		secret := projectionstest.Secret(s)
		need := needs[(s*37+int(m.At)*11)%len(needs)]
		for i, need := range []domain.Need{need, projectionstest.ReadBucket} {
			at.From = projectionstest.SomeAddresses[(s+int(m.At)+i)%len(projectionstest.SomeAddresses)]
			want, owner, stands := m.Authorize(secret.Digest(), need, at)
			got, bearer, err := n.check(ctx, secret, need, at.From)
			if err != nil || got.Verdict != want.Verdict || fmt.Sprint(got.Grant) != fmt.Sprint(want.Grant) || got.Ancestor != want.Ancestor || got.At != m.At {
				t.Fatalf("at %d secret %d, %v, from %v: got %+v, %v; want %+v", m.At, s, need, at.From, got, err, want)
			}
			if text(got.Token) != text(owner) || bearer.Verdict != stands || text(bearer.Token) != text(owner) {
				t.Fatalf("at %d secret %d is of token %s, %s by %s; want %s, %s", m.At, s, text(got.Token), bearer.Verdict, text(bearer.Token), text(owner), stands)
			}
			if owner == nil {
				continue
			}
			state := m.State(owner.Account, owner.ID)
			n.seen.note(&state, got.Decision)
			if line := m.Lines[eventstore.TokenSubject(owner.Account, owner.ID)]; owner.Parent != nil && !slices.Equal(got.Ancestors, line) {
				t.Fatalf("at %d secret %d is of a token derived from %v; want %v", m.At, s, got.Ancestors, line)
			}
		}
	}
	n.agreesOnTokens(t, m)
	for id, account := range m.Accounts {
		if state, last := n.Directory.State(domain.Target{Account: id}); state.Account != account || last != m.Last[eventstore.AccountSubject(id)] {
			t.Fatalf("at %d account %s: got %+v after %d; want %+v", m.At, id, state.Account, last, account)
		}
	}
	for _, name := range projectionstest.SomeTypes {
		want := domain.Builtin().Type(name)
		if def, ok := m.Types[name]; ok {
			want = &def
		}
		state, last := n.Directory.State(domain.Target{Account: domain.RootAccount, Type: name})
		if last != m.Last[eventstore.TypeSubject(name)] || fmt.Sprint(state.Type) != fmt.Sprint(want) {
			t.Fatalf("at %d the type %s: got %v after %d; want %v", m.At, name, state.Type, last, want)
		}
	}
}

// agreesOnTokens compares what commands and lists see of each token.
func (n *node) agreesOnTokens(t *rapid.T, m *projectionstest.Model) {
	for subject, last := range m.Last {
		tok, isToken := m.Tokens[subject]
		if !isToken {
			continue
		}
		state, got := n.Directory.State(domain.Target{Account: tok.Account, Token: tok.ID})
		if got != last || text(&state.Token) != text(&tok) || state.Account != m.Accounts[tok.Account] {
			t.Fatalf("at %d %s: got %+v after %d; want %+v after %d", m.At, subject, state, got, tok, last)
		}
		want := m.State(tok.Account, tok.ID)
		if all := n.Directory.Lineage(tok.Account, tok.ID); !sameTokens(state.Ancestors, want.Ancestors) || !sameTokens(all[1:], want.Ancestors) || !sameTokens(all[:1], []*domain.Token{&tok}) {
			t.Fatalf("at %d the ancestors of %s are %v, and %v; want %v", m.At, subject, state.Ancestors, all, want.Ancestors)
		}
		if last := n.Directory.LastManager(tok.Account, tok.ID, projectionstest.T0); last != m.LastManager(tok.Account, tok.ID, projectionstest.T0) {
			t.Fatalf("at %d: is %s the last that manages? got %v", m.At, subject, last)
		}
		children, _, _ := n.Directory.Tokens(tok.Account, projections.Filter{Kind: projections.AnyKind, Lineage: tok.ID}, 0, 100)
		for _, c := range m.Tokens {
			is := slices.ContainsFunc(children, func(t *domain.Token) bool { return t.ID == c.ID })
			below := c.Account == tok.Account && slices.Contains(m.Lines[eventstore.TokenSubject(c.Account, c.ID)], tok.ID)
			if c.Account == tok.Account && !c.Revoked && is != below {
				t.Fatalf("at %d: is %s in the lineage of %s? got %v", m.At, c.ID, subject, is)
			}
		}
	}
}

// text is all of a token, what it points to included.
func text(t *domain.Token) string {
	if t == nil {
		return "nobody"
	}
	plain := *t
	plain.Parent, plain.Conditions, plain.Secrets = nil, nil, nil
	parts := []any{plain}
	if t.Parent != nil {
		parts = append(parts, "from", *t.Parent)
	}
	if c := t.Conditions; c != nil {
		parts = append(parts, "if", c.Allow, c.Deny)
		if c.Window != nil {
			parts = append(parts, c.Window.From, c.Window.To, c.Window.Zone)
		}
	}
	for _, h := range t.Secrets {
		parts = append(parts, h.Digest, h.Until, h.Retires)
		if h.Sealed != nil {
			parts = append(parts, *h.Sealed)
		}
	}
	return fmt.Sprintln(parts...)
}

func sameTokens(a, b []*domain.Token) bool {
	return slices.EqualFunc(a, b, func(a, b *domain.Token) bool { return text(a) == text(b) })
}

// check asks until the node is live: its link may just have been cut.
func (n *node) check(ctx context.Context, secret domain.Secret, need domain.Need, from netip.Addr) (projections.Answer, projections.Bearer, error) {
	for {
		a, err := n.Index.CheckFrom(secret, need, from)
		b, err2 := n.Index.Bearer(secret, from)
		if err = errors.Join(err, err2); err == nil || ctx.Err() != nil {
			return a, b, err
		}
		time.Sleep(time.Millisecond)
	}
}

// tells compares the feed, from the start, and the histories of all tokens.
func (n *node) tells(t *rapid.T, story *projectionstest.Story) {
	ctx, cancel := context.WithTimeout(context.Background(), projectionstest.Patience)
	defer cancel()
	m := story.Model
	sub, err := n.Feed.Subscribe(0)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for seq := eventstore.Seq(1); seq <= m.At; seq++ {
		e, err := sub.Next(ctx)
		if err != nil || e.Seq != seq || e.Void != m.Void[seq] || e.SecretLost != m.Lost[seq] {
			t.Fatalf("the feed brings %+v, %v; want record %d, %q, %v", e, err, seq, m.Void[seq], m.Lost[seq])
		}
	}
	for _, tok := range m.Tokens {
		entries, err := n.History(ctx, tok.Account, tok.ID, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Void != m.Void[e.Seq] || e.SecretLost != m.Lost[e.Seq] || e.Fact.Token != tok.ID {
				t.Fatalf("the history of %s has %+v; want %q, %v", tok.ID, e, m.Void[e.Seq], m.Lost[e.Seq])
			}
		}
	}
}
