package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"hallpass/api/client"
	"hallpass/api/wire"
)

// bulkFlags say which tokens to revoke, and how.
type bulkFlags struct {
	inAccount
	waiting
	why    reason
	body   wire.RevokeTokens
	before ago
	from   string
	expect int64
	yes    bool
}

func newTokenRevokeMany() *cobra.Command {
	o := &bulkFlags{waiting: waiting{ends: true}}
	c := &cobra.Command{
		Use: "revoke-many [ID...]", Short: "End many tokens for good: those that fit all flags", Args: cobra.ArbitraryArgs,
		Long: `Ends for good all tokens that fit everything that is given: ids, a tag, the
beginning of the name, the token that issued them, the time of issue, a token that
they are derived from. Tokens that come to fit while it goes on are ended too.
Sessions are left out unless ids, --issuer or --lineage mean them.

On a terminal it says how many there are and asks. Elsewhere it takes --yes;
--expect makes sure that there are as many as you saw with --dry-run.

What stops it in the middle, a crash of the server included, leaves some of them
revoked: the same command again, without --expect, does the rest.`,
		Example: `  hallpass token revoke-many --tag team=blue --dry-run
  hallpass token revoke-many --tag team=blue --expect 1312 --yes --reason policy
  hallpass token revoke-many --lineage platform --account acme
  hallpass token revoke-many --ids-from leaked.txt --yes --reason compromised`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c, args) },
	}
	o.inAccount.flags(c)
	o.waiting.flags(c)
	o.why.flags(c)
	f := c.Flags()
	f.StringVar(&o.from, "ids-from", "", "a file with more ids, one a line; - is standard input")
	f.Var((*tagFilter)(&o.body.Tag), "tag", "those with this tag: KEY, or KEY=VALUE")
	f.StringVar(&o.body.Name, "name", "", "those whose name starts with this")
	f.StringVar(&o.body.Issuer, "issuer", "", "those issued by this token: ACCOUNT/TOKEN")
	f.Var(&o.before, "issued-before", "those issued before this time, or this long ago: 2030-01-31T12:00:00Z, 2030-01-31 or 90d")
	f.StringVar(&o.body.Lineage, "lineage", "", "this token, and all that were derived from it")
	f.BoolVar(&o.body.DryRun, "dry-run", false, "only say which they are")
	f.Int64Var(&o.expect, "expect", 0, "how many there must be, else nothing is done (default: any number)")
	f.BoolVar(&o.body.Force, "force", false, "though no token is left that could manage the account's tokens")
	f.BoolVarP(&o.yes, "yes", "y", false, "don't ask")
	return c
}

func (o *bulkFlags) run(c *cobra.Command, args []string) error {
	if err := o.fill(c, args); err != nil {
		return err
	}
	cl, err := o.client()
	if err != nil {
		return err
	}
	if cl, err = o.on(cl, 1); err != nil {
		return err
	}
	if !o.body.DryRun && !o.yes {
		if err := o.ask(c, cl); err != nil {
			return err
		}
	}
	show := &revoking{out: c.ErrOrStderr(), said: time.Now()}
	done, err := cl.RevokeTokens(c.Context(), o.account, o.body, show.line)
	show.done()
	if err != nil {
		return err
	}
	if err := o.print(c.OutOrStdout(), done, func(t *table) { o.tell(t, done) }); err != nil {
		return err
	}
	return o.keep(done.Receipt)
}

// fill makes the request of the flags.
func (o *bulkFlags) fill(c *cobra.Command, args []string) error {
	o.body.IDs = args
	if o.from != "" {
		ids, err := readIDs(c.InOrStdin(), o.from)
		if err != nil {
			return err
		}
		o.body.IDs = append(o.body.IDs, ids...)
		if len(o.body.IDs) == 0 {
			return usagef("--ids-from: the file holds no ids")
		}
	}
	b := &o.body
	if len(b.IDs) == 0 && b.Tag == "" && b.Name == "" && b.Issuer == "" && o.before.t == nil && b.Lineage == "" {
		return usagef("say which tokens: by id, --ids-from, --tag, --name, --issuer, --issued-before or --lineage")
	}
	b.IssuedBefore = o.before.t
	why := o.why.wire()
	b.Reason, b.Text = why.Reason, why.Text
	if c.Flags().Changed("expect") {
		b.Expect = &o.expect
	}
	return nil
}

