package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hallpass/api/client"
	"hallpass/api/wire"
)

// issueFlags is the flags of a token to be made.
type issueFlags struct {
	permissions
	conditions
	body               wire.IssueToken
	expires, notBefore moment
	disabled           bool
	secretFile, digest string
	once               string
	expiry             string // what is so when --expires is left out
}

func (f *issueFlags) flags(c *cobra.Command) {
	f.body.Tags = map[string]string{}
	f.permissions.flags(c)
	f.conditions.flags(c)
	s := c.Flags()
	s.StringVar(&f.body.Name, "name", "", "a name for people (default: the id)")
	s.StringVar(&f.body.Description, "description", "", "what it is for; at most 1024 bytes")
	s.Var(tags(f.body.Tags), "tag", "a tag, as KEY=VALUE; may be given several times")
	s.Var(&f.expires, "expires", "when it expires: 2030-01-31T12:00:00Z, 2030-01-31, or from now: 12h, 30d (default: "+f.expiry+")")
	s.Var(&f.notBefore, "not-before", "from when on it works, written like --expires (default: at once)")
	s.BoolVar(&f.disabled, "disabled", false, "make it disabled: it works once it is enabled")
	s.BoolVar(&f.body.Immutable, "immutable", false, "make it so that it can't be changed, only revoked")
	s.BoolVar(&f.body.Revealable, "revealable", false, "keep its secrets sealed, so that they can be shown again; takes a server with a keyring")
	s.StringVar(&f.secretFile, "import-secret-file", "", "a file with a secret from another system, to be this token's; - is stdin")
	s.StringVar(&f.digest, "import-digest", "", "the SHA-256 of such a secret, as sha256: and 64 hex digits")
	onceFlag(c, &f.once)
}

func onceFlag(c *cobra.Command, once *string) {
	c.Flags().StringVar(once, "idempotency-key", "", "what marks this request: sent again within a day, it does nothing more and shows no secret")
}

// wire returns what the flags ask for.
func (f *issueFlags) wire(c *cobra.Command, id string) (wire.IssueToken, error) {
	t := f.body
	var err error
	if t.Permissions, err = f.permissions.wire(c.InOrStdin()); err != nil {
		return t, err
	}
	t.Conditions = f.conditions.wire()
	t.ID, t.Name = id, cmp.Or(t.Name, id)
	t.NotBefore, t.ExpiresAt = f.notBefore.t, f.expires.t
	if f.disabled {
		t.Enabled = new(bool)
	}
	switch t.Digest = f.digest; {
	case f.secretFile == "":
	case f.digest != "":
		return t, usagef("--import-secret-file and --import-digest contradict each other: give one")
	case f.secretFile == "-" && f.file == "-":
		return t, usagef("--import-secret-file and --permissions can't both be stdin")
	default:
		t.Secret, err = readSecret(f.secretFile, c.InOrStdin())
	}
	return t, err
}

// mostSecret is what is read of a file with a secret, in bytes.
const mostSecret = 64 << 10

// readSecret reads a file that holds a secret and nothing else. Its errors hold
// none of it.
func readSecret(file string, stdin io.Reader) (string, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("reading the secret: %w", err)
		}
		defer f.Close() //nolint:errcheck // nothing was written
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, mostSecret))
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", errors.New("the file that --import-secret-file names holds no secret")
	}
	return secret, nil
}

// withOnce returns cl with the Idempotency-Key.
func withOnce(cl *client.Client, key string) *client.Client {
	o := cl.Options()
	o.Once = key
	return cl.With(o)
}

// forcing is --force.
type forcing bool

func (f *forcing) flags(c *cobra.Command) {
	c.Flags().BoolVar((*bool)(f), "force", false, "though no other token of the account could issue, edit and revoke its tokens")
}

// on returns cl with what the flag says.
func (f *forcing) on(cl *client.Client) *client.Client {
	o := cl.Options()
	o.Force = bool(*f)
	return cl.With(o)
}
