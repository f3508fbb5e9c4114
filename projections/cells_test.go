package projections

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
)

// Every token is found that was added, and nothing else, however their names'
// hashes collide, and however often room is made.
func TestCellsAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type name struct {
			account int
			id      domain.TokenID
		}
		c := newCells()
		accounts := []*accountCell{newAccountCell(), newAccountCell(), newAccountCell()}
		hashes := rapid.SliceOfN(rapid.Uint64Min(1), 1, 40).Draw(t, "hashes")
		model := map[name]*tokenCell{}
		hash := func(n name) uint64 { // few, so that most names share theirs
			k, _ := strconv.Atoi(string(n.id))
			return hashes[(k+n.account)%len(hashes)]
		}
		names := rapid.Custom(func(t *rapid.T) name {
			return name{rapid.IntRange(0, 2).Draw(t, "account"), domain.TokenID(strconv.Itoa(rapid.IntRange(0, 200).Draw(t, "id")))}
		})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				if n := names.Draw(t, "name"); model[n] == nil {
					model[n] = &tokenCell{account: accounts[n.account]}
					c.add(hash(n), n.id, model[n])
				}
			},
			"reserve": func(t *rapid.T) {
				c.reserve(rapid.IntRange(0, len(c.shards)-1).Draw(t, "shard"), rapid.Uint64Range(0, 3000).Draw(t, "room"))
			},
			"": func(t *rapid.T) {
				for account := range accounts {
					for k := range 201 {
						n := name{account, domain.TokenID(strconv.Itoa(k))}
						if got := c.find(hash(n), accounts[account], n.id); got != model[n] {
							t.Fatalf("%+v is at %p, want %p", n, got, model[n])
						}
					}
				}
			},
		})
	})
}

func TestCellsHash(t *testing.T) {
	c := newCells()
	again := c.hash("a", "b")
	if c.hash("a", "b") != again || c.hash("b", "a") == again || c.hash("ab", "") == again {
		t.Error("names are not told apart, or not found again")
	}
}