// readIDs reads one id a line; empty lines, and what stands behind a #, don't count.
func readIDs(stdin io.Reader, from string) ([]string, error) {
	in := stdin
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return nil, usagef("--ids-from: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	var ids []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		id, _, _ := strings.Cut(lines.Text(), "#")
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the ids: %w", err)
	}
	return ids, nil
}

// ask shows how many tokens there are, and makes that what is expected.
func (o *bulkFlags) ask(c *cobra.Command, cl *client.Client) error {
	in := c.InOrStdin()
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.from == "-" {
		return usagef("this ends tokens for good, and there is nobody to ask: look with --dry-run, then say --yes, best with --expect")
	}
	dry := o.body
	dry.DryRun = true
	would, err := cl.RevokeTokens(c.Context(), o.account, dry, nil)
	if err != nil {
		return err
	}
	if would.Matched == 0 {
		return nil // the answer says so
	}
	_, _ = fmt.Fprintf(c.ErrOrStderr(), "This ends %s for good: %s. Go on? [y/N] ", plural(would.Matched, "token"), someOf(would.IDs, would.Matched))
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return fmt.Errorf("nothing was revoked")
	}
	n := int64(would.Matched)
	o.body.Expect = &n
	return nil
}

// someOf names the first of n ids.
func someOf(ids []string, n int) string {
	const shown = 5
	text := strings.Join(ids[:min(len(ids), shown)], ", ")
	if n > shown {
		text += ", …"
	}
	return text
}

func (o *bulkFlags) tell(t *table, r wire.RevokedTokens) {
	if r.DryRun {
		t.row("would be revoked", strconv.Itoa(r.Matched))
	} else {
		t.row("revoked", strconv.Itoa(r.Revoked))
	}
	if r.Already > 0 {
		t.row("were already", strconv.Itoa(r.Already))
	}
	n := r.Revoked
	if r.DryRun {
		n = r.Matched
	} else {
		t.row("bulk", r.Bulk)
	}
	if n > 0 {
		t.row("tokens", someOf(r.IDs, n))
	}
	if r.CountMissed {
		t.row("note", "other tokens came to fit while it went on")
	}
	if line := receiptLine("refused", r.Receipt); line != "" {
		t.row("receipt", line)
	}
}

// revoking shows how far a bulk is: one line that is written over on a
// terminal, a line every few seconds elsewhere.
type revoking struct {
	out   io.Writer
	said  time.Time
	drawn bool
}

func (r *revoking) line(p wire.Progress) {
	text := fmt.Sprintf("revoked %s of %s tokens", grouped(uint64(p.Revoked)), grouped(uint64(p.Of)))
	if f, ok := r.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		r.drawn = true
		_, _ = fmt.Fprintf(r.out, "\r%s\x1b[K", text)
		return
	}
	if time.Since(r.said) >= nextLine {
		r.said = time.Now()
		_, _ = fmt.Fprintln(r.out, text)
	}
}

// done takes the line away.
func (r *revoking) done() {
	if r.drawn {
		_, _ = fmt.Fprint(r.out, "\r\x1b[K")
	}
}

// ago is a flag's point in the past: RFC 3339, a day, or a duration before now.
type ago struct{ moment }

func (a *ago) Set(text string) error {
	if d, err := parseSpan(text); err == nil {
		t := time.Now().Add(-d).UTC()
		a.t = &t
		return nil
	}
	if a.moment.Set(text) != nil {
		return fmt.Errorf("a time is written as 2030-01-31T12:00:00Z, 2030-01-31, or as a duration before now: 12h, 90d")
	}
	return nil
}
