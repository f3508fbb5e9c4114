package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/wire"
)

func newCheck() *cobra.Command {
	var conn connection
	var out output
	var at atLeast
	var q wire.Check
	c := &cobra.Command{
		Use: "check ACTION RESOURCE", Short: "Ask whether a token may do an action on a resource", Args: cobra.ExactArgs(2),
		Long: `Asks whether the bearer of a secret may do an action on a resource: your own
credential, or with --secret another's, which takes IntrospectToken on that token.

Exits 0 when it is allowed, 3 when it is refused, 1 when there is no answer.`,
		Example: `  hallpass check AccessDeviceResources /device/thermo1 --token hp_...
  echo hp_... | hallpass check read /teams/17dh0cf43jfgl8 --secret - -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			q.Action, q.Resource = args[0], args[1]
			if q.Secret == "-" {
				data, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 64<<10))
				if err != nil {
					return err
				}
				q.Secret = strings.TrimSpace(string(data))
				if q.Secret == "" {
					return usagef("--secret - found nothing on stdin")
				}
			}
			cl, err := conn.client()
			if err != nil {
				return err
			}
			d, err := at.on(cl).Check(c.Context(), q)
			if err != nil {
				return err
			}
			err = out.print(c.OutOrStdout(), d, func(t *table) {
				verdict := "refused"
				if d.Allowed {
					verdict = "allowed"
				}
				t.row(verdict, d.Code, d.Reason)
				if d.Grant != nil {
					t.row("grant", grantText(*d.Grant))
				}
				if d.Token != "" {
					t.row("token", d.Account+"/"+d.Token)
				}
				if d.Ancestor != "" {
					t.row("on account of", d.Account+"/"+d.Ancestor+" (it was derived from that)")
				}
				t.row("revision", number(d.Revision))
				if d.Stale {
					t.row("stale", fmt.Sprintf("the server could last prove %d ms ago that it is current", d.AgeMS))
				}
			})
			if err == nil && !d.Allowed {
				return exitCode(exitRefused)
			}
			return err
		},
	}
	conn.flags(c)
	at.flags(c)
	out.flags(c)
	c.Flags().StringVar(&q.Secret, "secret", "", "whose secret to ask about; - reads it from stdin, where ps doesn't show it")
	c.Flags().StringVar(&q.Address, "address", "", "the address that it is used from (default: of your own credential, yours; of another's, not known)")
	c.Flags().BoolVar(&q.Unverified, "unverified", false, "take an action that the catalogue doesn't know; it counts as a write")
	return c
}
