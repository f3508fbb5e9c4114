//go:build !hallpass_sabotage

package projections

// without tells whether a safeguard is switched off. It never is: the build
// tag hallpass_sabotage makes a package in which tests can do so, to see that
// the stories notice it.
func without(safeguard) bool { return false }
