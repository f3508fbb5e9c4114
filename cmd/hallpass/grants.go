package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/wire"
)

// permissions is the flags that say what a token may do.
type permissions struct {
	allow, deny grants
	mode        string
	unverified  bool
	file        string
}

func (p *permissions) flags(c *cobra.Command) {
	c.Flags().Var(&p.allow, "grant", "what to allow, as RESOURCE:ACTION[,ACTION...]; may be given several times")
	c.Flags().Var(&p.deny, "deny", "what to refuse in any case, written like --grant; may be given several times")
	c.Flags().StringVar(&p.mode, "mode", "", "how grants are read: union (any will do; the default) or first_match (the first whose resource matches decides)")
	c.Flags().BoolVar(&p.unverified, "unverified", false, "take actions that the catalogue doesn't know")
	c.Flags().StringVar(&p.file, "permissions", "", "a file with the permissions as JSON, in place of the flags above; - is stdin")
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"union", "first_match"}, cobra.ShellCompDirectiveNoFileComp))
}

// wire returns the permissions asked for; nil when no flag says anything.
func (p *permissions) wire(stdin io.Reader) (*wire.Permissions, error) {
	if p.file != "" {
		if len(p.allow)+len(p.deny) > 0 || p.mode != "" {
			return nil, usagef("--permissions stands in place of --grant, --deny and --mode: give the one or the others")
		}
		return readPermissions(p.file, stdin)
	}
	if len(p.allow)+len(p.deny) == 0 && p.mode == "" {
		return nil, nil
	}
	return &wire.Permissions{Mode: p.mode, Allow: p.allow.wire(p.unverified), Deny: p.deny.wire(p.unverified)}, nil
}

func readPermissions(file string, stdin io.Reader) (*wire.Permissions, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(stdin)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the permissions: %w", err)
	}
	var p wire.Permissions
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf(`%s does not hold permissions, as {"allow":[{"resource":"/device","actions":["*"]}]}: %w`, file, err)
	}
	if d.Decode(new(any)) != io.EOF {
		return nil, fmt.Errorf("%s holds more than one JSON value", file)
	}
	return &p, nil
}

// grants is a flag's RESOURCE:ACTION,… values.
type grants []wire.Grant

func (g *grants) Type() string { return "grant" }
func (g *grants) String() string {
	return strings.Join(g.GetSlice(), " ")
}

func (g *grants) Set(text string) error {
	grant, err := parseGrant(text)
	if err != nil {
		return err
	}
	*g = append(*g, grant)
	return nil
}

// Append, Replace and GetSlice make grants a flag that may come several times.
func (g *grants) Append(text string) error { return g.Set(text) }
func (g *grants) Replace(all []string) error {
	*g = nil
	for _, text := range all {
		if err := g.Set(text); err != nil {
			return err
		}
	}
	return nil
}

func (g *grants) GetSlice() []string {
	out := []string{}
	for _, grant := range *g {
		out = append(out, grantText(grant))
	}
	return out
}

func (g grants) wire(unverified bool) []wire.Grant {
	out := []wire.Grant{}
	for _, grant := range g {
		grant.Unverified = unverified
		out = append(out, grant)
	}
	return out
}

// parseGrant cuts at the last colon: resources may hold colons, actions can't.
func parseGrant(text string) (wire.Grant, error) {
	at := strings.LastIndexByte(text, ':')
	if at <= 0 || at == len(text)-1 {
		return wire.Grant{}, errors.New("a grant is written as RESOURCE:ACTION[,ACTION...], for example /device/thermo1:ReadBucket or /:*")
	}
	g := wire.Grant{Resource: text[:at]}
	for a := range strings.SplitSeq(text[at+1:], ",") {
		if a = strings.TrimSpace(a); a == "" {
			return wire.Grant{}, errors.New("a grant's actions are parted by single commas")
		}
		g.Actions = append(g.Actions, a)
	}
	return g, nil
}
