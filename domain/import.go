package domain

import (
	"math"
	"strings"
)

// MinEntropy is what a secret brought along from elsewhere has to be worth, in
// bits, by plausibleBits.
const MinEntropy = 128

// ImportSecret returns s as a secret that is brought along in clear: one of
// ours, or what ParseBearer takes and is hard to guess as far as can be seen.
// allowWeak leaves that out: it is for the operator to say. Its error has code
// "invalid" at "/secret" and never holds any part of s.
func ImportSecret(s string, allowWeak bool) (Secret, error) {
	secret, err := ParseBearer(s)
	if err != nil || strings.HasPrefix(s, secretPrefix) || allowWeak {
		return secret, err
	}
	if plausibleBits(s) < MinEntropy {
		return Secret{}, Invalid("/secret", "this is too easy to guess: by its length, its characters and the patterns in it, it is worth less than %d bits; "+
			"what would do is 32 random hex digits, a random UUID or 22 random letters and digits; the operator can allow weaker ones", MinEntropy)
	}
	return secret, nil
}

// plausibleBits estimates how many random bits s could be worth: the number of
// its characters times the bits of one. It is a bound on carelessness, not a
// proof: no text shows that it was random.
//
// The bits of one are those of the smallest alphabet that s keeps to: digits
// (10), hex digits of one case (16), letters of one case (26), with digits (36),
// letters of both cases, with digits or not (62), the characters of base64 (64),
// and all printable ones (94). Where s uses less than half of the characters that it
// could, it is the number of those it uses.
//
// A character that a pattern foretells does not count: the third of a kind in a
// row (aaa), the third of a sequence (abc, 321), the end of four characters
// that stood there before, and the second of a pair of letters that is common
// in words. Chance makes such things too: up to a quarter of s is let pass.
//
// Hex digits in groups, as of a UUID, are taken without the dashes.
func plausibleBits(s string) float64 {
	s = withoutDashes(s)
	alphabet, used := alphabetOf(s)
	if 2*used < min(alphabet, len(s)) {
		alphabet = used
	}
	counted, foretold := len(s), foretoldOf(s)
	if 4*foretold > len(s) {
		counted -= foretold
	}
	return float64(counted) * math.Log2(float64(max(alphabet, 1)))
}

// withoutDashes returns hex digits without dashes, and anything else as it is.
func withoutDashes(s string) string {
	for i := range len(s) {
		if s[i] != '-' && unhex(s[i]) < 0 {
			return s
		}
	}
	return strings.ReplaceAll(s, "-", "")
}

// alphabetOf returns the size of the smallest alphabet that s keeps to, and how
// many different characters it uses.
func alphabetOf(s string) (size, used int) {
	var seen [256]bool
	var digits, lower, upper, of64, others int
	lowerHex, upperHex := true, true
	for i := range len(s) {
		c := s[i]
		if !seen[c] {
			seen[c] = true
			used++
		}
		digit := '0' <= c && c <= '9'
		lowerHex = lowerHex && (digit || 'a' <= c && c <= 'f')
		upperHex = upperHex && (digit || 'A' <= c && c <= 'F')
		switch {
		case digit:
			digits = 10
		case 'a' <= c && c <= 'z':
			lower = 26
		case 'A' <= c && c <= 'Z':
			upper = 26
		case strings.IndexByte("-_+/=", c) >= 0:
			of64 = 1
		default:
			others = 1
		}
	}
	switch {
	case others > 0:
		return 94, used
	case of64 > 0:
		return 64, used
	case (lowerHex || upperHex) && lower+upper > 0:
		return 16, used
	case lower+upper > 26:
		return 62, used
	}
	return digits + lower + upper, used
}

// foretoldOf counts the characters of s that a pattern foretells.
func foretoldOf(s string) (n int) {
	for i := 1; i < len(s); i++ {
		step := int(s[i]) - int(s[i-1])
		switch {
		case i >= 2 && step == int(s[i-1])-int(s[i-2]) && -1 <= step && step <= 1,
			i >= 4 && strings.Contains(s[:i], s[i-3:i+1]),
			commonPair(s[i-1], s[i]):
			n++
		}
	}
	return n
}

// commonPairs are the pairs of letters that stand most often in English words,
// in two of three places there, and in one of ten of random letters.
const commonPairs = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le " +
	"ve co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur wo rd pa ss sw et ee"

func commonPair(a, b byte) bool {
	a, b = a|0x20, b|0x20
	if a < 'a' || a > 'z' || b < 'a' || b > 'z' {
		return false
	}
	return strings.Contains(commonPairs, string([]byte{a, b}))
}
