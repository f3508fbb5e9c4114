package domain_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hallpass/domain"
)

func TestSecretsBroughtAlong(t *testing.T) {
	const why = "too easy to guess"
	ours := domain.NewSecret([32]byte{1}).Reveal()
	for _, c := range []struct{ secret, want string }{
		{"e8f5170c-877b-416f-b70f-4b09772f8e2d", ""}, // the API key of CrafterCMS Profile's examples
		{"E8F5170C-877B-416F-B70F-4B09772F8E2D", ""},
		{"e8f5170c877b416fb70f4b09772f8e2d", ""},
		{"d41d8cd98f00b204e9800998ecf8427e", ""},
		{"6ba7b810-9dad-11d1-80b4-00c04fd430c8", ""},
		{"kZ8qX2vLw0RtY5uNbM3cJg", ""},
		{"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jkmpOd2Wv7cXq1", ""},
		{ours, ""},

		{"", "1 to 4096"},
		{strings.Repeat("a1B2", 1025), "1 to 4096"},
		{"with a space e8f5170c877b416fb70f4b09772f8e2d", "printable"},
		{"e8f5170c877b416fb70f4b09772f8e2d\n", "printable"},
		{"é8f5170c877b416fb70f4b09772f8e2d00", "printable"},
		{"hp_", "52 characters"},
		{"hp_e8f5170c877b416fb70f4b09772f8e2de8f5170c", "52 characters"},
		{ours[:51] + "!", "letters and digits"},
		{ours[:50] + "zz", "check characters"},

		{"secret", why},
		{"password123", why},
		{"correcthorsebatterystaple", why},
		{"CorrectHorseBatteryStaple2024!", why},
		{"thisisaverylongpassphrasethatiseasytoremember", why},
		{"my-application-production-access-token", why},
		{strings.Repeat("a", 64), why},
		{strings.Repeat("-", 64), why},
		{strings.Repeat("ab", 40), why},
		{strings.Repeat("0123456789abcdef", 4), why},
		{strings.Repeat("kZ8qX2vL", 8), why},
		{"abcdefghijklmnopqrstuvwxyz0123456789", why},
		{"00000000-0000-0000-0000-000000000000", why},
		{"00000000-0000-0000-0000-000000000001", why},
		{"12345678-1234-1234-1234-123456789012", why},
		{"e8f5170c877b416fb70f4b09772f8e2", why},    // 31 hex digits
		{"e8f5170c877b416fe8f5170c877b416f", why},   // half as many, twice
		{"31415926535897932384626433832795", why},   // 32 digits
		{"e8f5170c-877b-416f-b70f-4b09772f8e", why}, // cut
		{"11111111111111112222222222222222", why},
		{"deadbeefdeadbeefdeadbeefdeadbeef", why},
	} {
		s, err := domain.ImportSecret(c.secret, false)
		if c.want == "" {
			if err != nil || s.Reveal() != c.secret {
				t.Errorf("%q: %v", c.secret, err)
			}
			continue
		}
		var e *domain.Error
		if !errors.As(err, &e) || e.Code != domain.CodeInvalid || e.Fields[0].Pointer != "/secret" || !s.IsZero() {
			t.Errorf("%q: got %v", c.secret, err)
		} else if !strings.Contains(e.Detail, c.want) {
			t.Errorf("%q: got %q, want …%s…", c.secret, e.Detail, c.want)
		} else if len(c.secret) > 10 && strings.Contains(e.Detail, c.secret[3:10]) {
			t.Errorf("%q: the error repeats the secret", c.secret)
		}
		if weak, err := domain.ImportSecret(c.secret, true); (err == nil) != (c.want == why) || err == nil && weak.Reveal() != c.secret {
			t.Errorf("%q, allowed to be weak: got error %v", c.secret, err)
		}
	}
}

// Of ten thousand random secrets of the least length of each usual form, next
// to none is refused. The source is seeded: the figures are always the same.
func TestRandomSecretsAreTaken(t *testing.T) {
	var random *rand.Rand
	bytes := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	of := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	const digits, lower = "0123456789", "abcdefghijklmnopqrstuvwxyz"
	for form, c := range map[string]struct {
		draw func() string
		most int // refused, of ten thousand
	}{
		"32 hex digits": {func() string { return hex.EncodeToString(bytes(16)) }, 5},
		"64 hex digits": {func() string { return hex.EncodeToString(bytes(32)) }, 0},
		"UUID": {func() string {
			b := bytes(16)
			b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
			return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
		}, 5},
		"22 letters and digits":       {func() string { return of(digits+lower+strings.ToUpper(lower), 22) }, 60},
		"25 small letters and digits": {func() string { return of(digits+lower, 25) }, 30},
		"40 small letters":            {func() string { return of(lower, 40) }, 30},
		"43 digits":                   {func() string { return of(digits, 43) }, 5},
		"32 bytes in base64":          {func() string { return base64.RawURLEncoding.EncodeToString(bytes(32)) }, 0},
	} {
		random = rand.New(rand.NewPCG(1, 2))
		refused := 0
		for range 10_000 {
			if _, err := domain.ImportSecret(c.draw(), false); err != nil {
				refused++
			}
		}
		t.Logf("%s: %d of 10,000 refused", form, refused)
		if refused > c.most {
			t.Errorf("%s: %d of 10,000 refused, want at most %d", form, refused, c.most)
		}
	}
}

// What is taken was never short of what could hold so much, and is taken in
// the very form in which bearers present it.
func TestWhatIsBroughtAlongCanBePresented(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringMatching(`[!-~]{0,60}`), rapid.String()).Draw(t, "secret")
		got, err := domain.ImportSecret(s, rapid.Bool().Draw(t, "weak"))
		if err != nil {
			return
		}
		presented, err := domain.ParseBearer(s)
		if err != nil || presented != got {
			t.Fatalf("a bearer can't present it: %v", err)
		}
		if _, err := domain.ImportSecret(s, false); err == nil && len(s) < 20 {
			t.Fatal("too short for 128 bits")
		}
	})
}
