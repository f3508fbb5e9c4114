package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/wire"
)

func newReady() *cobra.Command {
	var server string
	var timeout time.Duration
	var out output
	c := &cobra.Command{
		Use: "ready", Short: "Ask whether a server answers checks, for health checks", Args: cobra.NoArgs,
		Long: `Asks the server's /readyz and prints one line. Exits 0 when the server answers
checks, and 1 when it doesn't, or doesn't yet, or can't be reached. No credential
is needed.

It is meant for health checks where there is no shell or HTTP client, as in
hallpass's own image.`,
		Example: `  hallpass ready
  hallpass ready --server http://10.0.0.7:8080 --timeout 1s`,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := askReady(c, server, timeout)
			if err != nil {
				return err
			}
			err = out.print(c.OutOrStdout(), r, func(t *table) { t.row(readiness(r)) })
			if err == nil && !r.Ready {
				return exitCode(exitFailed)
			}
			return err
		},
	}
	c.Flags().StringVar(&server, "server", "", "the server's address (default "+defaultServer+", or that of 'hallpass login')")
	c.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long the server has to answer")
	out.flags(c)
	return c
}

func askReady(c *cobra.Command, server string, timeout time.Duration) (wire.Ready, error) {
	if timeout <= 0 {
		return wire.Ready{}, usagef("--timeout must be above 0")
	}
	if server == "" {
		saved, err := readLogin()
		if err != nil {
			return wire.Ready{}, err
		}
		server = cmp.Or(saved.Server, defaultServer)
	}
	cl, err := newClient(server, "", timeout)
	if err != nil {
		return wire.Ready{}, err
	}
	return cl.Ready(c.Context())
}

// readiness is the one line that says it.
func readiness(r wire.Ready) string {
	if r.Ready {
		return fmt.Sprintf("ready (revision %d)", r.Applied)
	}
	return fmt.Sprintf("not ready (%s): %s", r.Phase, cmp.Or(r.WaitingFor, "it doesn't say what it waits for"))
}
