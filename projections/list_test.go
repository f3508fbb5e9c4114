package projections_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"hallpass/domain"
	"hallpass/projections"
	"hallpass/projections/projectionstest"
)

// pages lists all tokens that fit, some at a time.
func pages(t *testing.T, n *projectionstest.Node, f projections.Filter, limit int) (ids []domain.TokenID) {
	t.Helper()
	var at projections.Cursor
	for {
		items, next, more := n.Directory.Tokens("acme", f, at, limit)
		for _, tok := range items {
			ids = append(ids, tok.ID)
		}
		if len(items) > limit || more && len(items) < limit {
			t.Fatalf("a page of at most %d has %d, and more: %v", limit, len(items), more)
		}
		if !more {
			return ids
		}
		var err error
		if at, err = projections.ParseCursor(next.String()); err != nil || at != next {
			t.Fatalf("cursor %q reads as %v, %v", next, at, err)
		}
	}
}

func TestListsStandInCreationOrderAndFilter(t *testing.T) {
	story, n := acme(t)
	issue := func(id domain.TokenID, change func(*domain.TokenIssued)) {
		e := projectionstest.Issued(1, int(id[0]))
		change(&e)
		story.Do("acme", id, e)
	}
	issue("z", func(e *domain.TokenIssued) { e.Name = "thermo z"; e.ExpiresAt = projectionstest.T0 + 5 })
	issue("a", func(e *domain.TokenIssued) { e.Name = "thermo a"; e.Tags = []domain.Tag{{Key: "site", Value: "north"}} })
	issue("m", func(e *domain.TokenIssued) { e.Enabled = false; e.Tags = []domain.Tag{{Key: "site", Value: "south"}} })
	issue("r", func(*domain.TokenIssued) {})
	issue("k", func(e *domain.TokenIssued) { e.ExpiresAt = projectionstest.T0 + 9 })
	story.Do("acme", "r", domain.TokenRevoked{Reason: policy})
	story.Do("acme", "z", domain.TokenRevoked{Reason: policy})
	again := projectionstest.Issued(2, 200)
	again.Name, again.ExpiresAt = "thermo z", projectionstest.T0+5
	story.Do("acme", "z", again) // keeps its place
	early := story.Fact("acme", "z", nil).Time
	issue("s", func(e *domain.TokenIssued) { e.Kind = domain.KindSession })
	derived := func(id, parent domain.TokenID, generation uint64, origin string) {
		e := projectionstest.Issued(1, 100+int(id[0]))
		e.Parent, e.Origin = &domain.Link{Token: parent, Generation: generation}, origin
		f := story.Fact("acme", id, e)
		f.Actor = story.By("acme", parent)
		story.Append(f)
	}
	derived("c", "z", 2, "crafter")
	derived("d", "c", 1, "")
	derived("e", "d", 1, "crafter")
	derived("f", "z", 2, "")
	story.Do("acme", "c", domain.TokenRevoked{Reason: policy})
	c := projectionstest.Issued(2, 250)
	story.Do("acme", "c", c) // derived from nothing now; d is still from the one before
	n.WaitLive(story.Do("acme", "d", domain.TokenEdited{}))

	yes, no := true, false
	for name, tt := range map[string]struct {
		filter projections.Filter
		want   []domain.TokenID
	}{
		"neither revoked nor a session": {projections.Filter{}, []domain.TokenID{"z", "a", "m", "k", "c", "d", "e", "f"}},

		"of the api":      {projections.Filter{Kind: domain.KindAPI, IssuedBefore: early}, []domain.TokenID{"z", "a", "m", "k"}},
		"sessions":        {projections.Filter{Kind: domain.KindSession}, []domain.TokenID{"s"}},
		"of any kind":     {projections.Filter{Kind: projections.AnyKind}, []domain.TokenID{"z", "a", "m", "k", "s", "c", "d", "e", "f"}},
		"some ids":        {projections.Filter{IDs: []domain.TokenID{"f", "a", "r", "s", "x", "a"}}, []domain.TokenID{"a", "f"}},
		"ids, of any":     {projections.Filter{IDs: []domain.TokenID{"s", "a"}, Kind: projections.AnyKind}, []domain.TokenID{"a", "s"}},
		"ids, revoked":    {projections.Filter{IDs: []domain.TokenID{"r", "a"}, State: "revoked"}, []domain.TokenID{"r"}},
		"no such ids":     {projections.Filter{IDs: []domain.TokenID{"x"}}, nil},
		"children":        {projections.Filter{Parent: "z"}, []domain.TokenID{"f"}},
		"once children":   {projections.Filter{Parent: "c"}, []domain.TokenID{"d"}},
		"descendants":     {projections.Filter{Lineage: "z"}, []domain.TokenID{"d", "e", "f"}},
		"of one between":  {projections.Filter{Lineage: "d"}, []domain.TokenID{"e"}},
		"of a leaf":       {projections.Filter{Lineage: "e"}, nil},
		"of a door":       {projections.Filter{Origin: "crafter"}, []domain.TokenID{"e"}},
		"by an issuer":    {projections.Filter{IssuedBy: domain.Actor{Account: "acme", Token: "z"}}, []domain.TokenID{"f"}},
		"in a generation": {projections.Filter{IssuedBy: domain.Actor{Account: "acme", Token: "c", Generation: 1}}, []domain.TokenID{"d"}},
		"in another":      {projections.Filter{IssuedBy: domain.Actor{Account: "acme", Token: "c", Generation: 2}}, nil},
		"issued before":   {projections.Filter{IssuedBefore: early}, []domain.TokenID{"z", "a", "m", "k"}},

		"name prefix":     {projections.Filter{Name: "thermo"}, []domain.TokenID{"z", "a"}},
		"tag key":         {projections.Filter{TagKey: "site"}, []domain.TokenID{"a", "m"}},
		"tag value":       {projections.Filter{TagKey: "site", TagValue: "south", HasTagValue: true}, []domain.TokenID{"m"}},
		"empty tag value": {projections.Filter{TagKey: "site", HasTagValue: true}, nil},
		"enabled":         {projections.Filter{Enabled: &yes, IssuedBefore: early}, []domain.TokenID{"z", "a", "k"}},
		"not enabled":     {projections.Filter{Enabled: &no}, []domain.TokenID{"m"}},
		"expires before":  {projections.Filter{ExpiresBefore: projectionstest.T0 + 9}, []domain.TokenID{"z"}},
		"active":          {projections.Filter{State: "active", IssuedBefore: early}, []domain.TokenID{"z", "a", "k"}},
		"disabled":        {projections.Filter{State: "disabled"}, []domain.TokenID{"m"}},
		"revoked":         {projections.Filter{State: "revoked"}, []domain.TokenID{"r"}},
		"no such state":   {projections.Filter{State: "lost"}, nil},
		"two at once":     {projections.Filter{Name: "thermo", TagKey: "site"}, []domain.TokenID{"a"}},
	} {
		for limit := 1; limit <= 6; limit++ {
			if got := pages(t, n, tt.filter, limit); !slices.Equal(got, tt.want) {
				t.Errorf("%s, by %d: got %v, want %v", name, limit, got, tt.want)
			}
		}
	}
	if items, _, more := n.Directory.Tokens("nobody", projections.Filter{}, 0, 10); len(items) > 0 || more {
		t.Errorf("an account that isn't there has %v", items)
	}
}

