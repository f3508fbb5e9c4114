package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"hallpass/api/client"
)

// Exit codes.
const (
	exitFailed  = 1 // refused by the server, or it couldn't be done
	exitUsage   = 2 // the command line is wrong
	exitRefused = 3 // "check": the answer is no
)

func main() { os.Exit(run(context.Background(), os.Args[1:])) }

// run is one call of hallpass from its arguments to its exit code.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "hallpass: "+sentence(err))
	if errors.As(err, new(*usageError)) {
		return exitUsage
	}
	return exitFailed
}

// exitCode is an outcome that was said already.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// usageError is a command line that can't be run.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// sentence is err for people, with a hint what to do where there is one. It
// holds no control characters, whoever wrote it.
func sentence(err error) string {
	s := strings.ReplaceAll(err.Error(), "\n", "; ")
	var p *client.Problem
	if !errors.As(err, &p) {
		return printable(s)
	}
	if hint := hints[p.Code]; hint != "" {
		s += ": " + hint
	}
	if p.RequestID != "" && p.Status >= 500 {
		s += " (request " + p.RequestID + ")"
	}
	return printable(s)
}

// hints say, by a problem's code, what to try.
var hints = map[string]string{
	"missing_token":       "give one with --token or HALLPASS_TOKEN, or run 'hallpass login'",
	"invalid_token":       "give another with --token or HALLPASS_TOKEN, or run 'hallpass login'",
	"forbidden":           "'hallpass token show' without a name shows what your own token may do",
	"precondition_failed": "look at it again with 'hallpass token show', then give its revision",
	"immutable":           "revoke it and issue it again under the same id",
	"key_missing":         "'hallpass keyring --help' says where keys come from",
	"not_revealable":      "issue such a token with --revealable",
	"not_ready":           "try again shortly",
	"stale":               "try again shortly",
	"unknown":             "look whether it happened before you try again",
	"not_fenced":          "run the same command again, for a receipt",
	"replica_damaged":     "look whether it happened before you try again",
}
