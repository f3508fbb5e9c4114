//go:build !hallpass_sabotage

package chaos

// Safeguards are what processes of this build can be told to do without: none.
func Safeguards() []string { return nil }
