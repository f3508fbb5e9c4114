//go:build hallpass_sabotage

package chaos

import "hallpass/projections"

// Safeguards are what processes of this build can be told to do without.
func Safeguards() []string { return projections.Safeguards() }
