package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
)

func newCatalog() *cobra.Command {
	c := &cobra.Command{
		Use:   "catalog",
		Short: "List, define and remove resource types",
		Long: `The catalogue is the resource types and their actions that grants and checks may
name. A type is the first segment of its resources: /robot/r1 is of the type
robot. Some types are built in; defining and removing others takes a token of the
account root.`,
	}
	c.AddCommand(newCatalogList(), newCatalogDefine(), newCatalogRemove())
	return c
}

var typeHead = []string{"TYPE", "ACTION", "LEVEL", "BUILTIN", "DESCRIPTION"}

// typeRows adds a row for each action of the type.
func typeRows(t *table, typ wire.Type) {
	for _, a := range typ.Actions {
		t.row(typ.Name, a.Name, a.Level, yesNo(typ.Builtin), a.Description)
	}
}

func newCatalogList() *cobra.Command {
	var conn connection
	var out output
	var at atLeast
	c := &cobra.Command{
		Use: "list [TYPE...]", Short: "List resource types and their actions, all or those named", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			catalog, err := at.on(cl).Catalog(c.Context())
			if err != nil {
				return err
			}
			types := []wire.Type{}
			for _, t := range catalog.Types {
				if len(args) == 0 || slices.Contains(args, t.Name) {
					types = append(types, t)
				}
			}
			return out.print(c.OutOrStdout(), map[string]any{"types": types}, func(t *table) {
				t.row(typeHead...)
				for _, typ := range types {
					typeRows(t, typ)
				}
			})
		},
	}
	conn.flags(c)
	at.flags(c)
	out.flags(c)
	return c
}

func newCatalogDefine() *cobra.Command {
	var def wire.DefineType
	var actions actionList
	c := typeCommand("define TYPE", "Add a resource type, or replace it", "known", func(ctx context.Context, cl *client.Client, name string) (wire.Type, error) {
		def.Actions = actions
		return cl.DefineType(ctx, name, def)
	})
	c.Long = `Adds a resource type, or replaces the one of that name. What is given is the whole
type: an action that is not given again goes, which is refused while tokens name
it. The level of an action never changes.`
	c.Example = `  hallpass catalog define robot --action ListRobots:list --action 'MoveRobot:write:Make it move.'`
	c.Flags().StringVar(&def.Description, "description", "", "what resources of the type are")
	c.Flags().Var(&actions, "action", "an action and its level (list, read or write), as NAME:LEVEL or NAME:LEVEL:DESCRIPTION; may be given several times")
	return c
}

func newCatalogRemove() *cobra.Command {
	c := typeCommand("remove TYPE", "Remove a resource type that no token uses", "removed", func(ctx context.Context, cl *client.Client, name string) (wire.Type, error) {
		return cl.RemoveType(ctx, name)
	})
	c.Long = `Removes a resource type. While tokens name actions of it that is refused, and they
are named. The answer shows the type as it was.`
	return c
}

// typeCommand returns a command that changes one type. did is what every node
// does, once it has a receipt.
func typeCommand(use, short, did string, do func(context.Context, *client.Client, string) (wire.Type, error)) *cobra.Command {
	var conn connection
	var out output
	var w waiting
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			if cl, err = w.on(cl, 1); err != nil {
				return err
			}
			typ, err := do(c.Context(), cl, args[0])
			if err != nil {
				return err
			}
			if err := out.print(c.OutOrStdout(), typ, func(t *table) {
				t.row(typeHead...)
				typeRows(t, typ)
				if line := receiptLine(did, typ.Receipt); line != "" {
					t.row(line)
				}
			}); err != nil {
				return err
			}
			return w.keep(typ.Receipt)
		},
	}
	conn.flags(c)
	out.flags(c)
	w.flags(c)
	return c
}

// actionList is the value of --action.
type actionList []wire.DefineAction

func (l *actionList) Type() string   { return "name:level" }
func (l *actionList) String() string { return strings.Join(l.GetSlice(), " ") }
func (l *actionList) Set(text string) error {
	name, rest, ok := strings.Cut(text, ":")
	level, description, _ := strings.Cut(rest, ":")
	if !ok || name == "" || !slices.Contains([]string{"list", "read", "write"}, level) {
		return errors.New("an action is written as NAME:LEVEL or NAME:LEVEL:DESCRIPTION, with the level list, read or write")
	}
	*l = append(*l, wire.DefineAction{Name: name, Level: level, Description: description})
	return nil
}

// Append, Replace and GetSlice make it a flag that may come several times.
func (l *actionList) Append(text string) error { return l.Set(text) }
func (l *actionList) Replace(all []string) error {
	*l = nil
	for _, text := range all {
		if err := l.Set(text); err != nil {
			return err
		}
	}
	return nil
}

func (l *actionList) GetSlice() []string {
	var out []string
	for _, a := range *l {
		out = append(out, a.Name+":"+a.Level)
	}
	return out
}
