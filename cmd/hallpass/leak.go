package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/client"
)

func newLeak() *cobra.Command {
	var server string
	var timeout time.Duration
	var out output
	c := &cobra.Command{
		Use: "leak [FILE]", Short: "Report secrets that were found where they should not be", Args: cobra.MaximumNArgs(1),
		Long: `Reads secrets, one a line, from a file or from stdin, and reports them to the
server: the token of each that works is revoked, with reason compromised. It takes
no credential: whoever holds a secret may end it. It is done when no node lets any
of them in.

Prints, line by line of the input and without the secret, whether it was revoked,
or unknown: then it did not work before either.`,
		Example: `  grep -rhoE 'hp_[0-9A-Za-z]{49}' . | hallpass leak --server https://hallpass.example.com`,
		RunE: func(c *cobra.Command, args []string) error {
			secrets, err := readSecrets(c.InOrStdin(), args)
			if err != nil {
				return err
			}
			if server == "" {
				saved, err := readLogin()
				if err != nil {
					return err
				}
				server = cmp.Or(saved.Server, defaultServer)
			}
			cl, err := newClient(server, "", timeout)
			if err != nil {
				return err
			}
			return reportLeaks(c, cl, &out, secrets)
		},
	}
	c.Flags().StringVar(&server, "server", "", "the server's address (default "+defaultServer+", or that of 'hallpass login')")
	c.Flags().DurationVar(&timeout, "timeout", 60*time.Second, "how long one request may take")
	out.flags(c)
	return c
}

// leakLine is what became of one line of the input.
type leakLine struct {
	Line   int    `json:"line"`
	Result string `json:"result"`
}

// foundSecret is a line of the input that is not empty.
type foundSecret struct {
	line int
	text client.Secret
}

// reportLeaks reports all, as many at a time as the server takes. What became
// of those that were reported is printed, though others could not be.
func reportLeaks(c *cobra.Command, cl *client.Client, out *output, secrets []foundSecret) error {
	var lines []leakLine
	var failed error
	for some := range slices.Chunk(secrets, client.MaxLeaks) {
		report := make([]client.Secret, len(some))
		for i := range some {
			report[i] = some[i].text
		}
		answer, err := cl.ReportLeaks(c.Context(), report)
		if err == nil && len(answer.Results) != len(some) {
			err = errors.New("the answer does not say what became of each")
		}
		if err != nil {
			failed = fmt.Errorf("from line %d on: %w", some[0].line, err)
			break
		}
		for i := range some {
			lines = append(lines, leakLine{some[i].line, answer.Results[i]})
		}
	}
	if len(lines) > 0 {
		err := out.print(c.OutOrStdout(), map[string]any{"items": lines}, func(t *table) {
			t.row("LINE", "RESULT")
			for _, l := range lines {
				t.row(strconv.Itoa(l.Line), l.Result)
			}
		})
		if err != nil {
			return err
		}
	}
	return failed
}

// readSecrets reads the lines that are not empty, of the file or of stdin.
func readSecrets(stdin io.Reader, args []string) ([]foundSecret, error) {
	in := stdin
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	var found []foundSecret
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<10)
	for n := 1; lines.Scan(); n++ {
		if text := strings.TrimSpace(lines.Text()); text != "" {
			found = append(found, foundSecret{n, client.Secret(text)})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the secrets, one a line: %w", err)
	}
	if len(found) == 0 {
		return nil, usagef("there is no secret to report: give a file, or pipe them in, one a line")
	}
	return found, nil
}