func TestAccountsStandInCreationOrder(t *testing.T) {
	story, n := acme(t)
	for _, id := range []domain.AccountID{"zeta", "alpha"} {
		story.Do(id, "", domain.AccountOpened{Name: string(id)})
	}
	void := story.Fact("ghost", "t", projectionstest.Issued(1, 1))
	void.Actor = domain.Actor{Account: "acme", Token: "nobody", Generation: 1}
	n.WaitLive(story.Append(void)) // makes no account
	first, next, more := n.Directory.Accounts(0, 2)
	if len(first) != 2 || first[0].ID != "acme" || first[1].ID != "zeta" || !more {
		t.Errorf("the first page is %v, more: %v", first, more)
	}
	rest, _, more := n.Directory.Accounts(next, 2)
	if len(rest) != 1 || rest[0].ID != "alpha" || more {
		t.Errorf("the second page is %v, more: %v", rest, more)
	}
	if _, ok := n.Directory.Account("ghost"); ok {
		t.Error("a void record made an account")
	}
	if a, ok := n.Directory.Account("zeta"); !ok || a.Name != "zeta" {
		t.Errorf("got %v, %v", a, ok)
	}
}

func TestCursorsOfOthersAreRefused(t *testing.T) {
	for _, s := range []string{"-1", "+1", "01", "A", "!", " ", "zzzzzzzzzzzzzzzzzzzzzzzz"} {
		if c, err := projections.ParseCursor(s); domain.CodeOf(err) != domain.CodeInvalid {
			t.Errorf("%q reads as %v, %v; want it refused", s, c, err)
		}
	}
	if c, err := projections.ParseCursor(""); c != 0 || err != nil {
		t.Errorf("the empty cursor reads as %v, %v; want the start", c, err)
	}
}

// Lists are read while tokens are issued, edited and revoked. Every page is in
// order, and what stood throughout is on it.
func TestListsWhileWriting(t *testing.T) {
	story, n := acme(t)
	for i := range 100 {
		story.Do("acme", domain.TokenID("old"+strconv.Itoa(i)), projectionstest.Issued(1, i))
	}
	n.WaitLive(story.Model.At)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for {
				ids := pages(t, n, projections.Filter{State: "active"}, 7)
				var old []domain.TokenID
				for _, id := range ids {
					if id[0] == 'o' {
						old = append(old, id)
					}
				}
				if len(old) != 100 || slices.Compare(ids[:100], old) != 0 {
					t.Errorf("the list begins with %v", old)
				}
				if state, _ := n.Directory.State(domain.Target{Account: "acme", Token: ids[len(ids)-1]}); state.Token.Generation == 0 {
					t.Errorf("%s is listed and not there", ids[len(ids)-1])
				}
				n.Directory.Accounts(0, 10)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 500 {
		id := domain.TokenID(fmt.Sprint("new", i))
		story.Do("acme", id, projectionstest.Issued(1, 1000+i))
		story.Do("acme", "old"+domain.TokenID(strconv.Itoa(i%100)), domain.TokenEdited{})
		if i%2 == 0 {
			story.Do("acme", id, domain.TokenRevoked{Reason: policy})
		}
	}
	n.WaitLive(story.Model.At)
	close(stop)
	all.Wait()
}
