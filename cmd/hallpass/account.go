package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
)

// reasonCodes are what --reason takes.
var reasonCodes = []string{"unspecified", "compromised", "superseded", "no_longer_needed", "owner_left", "policy"}

func newAccount() *cobra.Command {
	c := &cobra.Command{
		Use:   "account",
		Short: "Open, list, edit, suspend, resume and close accounts",
		Long: `An account is the space in which token ids are unique. Opening, editing,
suspending, resuming and closing one takes a token of the account root.`,
	}
	c.AddCommand(newAccountOpen(), newAccountList(), newAccountShow(), newAccountEdit(),
		newAccountSuspend(), newAccountResume(), newAccountClose())
	return c
}

var accountHead = []string{"ID", "NAME", "STATE", "CREATED", "REVISION", "MANAGED BY"}

func accountRow(a wire.Account) []string {
	return []string{a.ID, a.Name, a.State, stamp(a.CreatedAt), number(a.Revision), a.ManagedBy}
}

// accountCommand returns a command that ends in one account. If it changes one,
// it may wait for all nodes: did is what they then do.
func accountCommand(use, short string, args cobra.PositionalArgs, did string, w *waiting, do func(context.Context, *client.Client, []string) (wire.Account, error)) *cobra.Command {
	var conn connection
	var out output
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			if w != nil {
				if cl, err = w.on(cl, 1); err != nil {
					return err
				}
			}
			a, err := do(c.Context(), cl, args)
			if err != nil {
				return err
			}
			err = out.print(c.OutOrStdout(), a, func(t *table) {
				t.row(accountHead...)
				t.row(accountRow(a)...)
				if line := receiptLine(did, a.Receipt); line != "" {
					t.row(line)
				}
			})
			if err != nil || w == nil {
				return err
			}
			return w.keep(a.Receipt)
		},
	}
	conn.flags(c)
	out.flags(c)
	if w != nil {
		w.flags(c)
	}
	return c
}

func newAccountOpen() *cobra.Command {
	var name string
	var by managers
	c := accountCommand("open ID", "Open an account", cobra.ExactArgs(1), "open", &waiting{},
		func(ctx context.Context, cl *client.Client, args []string) (wire.Account, error) {
			return cl.OpenAccount(ctx, wire.OpenAccount{ID: args[0], Name: cmp.Or(name, args[0]), ManagedBy: string(by)})
		})
	c.Flags().StringVar(&name, "name", "", "a name for people (default: the id)")
	by.flags(c)
	return c
}

func newAccountEdit() *cobra.Command {
	var name string
	var by managers
	var c *cobra.Command
	c = accountCommand("edit ID", "Change an account", cobra.ExactArgs(1), "changed", &waiting{},
		func(ctx context.Context, cl *client.Client, args []string) (wire.Account, error) {
			p := client.Patch{}
			if c.Flags().Changed("name") {
				p["name"] = name
			}
			if by != "" {
				p["tokens_managed_by"] = string(by)
			}
			if len(p) == 0 {
				return wire.Account{}, usagef("there is nothing to change: give --name or --tokens-managed-by")
			}
			return cl.EditAccount(ctx, args[0], p)
		})
	c.Flags().StringVar(&name, "name", "", "a new name")
	by.flags(c)
	return c
}

// managers is the value of --tokens-managed-by.
type managers string

var managersNames = []string{"any", "sessions"}

func (m *managers) String() string { return string(*m) }
func (m *managers) Type() string   { return "any|sessions" }
func (m *managers) Set(s string) error {
	if !slices.Contains(managersNames, s) {
		return fmt.Errorf("it is any or sessions")
	}
	*m = managers(s)
	return nil
}

func (m *managers) flags(c *cobra.Command) {
	c.Flags().Var(m, "tokens-managed-by", "which of its tokens may manage its tokens: any that is allowed to, or sessions alone")
	_ = c.RegisterFlagCompletionFunc("tokens-managed-by", cobra.FixedCompletions(managersNames, cobra.ShellCompDirectiveNoFileComp))
}

func newAccountList() *cobra.Command {
	var conn connection
	var out output
	c := &cobra.Command{
		Use: "list", Short: "List the accounts that you may see", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			return printAll(&out, c.OutOrStdout(), cl.Accounts(c.Context()), accountHead, accountRow)
		},
	}
	conn.flags(c)
	out.flags(c)
	return c
}

func newAccountShow() *cobra.Command {
	return accountCommand("show [ID]", "Show an account, your own if none is named", cobra.MaximumNArgs(1), "", nil,
		func(ctx context.Context, cl *client.Client, args []string) (wire.Account, error) {
			return cl.Account(ctx, strings.Join(args, ""))
		})
}

func newAccountSuspend() *cobra.Command {
	var why reason
	c := accountCommand("suspend ID", "Refuse every token of an account at once, until it is resumed", cobra.ExactArgs(1), "refused", &waiting{ends: true},
		func(ctx context.Context, cl *client.Client, args []string) (wire.Account, error) {
			return cl.SuspendAccount(ctx, args[0], why.wire())
		})
	why.flags(c)
	return c
}

func newAccountResume() *cobra.Command {
	return accountCommand("resume ID", "End the suspension of an account", cobra.ExactArgs(1), "resumed", &waiting{},
		func(ctx context.Context, cl *client.Client, args []string) (wire.Account, error) {
			return cl.ResumeAccount(ctx, args[0])
		})
}

func newAccountClose() *cobra.Command {
	var why reason
	c := accountCommand("close ID", "End an account and all its tokens for good", cobra.ExactArgs(1), "refused", &waiting{ends: true},
		func(ctx context.Context, cl *client.Client, args []string) (wire.Account, error) {
			return cl.CloseAccount(ctx, args[0], why.wire())
		})
	why.flags(c)
	return c
}

// reason is the flags that say why something ends.
type reason struct {
	code reasonCode
	text string
}

// reasonCode is the value of --reason.
type reasonCode string

func (r *reasonCode) String() string { return string(*r) }
func (r *reasonCode) Type() string   { return "code" }
func (r *reasonCode) Set(s string) error {
	if !slices.Contains(reasonCodes, s) {
		return fmt.Errorf("it is one of %s%s", strings.Join(reasonCodes, ", "), didYouMean(s, reasonCodes))
	}
	*r = reasonCode(s)
	return nil
}

func (r *reason) flags(c *cobra.Command) {
	c.Flags().Var(&r.code, "reason", "why: "+strings.Join(reasonCodes, ", "))
	c.Flags().StringVar(&r.text, "text", "", "why, in words; at most 512 bytes")
	_ = c.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(reasonCodes, cobra.ShellCompDirectiveNoFileComp))
}

func (r *reason) wire() wire.Reason { return wire.Reason{Reason: string(r.code), Text: r.text} }
