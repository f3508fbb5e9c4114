package projections_test

import (
	"context"
	"fmt"
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
	rapid.Check(t, func(rt *rapid.T) {
		log := eventstore.NewMemory(eventstore.MemoryConfig{Now: projectionstest.T0.Time})
		story := projectionstest.NewStory(t, log)
		cfg := projections.Config{Hook: unleased, Now: func() domain.Instant { return projectionstest.T0 }, Logger: quiet}
		var nodes []*node
		start := func() {
			link := projectionstest.NewLink(log)
			nodes = append(nodes, &node{projections.Open(link, cfg), link})
		}
		start()
		start()
		defer func() {
			for _, n := range nodes {
				n.Close()
			}
		}()
		story.Do("root", "", domain.AccountOpened{Name: "root"})
		for range rapid.IntRange(1, 40).Draw(rt, "records") {
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
	if facts < 500 || voids < 20 || lost < 20 {
		t.Errorf("%d facts, %d void and %d lost secrets are too few to show anything", facts, voids, lost)
	}
}

type node struct {
	*projections.Projection
	link *projectionstest.Link
}

var needs = domaintest.Universe()

// agrees compares every answer with the model's.
func (n *node) agrees(t *rapid.T, m *projectionstest.Model) {
	ctx, cancel := context.WithTimeout(context.Background(), projectionstest.Patience)
	defer cancel()
	if err := n.Position.Wait(ctx, m.At); err != nil {
		t.Fatalf("waiting for record %d: %v; %+v", m.At, err, n.Status())
	}
	now := projectionstest.T0
	for s := range projectionstest.SomeSecrets {
		secret := projectionstest.Secret(s)
		need := needs[(s*37+int(m.At)*11)%len(needs)]
		for _, need := range []domain.Need{need, projectionstest.ReadBucket} {
			want, owner := m.Authorize(secret.Digest(), need, now)
			got, err := n.check(ctx, secret, need)
			if err != nil || got.Verdict != want.Verdict || fmt.Sprint(got.Grant) != fmt.Sprint(want.Grant) || got.At != m.At {
				t.Fatalf("at %d secret %d, %v: got %+v, %v; want %+v", m.At, s, need, got, err, want)
			}
			if fmt.Sprint(got.Token) != fmt.Sprint(owner) {
				t.Fatalf("at %d secret %d is of token %v; want %v", m.At, s, got.Token, owner)
			}
		}
	}
	for subject, last := range m.Last {
		tok, isToken := m.Tokens[subject]
		if !isToken {
			continue
		}
		state, got := n.Directory.State(tok.Account, tok.ID)
		if got != last || fmt.Sprint(state.Token) != fmt.Sprint(tok) || state.Account != m.Accounts[tok.Account] {
			t.Fatalf("at %d %s: got %+v after %d; want %+v after %d", m.At, subject, state, got, tok, last)
		}
	}
	for id, account := range m.Accounts {
		if state, last := n.Directory.State(id, ""); state.Account != account || last != m.Last[eventstore.AccountSubject(id)] {
			t.Fatalf("at %d account %s: got %+v after %d; want %+v", m.At, id, state.Account, last, account)
		}
	}
}

// check asks until the node is live: its link may just have been cut.
func (n *node) check(ctx context.Context, secret domain.Secret, need domain.Need) (projections.Answer, error) {
	for {
		a, err := n.Index.Check(secret, need)
		if err == nil || ctx.Err() != nil {
			return a, err
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
