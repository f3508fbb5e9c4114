package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
)

// TestBenches runs each benchmark in small and reads its JSON. What it prints
// is no measurement.
func TestBenches(t *testing.T) {
	for _, args := range [][]string{
		{"check", "--tokens", "50", "--clients", "2", "--for", "20ms"},
		{"replay", "--events", "500"},
		{"commands", "--commands", "20", "--concurrent", "1,4"},
	} {
		t.Run(args[0], func(t *testing.T) {
			var out bytes.Buffer
			root := newRoot()
			root.SetOut(&out)
			root.SetArgs(slices.Concat([]string{"bench"}, args, []string{"--rounds", "1", "--dir", t.TempDir(), "-o", "json"}))
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got struct{ Measurements []measurement }
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v:\n%s", err, out.String())
			}
			if len(got.Measurements) == 0 {
				t.Fatal("nothing was measured")
			}
			for _, m := range got.Measurements {
				if m.Rate <= 0 || m.Bare <= 0 || m.Ratio <= 0 {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}

// The records of a benchmark are such that a node applies them all.
func TestSampleIsApplied(t *testing.T) {
	n, err := openBench(t.Context(), eventstore.EmbedConfig{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	s := newSample()
	if err := s.fill(t.Context(), n, func() bool { return s.tokens >= 300 }); err != nil {
		t.Fatal(err)
	}
	if err := n.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range s.tokens {
		state, last := n.proj.Directory.State(domain.Target{Account: benchAccount, Token: tokenID(i)})
		if state.Token.Generation != 1 || last != s.last[i] {
			t.Fatalf("token %d: generation %d, last %d, want 1, %d", i, state.Token.Generation, last, s.last[i])
		}
		entries, err := n.proj.History(t.Context(), benchAccount, tokenID(i), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Void != "" {
				t.Fatalf("token %d: record %d is void: %s", i, e.Seq, e.Void)
			}
		}
		if len(entries) > 1 {
			changed++
		}
	}
	if changed == 0 {
		t.Fatal("no token was changed after its issue")
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{5, 1, 9, 3, 2}); m != 3 {
		t.Fatal(m)
	}
}
