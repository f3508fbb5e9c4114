package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/domain"
)

func newImport() *cobra.Command {
	var o inAccount
	var from string
	var run importRun
	c := &cobra.Command{
		Use: "import --from SYSTEM FILE", Short: "Take over the tokens of another system, with their secrets", Args: cobra.ExactArgs(1),
		Long: `Makes tokens of an export of another system, so that clients can go on with the
secrets that they have. FILE is the JSON that the system's own list answers; - is
stdin. Keep it as you would keep the secrets, and remove it afterwards.

  nbiot    {"tokens":[{"resource":"/","write":true,"token":"…","tags":{}}]}
  crafter  [{"application":"…","master":false,"tenantPermissions":[…],"expiresOn":…,"id":"…"}]
  thinger  [{"token":"…","name":"…","enabled":true,"allow":{…},"access_token":"…"}]

Thinger's list shows neither rights nor bearers: put together what ReadTokenConfig
answers for each token, and the access_token that clients have.

Each row is reported. One that can't be taken over is left out, with the reason, and
the exit code is then 1. It can be repeated: what is there already, and the same, is
left as it is; what differs is reported, and left too. What was revoked here does
not come back. Secrets that could be guessed are refused unless the server runs
with --allow-weak-secrets.`,
		Example: `  hallpass import --from nbiot --account acme tokens.json --dry-run
  hallpass import --from crafter tokens.json`,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := dialectNamed(from)
			if err != nil {
				return err
			}
			run.dialect = d
			if run.account = o.account; run.account == "" {
				run.account = d.account
			}
			if run.account == "" {
				return usagef("--from %s needs --account: the account that is to have the tokens", d.name)
			}
			if run.account == string(domain.RootAccount) {
				return usagef("--account is not the account root, whose tokens reach all others")
			}
			rows, err := readExport(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			if run.client, err = o.client(); err != nil {
				return err
			}
			return run.report(c, &o.output, rows)
		},
	}
	o.flags(c)
	c.Flags().StringVar(&from, "from", "", "the system that the tokens come from: "+strings.Join(dialectNames(), ", "))
	c.Flags().BoolVar(&run.dry, "dry-run", false, "say what would be done, and do nothing")
	c.Flags().BoolVar(&run.published, "allow-published", false, "take secrets that the vendor ships to everybody, too: whoever has read its documentation has them")
	_ = c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(dialectNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func dialectNames() []string {
	var names []string
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return names
}

func dialectNamed(name string) (*dialect, error) {
	i := slices.IndexFunc(dialects, func(d dialect) bool { return d.name == name })
	if i < 0 {
		return nil, usagef("--from is one of %s%s", strings.Join(dialectNames(), ", "), didYouMean(name, dialectNames()))
	}
	return &dialects[i], nil
}

// exported is one row of an export.
type exported struct {
	line int
	data json.RawMessage
}

// mostExport is what is read of an export, in bytes.
const mostExport = 256 << 20

// readExport returns the rows of a JSON array, or of the array "tokens" in an
// object.
func readExport(file string, stdin io.Reader) ([]exported, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("reading the export: %w", err)
		}
		defer f.Close() //nolint:errcheck // nothing was written
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, mostExport+1))
	if err != nil {
		return nil, fmt.Errorf("reading the export: %w", err)
	}
	if len(data) > mostExport {
		return nil, fmt.Errorf("%s is larger than %d MiB: cut it into several", file, mostExport>>20)
	}
	rows, at, ok := rowsOf(data)
	if !ok {
		return nil, fmt.Errorf(`%s is no export: at line %d stands what is neither a JSON array of tokens nor {"tokens":[…]}`, file, 1+bytes.Count(data[:at], []byte("\n")))
	}
	return rows, nil
}

// rowsOf returns also how far it came. What it can't read it does not repeat.
func rowsOf(data []byte) (rows []exported, at int64, ok bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	expect := func(want ...json.Token) bool {
		for _, w := range want {
			if t, err := d.Token(); err != nil || t != w {
				return false
			}
		}
		return true
	}
	closing := []json.Token{json.Delim(']')}
	first, err := d.Token()
	switch {
	case err != nil:
		return nil, d.InputOffset(), false
	case first == json.Delim('{'):
		if !expect("tokens", json.Delim('[')) {
			return nil, d.InputOffset(), false
		}
		closing = append(closing, json.Delim('}'))
	case first != json.Delim('['):
		return nil, d.InputOffset(), false
	}
	line, seen := 1, int64(0)
	for d.More() {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return nil, d.InputOffset(), false
		}
		start := d.InputOffset() - int64(len(raw))
		line += bytes.Count(data[seen:start], []byte("\n"))
		seen = start
		rows = append(rows, exported{line, raw})
	}
	if !expect(closing...) {
		return nil, d.InputOffset(), false
	}
	_, err = d.Token()
	return rows, d.InputOffset(), errors.Is(err, io.EOF)
}

// report takes the rows over, and says of each what came of it.
func (r *importRun) report(c *cobra.Command, out *output, rows []exported) error {
	if err := r.ensureAccount(c.Context()); err != nil {
		return err
	}
	all, stopped := r.rows(c.Context(), rows)
	count := map[string]int{}
	for _, o := range all {
		count[o.Outcome]++
	}
	err := out.print(c.OutOrStdout(), map[string]any{"rows": all}, func(t *table) {
		t.row("ROW", "LINE", "OUTCOME", "TOKEN", "NOTE")
		for _, o := range all {
			t.row(fmt.Sprint(o.Row), fmt.Sprint(o.Line), o.Outcome, o.Token, o.Note)
		}
		var said []string
		for _, name := range outcomes {
			if count[name] > 0 {
				said = append(said, fmt.Sprint(count[name], " ", name))
			}
		}
		t.row("in all: " + cmp.Or(strings.Join(said, ", "), "nothing"))
	})
	switch {
	case err != nil:
		return err
	case stopped != nil:
		return fmt.Errorf("stopped at row %d of %d: %w", len(all)+1, len(rows), stopped)
	case count[refused]+count[differs] > 0:
		return exitCode(exitFailed)
	}
	return nil
}

// ensureAccount makes the account that a dialect's tokens live in, if it is the
// dialect's own and not there.
func (r *importRun) ensureAccount(ctx context.Context) error {
	_, err := r.client.Account(ctx, r.account)
	if client.Code(err) != "not_found" {
		return err
	}
	if r.account != r.dialect.account {
		return fmt.Errorf("there is no account %s: 'hallpass account open %s', or 'hallpass seed %s', makes it", r.account, r.account, r.dialect.name)
	}
	if r.dry {
		r.absent = true
		return nil
	}
	return openAccount(ctx, r.client, r.dialect, r.account)
}
