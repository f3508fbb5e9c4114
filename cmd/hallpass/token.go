package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
)

func newToken() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Issue, derive, list, show, edit, enable, disable, rotate, reveal and revoke tokens",
		Long: `A token is an identity with permissions. What its bearer presents is its secret,
which is shown once, when the token is issued or rotated.

Commands name a token by its id, which is unique in its account.`,
	}
	c.AddCommand(newTokenIssue(), newTokenDerive(), newTokenList(), newTokenShow(), newTokenEdit(), newTokenEnable(),
		newTokenDisable(), newTokenRotate(), newTokenReveal(), newTokenRevoke(), newTokenRevokeMany(), newTokenEvents())
	return c
}

// inAccount is the flags of a command about the tokens of one account.
type inAccount struct {
	connection
	account string
	output
}

func (o *inAccount) flags(c *cobra.Command) {
	o.connection.flags(c)
	c.Flags().StringVar(&o.account, "account", "", "the account (default: the one that your own token belongs to)")
	o.output.flags(c)
}

// each runs do on every id, prints the tokens that came of it, and answers
// with the first error. What was done before an error is printed all the same.
func (o *inAccount) each(c *cobra.Command, ids []string, w *waiting, did string, do func(context.Context, *client.Client, string) (wire.Token, error)) error {
	cl, err := o.client()
	if err != nil {
		return err
	}
	if cl, err = w.on(cl, len(ids)); err != nil {
		return err
	}
	var done []wire.Token
	for _, id := range ids {
		t, err2 := do(c.Context(), cl, id)
		if err2 != nil {
			err = fmt.Errorf("%s: %w", printable(id), err2)
			break
		}
		done = append(done, t)
	}
	if len(done) > 0 {
		var answer any = map[string]any{"items": done}
		if len(ids) == 1 {
			answer = done[0]
		}
		if err2 := o.print(c.OutOrStdout(), answer, func(t *table) {
			t.row(tokenHead...)
			for _, d := range done {
				t.row(tokenRow(d)...)
			}
			for _, d := range done {
				if line := receiptLine(did, d.Receipt); line != "" {
					t.row(line)
				}
			}
		}); err2 != nil {
			return err2
		}
		if err == nil {
			err = w.keep(done[0].Receipt)
		}
	}
	return err
}

// idCommand returns a command that does one thing to each token named, which
// every node has done, or did, once it has a receipt.
func idCommand(use, short, did string, w waiting, do func(ctx context.Context, cl *client.Client, account, id string) (wire.Token, error)) *cobra.Command {
	var o inAccount
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.each(c, args, &w, did, func(ctx context.Context, cl *client.Client, id string) (wire.Token, error) {
				return do(ctx, cl, o.account, id)
			})
		},
	}
	o.flags(c)
	w.flags(c)
	return c
}

func newTokenEnable() *cobra.Command {
	return idCommand("enable ID...", "Make disabled tokens work again", "enabled", waiting{},
		func(ctx context.Context, cl *client.Client, account, id string) (wire.Token, error) {
			return cl.EnableToken(ctx, account, id)
		})
}

func newTokenDisable() *cobra.Command {
	var force forcing
	c := idCommand("disable ID...", "Refuse tokens until they are enabled", "refused", waiting{},
		func(ctx context.Context, cl *client.Client, account, id string) (wire.Token, error) {
			return force.on(cl).DisableToken(ctx, account, id)
		})
	force.flags(c)
	return c
}

func newTokenRevoke() *cobra.Command {
	var why reason
	var force forcing
	c := idCommand("revoke ID...", "End tokens for good", "refused", waiting{ends: true},
		func(ctx context.Context, cl *client.Client, account, id string) (wire.Token, error) {
			return force.on(cl).RevokeToken(ctx, account, id, why.wire())
		})
	c.Long = `Ends tokens for good: no secret of theirs works again. A revoked id may be issued
again, with a new secret. Revoking a revoked token is no error.

It is done when no node can accept the token any more, of which the server gives a
receipt: --receipt keeps it.`
	c.Example = `  hallpass token revoke thermo-reader
  hallpass token revoke thermo-reader --receipt thermo.receipt
  hallpass token revoke old-1 old-2 --reason compromised --text 'found in a public repository'`
	why.flags(c)
	force.flags(c)
	return c
}

