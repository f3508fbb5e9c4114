package domain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
)

func TestSecretShape(t *testing.T) {
	zero := domain.NewSecret([32]byte{}).Reveal()
	if want := "hp_" + strings.Repeat("0", 43); !strings.HasPrefix(zero, want) || len(zero) != 52 {
		t.Errorf("got %s, want %s and six check characters", zero, want)
	}
	if sum := zero[46:]; sum != "2CZclj" { // CRC-32 of 43 zeros, in base62
		t.Errorf("got check characters %s", sum)
	}
}

func TestSecretsSurviveParsingAndNothingElseDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := domain.NewSecret([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "bits")))
		back, err := domain.ParseSecret(s.Reveal())
		if err != nil || back.Digest() != s.Digest() {
			t.Fatalf("a fresh secret does not parse: %v", err)
		}
		i := rapid.IntRange(3, 51).Draw(t, "at")
		c := rapid.SampledFrom([]byte("0Az-_ \x00")).Draw(t, "instead")
		broken := []byte(s.Reveal())
		if broken[i] == c {
			return
		}
		broken[i] = c
		if _, err := domain.ParseSecret(string(broken)); err == nil {
			t.Fatal("a mistyped secret parses")
		} else if strings.Contains(err.Error(), string(broken[5:20])) {
			t.Fatal("the error repeats the secret")
		}
	})
}

func TestSecretsNeverPrint(t *testing.T) {
	s := domain.NewSecret([32]byte{1, 2, 3})
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S domain.Secret }{s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S domain.Secret }{s})
	asJSON, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		log.String(), string(asJSON), s.String(), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", struct{ S domain.Secret }{s}, []domain.Secret{s}, &struct{ S *domain.Secret }{&s}),
	} {
		if strings.Contains(out, s.Reveal()[3:20]) || strings.Contains(out, "hp_") {
			t.Errorf("printed: %s", out)
		}
	}
}

// ParseSecret never panics, and what it takes is exactly what NewSecret makes.
func FuzzSecret(f *testing.F) {
	f.Add(domain.NewSecret([32]byte{9}).Reveal())
	f.Add("hp_")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := domain.ParseSecret(s)
		if err != nil {
			if got.Reveal() != "" {
				t.Fatal("an error, and a secret")
			}
			return
		}
		if got.Reveal() != s || len(s) != 52 || strings.Trim(s[3:], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
			t.Fatalf("took %q", s)
		}
	})
}
