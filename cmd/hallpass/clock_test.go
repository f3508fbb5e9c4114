package main

import (
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

// programName is the script's variable for what serve and spawn run; none is
// hallpass.
const programName = "SERVER_PROGRAM"

// testclock builds a hallpass with a clock that can be set, of which the binary
// for use knows nothing.
func testclock(ts *testscript.TestScript, _ bool, _ []string) {
	program := ts.MkAbs("hallpass-testclock")
	build := exec.Command("go", "build", "-tags", "hallpass_testclock", "-o", program, ".")
	build.Env = os.Environ()
	if out, err := build.CombinedOutput(); err != nil {
		ts.Fatalf("building it: %v\n%s", err, out)
	}
	ts.Setenv(programName, program)
}