func newTokenRotate() *cobra.Command {
	var o inAccount
	var w waiting
	overlap := span{}
	var retire bool
	var once string
	c := &cobra.Command{
		Use: "rotate ID", Short: "Give a token a new secret", Args: cobra.ExactArgs(1),
		Long: `Gives a token a new secret, shown only this once. The old one dies at once, or
after --overlap, so that its holders can change over: with --retire-on-first-use as
soon as the new one is used, if that is sooner.`,
		Example: `  hallpass token rotate thermo-reader --overlap 1h
  hallpass token rotate thermo-reader --overlap 7d --retire-on-first-use`,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			if cl, err = w.on(cl, 1); err != nil {
				return err
			}
			how := wire.Rotate{Overlap: int64(overlap.d / time.Second), Retires: retire}
			t, secret, err := withOnce(cl, once).Rotate(c.Context(), o.account, args[0], how)
			if err != nil {
				return err
			}
			if err := o.printSecret(c, t, secret); err != nil {
				return err
			}
			return w.keep(t.Receipt)
		},
	}
	o.flags(c)
	w.flags(c)
	c.Flags().Var(&overlap, "overlap", "how long the old secret stays valid, as 90m, 12h or 7d; at most 30d (default 0: it dies at once)")
	c.Flags().BoolVar(&retire, "retire-on-first-use", false, "end the old secret when the new one is first used; without --overlap after 30d in any case")
	onceFlag(c, &once)
	return c
}

func newTokenList() *cobra.Command {
	var o inAccount
	var at atLeast
	var f client.TokenFilter
	var enabled bool
	var before moment
	var unused past
	c := &cobra.Command{
		Use: "list", Short: "List tokens, in order of creation", Args: cobra.NoArgs,
		Long: `Lists an account's tokens in order of creation. Revoked ones are left out unless
--state revoked asks for them, and sessions unless --kind does.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			if c.Flags().Changed("enabled") {
				f.Enabled = &enabled
			}
			if before.t != nil {
				f.ExpiresBefore = *before.t
			}
			if unused.t != nil {
				f.UnusedSince = *unused.t
			}
			return printAll(&o.output, c.OutOrStdout(), at.on(cl).Tokens(c.Context(), o.account, f), tokenHead, tokenRow)
		},
	}
	o.flags(c)
	at.flags(c)
	c.Flags().StringVar(&f.Name, "name", "", "only those whose name starts with this")
	c.Flags().Var((*tagFilter)(&f.Tag), "tag", "only those with this tag: KEY, or KEY=VALUE")
	c.Flags().StringVar(&f.State, "state", "", "only those in this state: active, disabled or revoked")
	c.Flags().StringVar(&f.Kind, "kind", "", "only this kind: api (the default), session, or all")
	c.Flags().StringVar(&f.Parent, "parent", "", "only those derived from this token itself")
	c.Flags().StringVar(&f.Origin, "origin", "", "only those made through this door")
	c.Flags().BoolVar(&enabled, "enabled", false, "only enabled ones; --enabled=false for the disabled")
	c.Flags().Var(&before, "expires-before", "only those that expire before this time, or within this duration from now")
	c.Flags().Var(&unused, "unused-since", "only those not used since this time, or for this duration; never used ones too")
	return c
}

func newTokenShow() *cobra.Command {
	var o inAccount
	var at atLeast
	c := &cobra.Command{
		Use: "show [ID]", Short: "Show a token, your own if none is named", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			cl = at.on(cl)
			var t wire.Token
			if len(args) == 0 {
				var me wire.Whoami
				me, err = cl.Whoami(c.Context())
				t = me.Token
			} else {
				t, err = cl.Token(c.Context(), o.account, args[0])
			}
			if err != nil {
				return err
			}
			return o.print(c.OutOrStdout(), t, func(tb *table) { describe(tb, t) })
		},
	}
	o.flags(c)
	at.flags(c)
	return c
}

func newTokenEvents() *cobra.Command {
	var o inAccount
	c := &cobra.Command{
		Use: "events ID", Short: "List what happened to a token, oldest first", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := o.client()
			if err != nil {
				return err
			}
			return printAll(&o.output, c.OutOrStdout(), cl.TokenEvents(c.Context(), o.account, args[0]), eventHead, eventRow)
		},
	}
	o.flags(c)
	return c
}
