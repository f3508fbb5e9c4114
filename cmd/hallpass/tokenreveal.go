package main

import "github.com/spf13/cobra"

func newTokenReveal() *cobra.Command {
	var o inAccount
	c := &cobra.Command{
		Use: "reveal ID", Short: "Show the secret of a token that was issued as revealable", Args: cobra.ExactArgs(1),
		Long: `Shows the newest secret of a token that was issued with --revealable. That it was
shown, and to whom, is a record in the stream. It takes RevealToken on the token, and
all that the token may do.`,
		Example: "  hallpass token reveal thermo-reader",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			r, secret, err := cl.RevealToken(c.Context(), o.account, args[0])
			if err != nil {
				return err
			}
			r.Secret = secret.Reveal()
			return o.print(c.OutOrStdout(), r, func(t *table) {
				t.row("id", r.ID)
				t.row("account", r.Account)
				t.row("revision", number(r.Revision)+" (the record that says that it was shown)")
				t.row("secret", r.Secret)
			})
		},
	}
	o.flags(c)
	return c
}
