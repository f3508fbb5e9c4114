package main

import (
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
)

func newTokenIssue() *cobra.Command {
	var o inAccount
	f := issueFlags{expiry: "never"}
	c := &cobra.Command{
		Use: "issue [ID]", Short: "Make a token", Args: cobra.MaximumNArgs(1),
		Long: `Makes a token and prints it with its secret, which no later command shows. Without
an ID one is made up. You can't give what your own token may not do.

A grant's resource covers itself and all under it; * is one whole segment; / is
everything. An action is a name of the catalogue, a name with a final *, * for
any, or a level: read, write.

A secret that holders have already, from another system, can be taken over with
--import-secret-file or --import-digest.`,
		Example: `  hallpass token issue thermo-reader --grant '/device/thermo1:AccessDeviceResources'
  hallpass token issue all-devices --grant '/device:*' --deny '/device:Delete*' --expires 30d
  hallpass token issue office --grant '/:read' --allow-from 192.0.2.0/24 --hours '08:00-18:00 Europe/Zurich'
  hallpass token issue admin --grant '/:*'
  hallpass token issue from-file --permissions permissions.json -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			t, err := f.wire(c, strings.Join(args, ""))
			if err != nil {
				return err
			}
			cl, err := o.client()
			if err != nil {
				return err
			}
			token, secret, err := withOnce(cl, f.once).IssueToken(c.Context(), o.account, t)
			if err != nil {
				return err
			}
			return o.printSecret(c, token, secret)
		},
	}
	o.flags(c)
	f.flags(c)
	return c
}

func newTokenDerive() *cobra.Command {
	var o inAccount
	f := issueFlags{expiry: "when its parent does"}
	c := &cobra.Command{
		Use: "derive PARENT [ID]", Short: "Make a token that may never do more than another", Args: cobra.RangeArgs(1, 2),
		Long: `Makes a token out of another one, and prints it with its secret. Whatever is taken
from the parent is taken from it at the same time: disable, edit, suspend or revoke
the parent, and all that was derived from it follows; enable it, and that is back.

Without --grant and --permissions it may do what its parent may.`,
		Example: `  hallpass token derive platform for-alice --grant '/device/thermo1:read' --expires 8h
  hallpass token list --parent platform`,
		RunE: func(c *cobra.Command, args []string) error {
			t, err := f.wire(c, strings.Join(args[1:], ""))
			if err != nil {
				return err
			}
			cl, err := o.client()
			if err != nil {
				return err
			}
			token, secret, err := withOnce(cl, f.once).DeriveToken(c.Context(), o.account, args[0], t)
			if err != nil {
				return err
			}
			return o.printSecret(c, token, secret)
		},
	}
	o.flags(c)
	f.flags(c)
	return c
}

func newTokenEdit() *cobra.Command {
	var o inAccount
	var e edit
	var force forcing
	e.tags = tags{}
	c := &cobra.Command{
		Use: "edit ID", Short: "Change a token", Args: cobra.ExactArgs(1),
		Long: `Changes what the flags name and leaves the rest. --grant and --deny replace all the
token's grants or denies; --tag adds or changes one tag.

With --if-revision nothing is changed if the token was changed since.`,
		Example: `  hallpass token edit thermo-reader --grant '/device/thermo1:*' --grant '/device/thermo2:GetDeviceStats'
  hallpass token edit thermo-reader --clear-expires --tag site=north --if-revision 9`,
		RunE: func(c *cobra.Command, args []string) error {
			patch, err := e.patch(c)
			if err != nil {
				return err
			}
			cl, err := o.client()
			if err != nil {
				return err
			}
			t, err := force.on(cl).EditToken(c.Context(), o.account, args[0], patch, e.revision)
			if err != nil {
				return err
			}
			return o.print(c.OutOrStdout(), t, func(tb *table) { describe(tb, t) })
		},
	}
	o.flags(c)
	e.flags(c)
	force.flags(c)
	return c
}

// edit is the flags that change a token.
type edit struct {
	permissions
	conditions
	name, description  string
	tags               tags
	removeTags         []string
	expires, notBefore moment
	enabled            bool
	revision           uint64
}

func (e *edit) flags(c *cobra.Command) {
	e.permissions.flags(c)
	e.conditions.flags(c)
	f := c.Flags()
	f.StringVar(&e.name, "name", "", "a new name")
	f.StringVar(&e.description, "description", "", "a new description")
	f.Var(e.tags, "tag", "a tag to add or change, as KEY=VALUE; may be given several times")
	f.StringArrayVar(&e.removeTags, "remove-tag", nil, "the key of a tag to take away; may be given several times")
	f.Var(&e.expires, "expires", "a new expiry: 2030-01-31T12:00:00Z, 2030-01-31, or from now: 12h, 30d")
	f.Var(&e.notBefore, "not-before", "a new time from when on it works, written like --expires")
	f.BoolVar(&e.enabled, "enabled", true, "enable it; --enabled=false disables it")
	f.Bool("clear-tags", false, "take all tags away")
	f.Bool("clear-expires", false, "let it never expire")
	f.Bool("clear-not-before", false, "let it work at once")
	f.Bool("clear-conditions", false, "let it work from everywhere and all day")
	f.Bool("clear-grants", false, "take all grants away")
	f.Bool("clear-denies", false, "take all denies away")
	f.Uint64Var(&e.revision, "if-revision", 0, "only if this is still the token's revision")
}

// patch returns the merge patch that the flags given ask for.
func (e *edit) patch(c *cobra.Command) (client.Patch, error) {
	given := func(name string) bool { return c.Flags().Changed(name) }
	asked := func(name string) bool { v, _ := c.Flags().GetBool(name); return v }
	for _, both := range [][2]string{
		{"expires", "clear-expires"}, {"not-before", "clear-not-before"}, {"tag", "clear-tags"},
		{"remove-tag", "clear-tags"}, {"grant", "clear-grants"}, {"deny", "clear-denies"},
		{"allow-from", "clear-conditions"}, {"deny-from", "clear-conditions"}, {"hours", "clear-conditions"},
		{"permissions", "clear-grants"}, {"permissions", "clear-denies"},
	} {
		if given(both[0]) && asked(both[1]) {
			return nil, usagef("--%s and --%s contradict each other: give one", both[0], both[1])
		}
	}
	p := client.Patch{}
	for _, f := range []struct {
		flag, field string
		value       any
	}{
		{"name", "name", e.name}, {"description", "description", e.description}, {"enabled", "enabled", e.enabled},
		{"expires", "expires_at", e.expires.t}, {"not-before", "not_before", e.notBefore.t},
	} {
		if given(f.flag) {
			p[f.field] = f.value
		}
	}
	for flag, field := range map[string]string{"clear-expires": "expires_at", "clear-not-before": "not_before", "clear-tags": "tags", "clear-conditions": "conditions"} {
		if asked(flag) {
			p[field] = nil
		}
	}
	if len(e.tags)+len(e.removeTags) > 0 {
		t := map[string]any{}
		for k, v := range e.tags {
			t[k] = v
		}
		for _, k := range e.removeTags {
			t[k] = nil
		}
		p["tags"] = t
	}
	if bounds := e.conditions.patch(); bounds != nil {
		p["conditions"] = bounds
	}
	permissions, err := e.permissionsPatch(c)
	if err != nil {
		return nil, err
	}
	if permissions != nil {
		p["permissions"] = permissions
	}
	if len(p) == 0 {
		return nil, usagef("there is nothing to change: name a field, see '%s --help'", c.CommandPath())
	}
	return p, nil
}

// permissionsPatch returns what to change of the permissions; nil for nothing.
func (e *edit) permissionsPatch(c *cobra.Command) (any, error) {
	whole, err := e.permissions.wire(c.InOrStdin())
	if err != nil {
		return nil, err
	}
	p := map[string]any{}
	if e.file != "" {
		p["allow"], p["deny"] = orEmpty(whole.Allow), orEmpty(whole.Deny)
		p["mode"] = whole.Mode
		if whole.Mode == "" {
			p["mode"] = "union"
		}
		return p, nil
	}
	if len(e.permissions.allow) > 0 {
		p["allow"] = whole.Allow
	}
	if len(e.permissions.deny) > 0 {
		p["deny"] = whole.Deny
	}
	if e.mode != "" {
		p["mode"] = e.mode
	}
	for flag, field := range map[string]string{"clear-grants": "allow", "clear-denies": "deny"} {
		if v, _ := c.Flags().GetBool(flag); v {
			p[field] = []wire.Grant{}
		}
	}
	if len(p) == 0 {
		if e.unverified {
			return nil, usagef("--unverified goes with --grant or --deny")
		}
		return nil, nil
	}
	return p, nil
}

func orEmpty(gs []wire.Grant) []wire.Grant {
	if gs == nil {
		return []wire.Grant{}
	}
	return gs
}
