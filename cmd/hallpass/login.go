package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newLogin() *cobra.Command {
	var server, token string
	var out output
	c := &cobra.Command{
		Use: "login", Short: "Keep a server's address and a credential for later commands", Args: cobra.NoArgs,
		Long: `Asks the server who the secret belongs to, then keeps the server's address and the
secret in hallpass/config.json in your configuration directory, readable by you
alone. The secret is asked for without showing it, or read from stdin; later
commands send it to this server only.`,
		Example: `  hallpass login --server https://hallpass.example.com
  hallpass login < secret.txt`,
		RunE: func(c *cobra.Command, _ []string) error {
			old, _ := readLogin() // a broken one is about to be replaced
			server := cmp.Or(server, old.Server, defaultServer)
			secret := token
			if secret == "" {
				var err error
				if secret, err = askSecret(c, server); err != nil {
					return err
				}
			}
			cl, err := newClient(server, secret, 30*time.Second)
			if err != nil {
				return err
			}
			me, err := cl.Whoami(c.Context())
			if err != nil {
				return err
			}
			path, err := writeLogin(login{Server: cl.Server(), Token: secret})
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), map[string]any{"server": cl.Server(), "account": me.Account, "token": me.ID, "file": path},
				func(t *table) {
					t.row("server", cl.Server())
					t.row("logged in as", me.Account+"/"+me.ID)
					t.row("kept in", path)
				})
		},
	}
	c.Flags().StringVar(&server, "server", "", "the server's address (default: that of the last login, else "+defaultServer+")")
	c.Flags().StringVar(&token, "token", "", "the secret; on a command line others on this machine can see it (ps): leave it out to be asked")
	out.flags(c)
	return c
}

// askSecret reads a secret from the terminal without echo, or the first line
// of what stdin is instead.
func askSecret(c *cobra.Command, server string) (string, error) {
	in := c.InOrStdin()
	var secret string
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "secret for %s: ", printable(server))
		data, err := term.ReadPassword(int(f.Fd()))
		_, _ = fmt.Fprintln(c.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("reading the secret: %w", err)
		}
		secret = string(data)
	} else {
		line, err := bufio.NewReader(io.LimitReader(in, 64<<10)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", fmt.Errorf("reading the secret: %w", err)
		}
		secret = line
	}
	if secret = strings.TrimSpace(secret); secret == "" {
		return "", usagef("there is no secret on stdin: pipe one in, or run it on a terminal to be asked")
	}
	return secret, nil
}
