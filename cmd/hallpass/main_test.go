package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"hallpass/eventstore/eventstoretest"
)

// TestMain lets the test binary be the programs that scripts run: hallpass
// itself, and a small HTTP client that shows status and headers.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"hallpass": func() { os.Exit(run(context.Background(), os.Args[1:])) },
		"http":     httpMain,
		"curl":     curlMain,
	})
}

// TestScripts runs the stories in testdata/script against the real binary. The
// commands that they use beside testscript's own are in script_test.go.
func TestScripts(t *testing.T) {
	// One NATS server serves all scripts that want one, each in its own account.
	external := sync.OnceValue(func() *eventstoretest.Servers { return eventstoretest.StartServers(t, 1) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                scriptCommands(external),
		Setup:               setupScript,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// natsURL gives the script a stream of its own on an external NATS server.
func natsURL(external func() *eventstoretest.Servers) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		cfg := external().Account()
		u, err := url.Parse(cfg.URL)
		ts.Check(err)
		u.User = url.UserPassword(cfg.User, cfg.Password)
		ts.Setenv("HALLPASS_NATS_URL", u.String())
		ts.Setenv("HALLPASS_MAX_BYTES", fmt.Sprint(cfg.MaxBytes))
	}
}
