package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/wire"
	"hallpass/eventstore"
)

func newNode() *cobra.Command {
	c := &cobra.Command{
		Use: "node", Short: "List the nodes, and mend one",
		Long: `A node is a process that follows the stream: a server, or a program that embeds
hallpass.`,
	}
	c.AddCommand(newNodeList(), newNodeResync())
	return c
}

var nodeHead = []string{"NAME", "INCARNATION", "JOINED", "LEASE", "LEFT", "REPLICA", "FACTS", "HISTORY"}

func nodeRow(n wire.Node) []string {
	history := "same"
	if n.Differs {
		history = "DIFFERS"
	}
	return []string{n.Name, n.Incarnation, number(n.Joined), leaseText(n.LeaseMS), leaseText(n.LeaseLeftMS), n.Replica, number(n.Size), history}
}

func leaseText(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}

func newNodeList() *cobra.Command {
	var conn connection
	var out output
	c := &cobra.Command{
		Use: "list", Short: "List the nodes that have joined and not left, with their keys", Args: cobra.NoArgs,
		Long: `Lists the processes that have joined the stream and not left it, as the server that
is asked sees them. With -o json their keys stand there too: keep that for 'hallpass
receipt verify --keys'. It takes ReadAudit on /audit of the account root.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			nodes, err := cl.Nodes(c.Context())
			if err != nil {
				return err
			}
			if nodes == nil {
				nodes = []wire.Node{}
			}
			return out.print(c.OutOrStdout(), map[string]any{"items": nodes}, func(t *table) {
				t.row(nodeHead...)
				for _, n := range nodes {
					t.row(nodeRow(n)...)
				}
			})
		},
	}
	conn.flags(c)
	out.flags(c)
	return c
}

func newNodeResync() *cobra.Command {
	var data string
	var out output
	c := &cobra.Command{
		Use: "resync", Short: "Have a stopped node of a cluster fill its copy of the stream anew", Args: cobra.NoArgs,
		Long: `Puts aside the copy of the stream that a stopped node of a cluster keeps, so that at
its next start the node fills a new one from the others: for a node that says its
history is damaged. The others must be in order, and a majority of them running.
The old copy stays, in a directory damaged-… beside it, until you remove it.`,
		Example: "  hallpass node resync --data /var/lib/hallpass",
		RunE: func(c *cobra.Command, _ []string) error {
			moved, err := eventstore.Resync(data)
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), map[string]string{"moved": moved}, func(t *table) {
				t.row(fmt.Sprintf("the old copy is in %s: start the node, and it fills a new one from the others", moved))
			})
		},
	}
	c.Flags().StringVar(&data, "data", defaultData, "the data directory of the stopped node")
	out.flags(c)
	return c
}
