package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/wire"
)

func newSession() *cobra.Command {
	c := &cobra.Command{Use: "session", Short: "Open sessions: tokens for people, for hours"}
	c.AddCommand(newSessionOpen())
	return c
}

func newSessionOpen() *cobra.Command {
	var o inAccount
	var lasts span
	var name string
	c := &cobra.Command{
		Use: "open [ACCOUNT]", Short: "Open a session for managing an account, your own if none is named", Args: cobra.MaximumNArgs(1),
		Long: `Makes a token that may do everything in the account and ends by itself, after
--for. Your own token must be one that may do everything there, and no session.
'hallpass self revoke' ends it sooner.

Sessions are what manages the tokens of an account whose tokens_managed_by is
sessions. 'hallpass token list --kind session' lists them.`,
		Example: "  hallpass session open acme --for 2h --name alice",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			t, secret, err := cl.OpenSession(c.Context(), wire.OpenSession{
				Account: strings.Join(args, ""), ExpiresIn: int64(lasts.d / time.Second), Name: name,
			})
			if err != nil {
				return err
			}
			return o.printSecret(c, t, secret)
		},
	}
	o.connection.flags(c)
	o.output.flags(c)
	c.Flags().Var(&lasts, "for", "how long it lasts, as 90m or 8h; at most 12h (default: 1h)")
	c.Flags().StringVar(&name, "name", "", "for people: who is behind it")
	return c
}

func newSelf() *cobra.Command {
	c := &cobra.Command{Use: "self", Short: "Revoke your own token"}
	c.AddCommand(newSelfRevoke())
	return c
}

func newSelfRevoke() *cobra.Command {
	var o inAccount
	var w waiting
	var why reason
	var force forcing
	w.ends = true
	c := &cobra.Command{
		Use: "revoke", Short: "End the token that you are calling with, for good", Args: cobra.NoArgs,
		Long: `Ends the token whose secret this command uses: it logs a session out. It takes no
right. The login that 'hallpass login' kept stays where it is, and opens nothing.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			if cl, err = w.on(cl, 1); err != nil {
				return err
			}
			t, err := force.on(cl).RevokeSelf(c.Context(), why.wire())
			if err != nil {
				return err
			}
			if err := o.print(c.OutOrStdout(), t, func(tb *table) {
				tb.row(tokenHead...)
				tb.row(tokenRow(t)...)
				if line := receiptLine("refused", t.Receipt); line != "" {
					tb.row(line)
				}
			}); err != nil {
				return err
			}
			return w.keep(t.Receipt)
		},
	}
	o.connection.flags(c)
	o.output.flags(c)
	w.flags(c)
	why.flags(c)
	force.flags(c)
	return c
}
