package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/api/client"
	"hallpass/api/wire"
	"hallpass/domain"
)

func newSeed() *cobra.Command {
	c := &cobra.Command{
		Use: "seed", Short: "Make what a fresh installation of another system has",
		Long: `Makes the account and the tokens that clients of another system expect to find in a
fresh installation of it. The secrets are new, and are printed this once. Run
again, it says what is there, and makes only what is missing.`,
	}
	for i := range dialects {
		c.AddCommand(newSeedOf(&dialects[i]))
	}
	return c
}

func newSeedOf(d *dialect) *cobra.Command {
	var conn connection
	var out output
	var account string
	flag := cmp.Or(d.owner, "account")
	c := &cobra.Command{
		Use: d.name, Short: "Make what " + d.system + " starts with", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if account == "" {
				return usagef("'%s' needs --%s", c.CommandPath(), flag)
			}
			if _, err := domain.ParseAccountID(account); err != nil {
				return usagef("--%s is 1 to 64 letters, digits, - and _", flag)
			}
			if account == string(domain.RootAccount) {
				return usagef("--%s is not the account root, whose tokens reach all others", flag)
			}
			cl, err := conn.client()
			if err != nil {
				return err
			}
			s := seeding{dialect: d, client: cl, account: account}
			failed := s.sow(c.Context())
			if err := s.report(c, &out); err != nil {
				return err
			}
			return failed
		},
	}
	conn.flags(c)
	out.flags(c)
	about := "the account for its tokens, made if missing"
	if d.account != "" {
		about += "; that of the server's --" + d.name + "-account"
	}
	c.Flags().StringVar(&account, flag, d.account, about)
	return c
}

// seeding makes what is missing of a dialect's defaults.
type seeding struct {
	dialect *dialect
	client  *client.Client
	account string
	opened  bool // the account
	made    []api.Import
	there   []string
}

// sow is to be reported also when it returns an error: what was made by then is
// there.
func (s *seeding) sow(ctx context.Context) error {
	d := s.dialect
	var want []api.Import
	if d.seed != nil {
		var err error
		if want, err = d.seed(domain.AccountID(s.account), hostOf(s.client.Server())); err != nil {
			return usagef("--%s: %s", cmp.Or(d.owner, "account"), reasonOf(err))
		}
	}
	have, err := s.client.Account(ctx, s.account)
	switch {
	case client.Code(err) == "not_found":
		if err := openAccount(ctx, s.client, d, s.account); err != nil {
			return err
		}
		s.opened = true
	case err != nil:
		return err
	case d.managers != "" && have.ManagedBy != d.managers:
		return fmt.Errorf("the account %s is there, and its tokens may be managed by %s: 'hallpass account edit %s --tokens-managed-by %s' changes that", s.account, have.ManagedBy, s.account, d.managers)
	}
	if len(want) == 0 {
		return nil
	}
	there := map[string]bool{}
	for t, err := range s.client.Tokens(ctx, s.account, client.TokenFilter{Origin: d.name}) {
		if err != nil {
			return err
		}
		there[t.ID], there["name "+t.Name] = true, true
	}
	for _, in := range want {
		if in.Token != "" && there[string(in.Token)] || in.Token == "" && there["name "+in.Name] {
			s.there = append(s.there, nameOf(&in))
			continue
		}
		if _, _, err := s.client.IssueToken(ctx, s.account, in.Body()); err != nil {
			return fmt.Errorf("making %s: %w", nameOf(&in), err)
		}
		s.made = append(s.made, in)
	}
	return nil
}

// nameOf is what the system knows a token by, beside its secret.
func nameOf(in *api.Import) string { return cmp.Or(string(in.Token), in.Name) }

// report prints what was made, with its secrets, and names what was there. As
// JSON it is a list of the former.
func (s *seeding) report(c *cobra.Command, out *output) error {
	d := s.dialect
	made := []map[string]string{}
	for _, in := range s.made {
		made = append(made, map[string]string{d.shows[0]: nameOf(&in), d.shows[1]: in.Secret.Reveal()})
	}
	if out.format == asJSON && len(s.there) > 0 {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "there already: %s\n", strings.Join(s.there, ", "))
	}
	return out.print(c.OutOrStdout(), made, func(t *table) {
		state := "there already"
		if s.opened {
			state = "made"
		}
		t.row("account", s.account, state)
		for _, in := range s.made {
			t.row(d.shows[0], nameOf(&in), d.shows[1]+" "+in.Secret.Reveal()+" (shown only this once)")
		}
		for _, name := range s.there {
			t.row(d.shows[0], name, "there already")
		}
		if d.then != "" {
			t.row(fmt.Sprintf(d.then, s.account))
		}
	})
}

// openAccount makes an account for a dialect's tokens.
func openAccount(ctx context.Context, cl *client.Client, d *dialect, account string) error {
	_, err := cl.OpenAccount(ctx, wire.OpenAccount{ID: account, Name: d.system, ManagedBy: d.managers})
	if client.Code(err) == "exists" {
		return nil
	}
	return err
}

// hostOf is the host that clients of the server know it by.
func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
