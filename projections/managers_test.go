package projections

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hallpass/domain"
)

// managed is an account of which a test sets the tokens.
type managed struct {
	*Directory
	cell   *accountCell
	tokens []*tokenCell
}

func newManaged(tokens int) *managed {
	m := &managed{cell: newAccountCell()}
	m.Directory = &Directory{accounts: map[domain.AccountID]*accountCell{"acme": m.cell}}
	for range tokens {
		m.tokens = append(m.tokens, &tokenCell{account: m.cell})
	}
	return m
}

func managerID(n int) domain.TokenID { return domain.TokenID("t" + strconv.Itoa(n)) }

// set makes token n what change makes of a manager without an end.
func (m *managed) set(n int, change func(*domain.Token)) {
	s := &snapshot{token: domain.Token{Account: "acme", ID: managerID(n), Generation: 1, Enabled: true, Kind: domain.KindAPI}}
	s.token.Permissions.Allow = []domain.Grant{{Resource: "/", Actions: []domain.Action{"*"}}}
	change(&s.token)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[n].now.Store(s)
	m.cell.noteManager(m.tokens[n])
}

// Whatever becomes of the tokens, those are managers that manage, at any time.
func TestManagersAreThoseThatManage(t *testing.T) {
	const tokens, times = 12, 6
	rapid.Check(t, func(t *rapid.T) {
		m := newManaged(tokens)
		for range rapid.IntRange(1, 80).Draw(t, "changes") {
			m.set(rapid.IntRange(0, tokens-1).Draw(t, "token"), func(of *domain.Token) {
				of.Generation = rapid.Uint64Range(1, 2).Draw(t, "generation")
				of.ExpiresAt = domain.Instant(rapid.IntRange(0, times-1).Draw(t, "end"))
				of.Enabled = rapid.IntRange(0, 3).Draw(t, "disabled") > 0
				of.Revoked = rapid.IntRange(0, 4).Draw(t, "revoked") == 0
				if rapid.IntRange(0, 4).Draw(t, "no grant") == 0 {
					of.Permissions.Allow = nil
				}
			})
			for now := range domain.Instant(times + 1) {
				var want []domain.TokenID
				for _, c := range m.tokens {
					if is := c.token(); is.Manages(now) {
						want = append(want, is.ID)
					}
				}
				got := m.Managers("acme", now)
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("at %d the managers are %q, want %q", now, got, want)
				}
				for n := range tokens {
					id := managerID(n)
					others := slices.DeleteFunc(slices.Clone(want), func(of domain.TokenID) bool { return of == id })
					if last := m.LastManager("acme", id, now); last != (len(others) == 0) {
						t.Fatalf("at %d the last manager but for %s: %v, want it with %q", now, id, last, want)
					}
				}
			}
		}
	})
}

func TestAnAccountThatIsNotThereHasNoManagers(t *testing.T) {
	m := newManaged(0)
	for _, account := range []domain.AccountID{"acme", "other"} {
		if got := m.Managers(account, 1); got != nil || !m.LastManager(account, "t", 1) {
			t.Errorf("%s has %q", account, got)
		}
	}
}

// Tokens past their end cost who asks for managers next to nothing: looking at
// 20,000 of them takes thousands of times as long as at none.
func TestManagersPastTheirEndAreNotLookedAt(t *testing.T) {
	const asks, most = 500, 100 // times as long
	took := map[int]time.Duration{}
	for _, ended := range []int{0, 20_000} {
		m := newManaged(ended + 2)
		for n := range ended {
			m.set(n, func(of *domain.Token) { of.ExpiresAt = domain.Instant(1 + n%1000) })
		}
		for _, live := range []int{0, 1, 2} {
			for n := range live {
				m.set(ended+n, func(of *domain.Token) { of.ExpiresAt = domain.Instant(n * 5000) })
			}
			began := time.Now()
			for range asks {
				if last := m.LastManager("acme", managerID(ended), 2000); last != (live < 2) {
					t.Fatalf("of %d that live: %v", live, last)
				}
				if got := m.Managers("acme", 2000); len(got) != live {
					t.Fatalf("of %d that live: %q", live, got)
				}
			}
			took[ended] += time.Since(began)
		}
	}
	if took[20_000] > most*max(took[0], 2*time.Millisecond) { // a pause is no matter
		t.Errorf("beside 20,000 that have ended it takes %v, alone %v", took[20_000], took[0])
	}
}

// Who walks the managers holds up no change of them, and sees them as they were.
func TestWhoWalksManagersHoldsNoLock(t *testing.T) {
	m := newManaged(100)
	for n := range m.tokens {
		m.set(n, func(*domain.Token) {})
	}
	seen := 0
	m.managers("acme").live(0, func(id domain.TokenID) bool {
		seen++
		for n := range m.tokens {
			m.set(n, func(of *domain.Token) { of.Revoked = true })
		}
		return true
	})
	if left := m.Managers("acme", 0); seen != 100 || left != nil {
		t.Errorf("saw %d; now there are %q", seen, left)
	}
}
