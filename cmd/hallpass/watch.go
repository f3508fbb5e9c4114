package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hallpass/api/client"
)

func newWatch() *cobra.Command {
	var conn connection
	var out output
	var f client.WatchFilter
	var after uint64
	var max int
	c := &cobra.Command{
		Use: "watch", Short: "Follow what happens, as it happens", Args: cobra.NoArgs,
		Long: `Prints each event as it is recorded, until interrupted; with -o json one object a
line. A lost connection is taken up again without losing or doubling an event.

Without --after it starts with what happens next; --after 0 starts with the first
event there is; --after REVISION behind one that was seen.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			from := client.Now
			if c.Flags().Changed("after") {
				from = after
			}
			lines := json.NewEncoder(c.OutOrStdout())
			lines.SetEscapeHTML(false)
			seen := 0
			for e, err := range cl.Watch(ctx, f, from) {
				switch {
				case errors.Is(err, context.Canceled):
					return nil
				case err != nil:
					return err
				case out.format == asJSON:
					err = lines.Encode(e)
				default:
					_, err = fmt.Fprintln(c.OutOrStdout(), printable(strings.TrimRight(strings.Join(eventRow(e), "  "), " ")))
				}
				if err != nil {
					return err
				}
				if seen++; seen == max {
					return nil
				}
			}
			return nil
		},
	}
	conn.flags(c)
	out.flags(c)
	c.Flags().StringVar(&f.Account, "account", "", "only events of this account (default: all that you may see)")
	c.Flags().StringVar(&f.Token, "id", "", "only events of the token with this id")
	c.Flags().StringVar(&f.Type, "type", "", "only events of this type, as token.revoked")
	c.Flags().Uint64Var(&after, "after", 0, "start behind this revision (default: the newest)")
	c.Flags().IntVar(&max, "count", 0, "stop after so many events (default: never)")
	return c
}
