package domaintest

import (
	"testing"

	"pgregory.net/rapid"
)

// CheckUntil checks a property in rounds of rapid.Check until missing answers
// "": what one round of random draws reaches is luck, and a property that met
// too few of the cases it is about has shown nothing. If ten rounds don't reach
// them, the draws don't lead there any more, and the test fails.
func CheckUntil(t *testing.T, missing func() string, property func(*rapid.T)) {
	t.Helper()
	for range 10 {
		rapid.Check(t, property)
		if missing() == "" {
			return
		}
	}
	t.Errorf("%s: too little to show anything", missing())
}
