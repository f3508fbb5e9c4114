//go:build hallpass_sabotage

package main

import (
	"fmt"
	"os"

	"hallpass/projections"
)

// init switches off the safeguard that HALLPASS_SABOTAGE names: this build is
// for tests that show that its absence is noticed.
func init() {
	if name := os.Getenv("HALLPASS_SABOTAGE"); !projections.Sabotage(name) {
		fmt.Fprintf(os.Stderr, "hallpass: HALLPASS_SABOTAGE is one of %q\n", projections.Safeguards())
		os.Exit(exitUsage)
	}
}
