package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
)

var tokenHead = []string{"ID", "NAME", "STATE", "EXPIRES", "GRANTS", "CREATED", "LAST USED", "REVISION"}

func tokenRow(t wire.Token) []string {
	grants := grantList(t.Permissions.Allow)
	if len(t.Permissions.Deny) > 0 {
		grants = strings.TrimSpace(grants + " deny " + grantList(t.Permissions.Deny))
	}
	return []string{t.ID, t.Name, t.State, when(t.ExpiresAt), grants, stamp(t.CreatedAt), lastUsed(t), number(t.Revision)}
}

// grantList writes grants as --grant takes them, the first three.
func grantList(gs []wire.Grant) string {
	var out []string
	for _, g := range gs {
		if len(out) == 3 {
			out = append(out, "…")
			break
		}
		out = append(out, grantText(g))
	}
	return strings.Join(out, " ")
}

func grantText(g wire.Grant) string { return g.Resource + ":" + strings.Join(g.Actions, ",") }

// describe writes a token in full, a field a line.
func describe(tb *table, t wire.Token) {
	field := func(name, value string) {
		if value != "" {
			tb.row(name, value)
		}
	}
	field("account", t.Account)
	field("id", t.ID)
	field("name", t.Name)
	field("description", t.Description)
	field("tags", pairs(t.Tags))
	field("state", t.State)
	field("reason", strings.TrimSpace(t.Reason+" "+t.ReasonText))
	field("kind", t.Kind)
	field("parent", t.Parent)
	field("origin", t.Origin)
	field("imported", yesNo(t.Imported))
	field("revealable", yesNo(t.Revealable))
	field("immutable", yesNo(t.Immutable))
	field("not before", when(t.NotBefore))
	field("expires", when(t.ExpiresAt))
	field("mode", t.Permissions.Mode)
	for _, g := range t.Permissions.Allow {
		field("allow", grantText(g))
	}
	for _, g := range t.Permissions.Deny {
		field("deny", grantText(g))
	}
	if c := t.Conditions; c != nil {
		field("allow from", strings.Join(c.Allow, " "))
		field("deny from", strings.Join(c.Deny, " "))
		if c.Window != nil {
			field("hours", hoursText(c.Window))
		}
	}
	if t.Previous != nil {
		older := "older secrets work until " + when(t.Previous)
		if t.Retires {
			older += ", or the newest is used"
		}
		field("secrets", older)
	}
	field("issued by", t.IssuedBy)
	field("created", stamp(t.CreatedAt))
	field("modified", stamp(t.ModifiedAt))
	field("last used", lastUse(t))
	field("generation", number(t.Generation))
	field("revision", number(t.Revision))
}

// printSecret prints a token with the secret that no later answer shows.
func (o *inAccount) printSecret(c *cobra.Command, t wire.Token, secret client.Secret) error {
	whole := t
	whole.Secret = secret.Reveal()
	return o.print(c.OutOrStdout(), whole, func(tb *table) {
		describe(tb, t)
		switch {
		case secret != "" && t.Revealable:
			tb.row("secret", secret.Reveal()+" (shown again by 'hallpass token reveal')")
		case secret != "":
			tb.row("secret", secret.Reveal()+" (shown only this once)")
		case !t.Imported:
			tb.row("secret", "not shown again: this was done before, with the same --idempotency-key; rotate to get another")
		}
		if line := receiptLine("in effect", t.Receipt); line != "" {
			tb.row(line)
		}
	})
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

var eventHead = []string{"REVISION", "TIME", "TYPE", "TOKEN", "BY", "NOTE"}

func eventRow(e wire.Event) []string {
	about := e.Account
	if e.Token != "" {
		about += "/" + e.Token
	}
	by := e.Actor.Account + "/" + e.Actor.Token
	if e.Actor.Operator {
		by = "operator"
	}
	note := ""
	if e.Void != "" {
		note = "void: " + e.Void
	}
	return []string{number(e.Revision), e.Time.UTC().Format(time.RFC3339Nano), e.Type, about, by, note}
}
