package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/api/wire"
	"hallpass/domain"
)

func newKeyring() *cobra.Command {
	c := &cobra.Command{
		Use: "keyring", Short: "Make, rotate, list and destroy the keys of secrets that may be shown again",
		Long: `The secret of a token that was issued with --revealable is kept in the stream,
sealed with a key of the keyring (AES-256-GCM), so that it can be shown again. The
keyring is a file, never part of the stream: keyring under --data, or what --keyring
names. A server that stands alone makes it. The nodes of a cluster, and those that
share a stream by --nats-url, all need the same file: make one, copy it to each,
mode 0600. A node that lacks a key answers key_missing where it would take the key,
and does all else.

A running server notices within seconds that the file has changed.`,
	}
	c.AddCommand(newKeyringMake(), newKeyringRotate(), newKeyringList(), newKeyringDestroy())
	return c
}

// keyringAt is the flags that say where the file is.
type keyringAt struct{ data, path string }

func (o *keyringAt) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.path, "keyring", "", "the keyring (default: the file keyring under --data)")
	c.Flags().StringVar(&o.data, "data", defaultData, "the server's data directory")
}

func (o *keyringAt) file() keyringFile { return keyringFileOf(o.path, o.data) }

// keyringFileOf returns the file that the flags --keyring and --data mean.
func keyringFileOf(path, data string) keyringFile {
	return keyringFile{cmp.Or(path, filepath.Join(data, keyringName))}
}

// newKey adds a key to k, made now.
func newKey(k *api.Keyring) (*api.Keyring, error) {
	var bits [32]byte
	var entropy [10]byte
	_, _ = rand.Read(bits[:]) // never fails
	_, _ = rand.Read(entropy[:])
	now := time.Now()
	return k.Add(domain.KeyID(domain.NewEventID(domain.InstantOf(now), entropy).String()), now, bits)
}

// makeKeyring makes the file with one key; nothing if it is there. It returns
// the current key.
func makeKeyring(ctx context.Context, f keyringFile) (current domain.KeyID, made bool, _ error) {
	err := f.change(ctx, false, func(k *api.Keyring) (*api.Keyring, error) {
		if k != nil {
			current = k.Current()
			return nil, nil
		}
		k, err := newKey(nil)
		current, made = k.Current(), true
		return k, err
	})
	return current, made, err
}

func newKeyringMake() *cobra.Command {
	var at keyringAt
	var out output
	var ifMissing bool
	c := &cobra.Command{
		Use: "make", Short: "Make a keyring where there is none", Args: cobra.NoArgs,
		Long: `Makes a keyring with one key, for nodes that share a stream: copy it to each of them,
mode 0600, owned by the server's user. A server that stands alone makes its own.

A keyring that is there is left as it is, and the exit code is 1; with --if-missing
it is 0, unless the file can't be used as a keyring.`,
		Example: `  hallpass keyring make --keyring /etc/hallpass/keyring
  hallpass keyring make --keyring /etc/hallpass/keyring --if-missing`,
		RunE: func(c *cobra.Command, _ []string) error {
			f := at.file()
			id, made, err := makeKeyring(c.Context(), f)
			switch {
			case err != nil:
				return err
			case !made && !ifMissing:
				return fmt.Errorf("there is a keyring at %s: 'hallpass keyring rotate' adds a key to it", f.path)
			}
			return out.print(c.OutOrStdout(), map[string]any{"current": id, "file": f.path, "made": made}, func(t *table) {
				if !made {
					t.row("there is a keyring at " + f.path + ", with " + string(id) + " as its current key: it stays as it is")
					return
				}
				t.row("key " + string(id) + " is the first of the keyring " + f.path)
				t.row("keep a copy where the stream's backups are not: without it no secret can be shown again")
			})
		},
	}
	at.flags(c)
	out.flags(c)
	c.Flags().BoolVar(&ifMissing, "if-missing", false, "leave a keyring that is there as it is, and be content")
	return c
}

func newKeyringRotate() *cobra.Command {
	var at keyringAt
	var out output
	c := &cobra.Command{
		Use: "rotate", Short: "Add a key to the keyring and make it the current one", Args: cobra.NoArgs,
		Long: `Adds a key to the keyring and makes it the current one: within seconds the running
server seals new secrets with it, and puts those under older keys under it, one by
one, in the background. The older keys stay in the file until they are destroyed.

Where nodes share a stream: rotate one copy of the file, copy that to every node at
once (to a temporary name beside the old one, then mv), and wait until 'hallpass
keyring list' shows no secrets under the older keys. Until a node has the new file it
answers key_missing for what others have put under the new key.`,
		Example: `  hallpass keyring rotate --data /var/lib/hallpass
  hallpass keyring list`,
		RunE: func(c *cobra.Command, _ []string) error {
			f := at.file()
			var id domain.KeyID
			err := f.change(c.Context(), false, func(k *api.Keyring) (*api.Keyring, error) {
				if k == nil {
					return nil, fmt.Errorf("%w, or make one with 'hallpass keyring make'", f.none())
				}
				k, err := newKey(k)
				id = k.Current()
				return k, err
			})
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), map[string]string{"current": string(id), "file": f.path}, func(t *table) {
				t.row("key " + string(id) + " is the current one of the keyring " + f.path)
				t.row("a running server puts all secrets under it: 'hallpass keyring list' shows how far it is")
			})
		},
	}
	at.flags(c)
	out.flags(c)
	return c
}

var keyHead = []string{"KEY", "CREATED", "CURRENT", "ON THIS NODE", "SECRETS"}

func keyRow(k wire.Key) []string {
	return []string{k.ID, when(k.CreatedAt), yesNo(k.Current), yesNo(k.Here), strconv.Itoa(k.Secrets)}
}

func newKeyringList() *cobra.Command {
	var conn connection
	var out output
	c := &cobra.Command{
		Use: "list", Short: "List the keys, and how many secrets are under each", Args: cobra.NoArgs,
		Long: `Lists the keys of the server that is asked, and those that it lacks though secrets
are under them: never the keys themselves. SECRETS are the live ones that the server
knows of. It takes ReadAudit on /audit of the account root.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := conn.client()
			if err != nil {
				return err
			}
			k, err := cl.Keyring(c.Context())
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), k, func(t *table) {
				t.row(keyHead...)
				for _, key := range k.Keys {
					t.row(keyRow(key)...)
				}
			})
		},
	}
	conn.flags(c)
	out.flags(c)
	return c
}
