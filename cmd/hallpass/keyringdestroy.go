package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/domain"
)

func newKeyringDestroy() *cobra.Command {
	var at keyringAt
	var conn connection
	var out output
	var force bool
	c := &cobra.Command{
		Use: "destroy ID", Short: "Take a key out of the keyring for good", Args: cobra.ExactArgs(1),
		Long: `Takes a key out of the keyring. What is sealed with it can never be shown again; its
tokens work as before. It is refused for the current key, and while the server says
that live secrets are under the key, or can't be asked: --force does it all the same.

The place of the old file is overwritten. That is all that can be promised: backups
and other copies of the keyring still have the key, and so may a file system that
keeps old blocks, or a disk that moves them. Where nodes share a stream each has a
copy: destroy the key in each. A running server forgets the key when it next looks
at the file, within seconds.`,
		Example: `  hallpass keyring list
  hallpass keyring destroy 01J9ZQ0V2M6T5N8R4C7B3A1XYZ --data /var/lib/hallpass`,
		RunE: func(c *cobra.Command, args []string) error {
			f, id := at.file(), domain.KeyID(args[0])
			// What is wrong with the file or the id comes before any question to a server.
			k, _, err := f.load()
			switch {
			case err != nil:
				return err
			case k == nil:
				return f.none()
			}
			if _, err := k.Without(id); err != nil {
				return err
			}
			if !force {
				if err := conn.noSecretsUnder(c.Context(), id); err != nil {
					return err
				}
			}
			err = f.change(c.Context(), true, func(k *api.Keyring) (*api.Keyring, error) {
				if k == nil {
					return nil, errors.New("the keyring has gone")
				}
				return k.Without(id)
			})
			if err != nil {
				return err
			}
			return out.print(c.OutOrStdout(), map[string]string{"destroyed": string(id), "file": f.path}, func(t *table) {
				t.row("key " + string(id) + " is out of the keyring " + f.path + ", and the old file's place overwritten")
				t.row("backups and other copies of the file still have it, and so may old blocks of the disk: see to them")
			})
		},
	}
	at.flags(c)
	conn.flags(c)
	out.flags(c)
	c.Flags().BoolVar(&force, "force", false, "though secrets are under it, or the server can't be asked: they are never shown again")
	return c
}

// noSecretsUnder is nil when the server says that no live secret is under the key.
func (o *connection) noSecretsUnder(ctx context.Context, id domain.KeyID) error {
	const all = "--force destroys the key all the same"
	cl, err := o.client()
	if err != nil {
		return fmt.Errorf("the server can't be asked whether secrets are under the key: %w; %s", err, all)
	}
	k, err := cl.Keyring(ctx)
	if err != nil {
		return fmt.Errorf("the server did not say whether secrets are under the key: %w; %s", err, all)
	}
	for _, key := range k.Keys {
		if key.ID == string(id) && key.Secrets > 0 {
			return fmt.Errorf("%s under that key could never be shown again: wait until the server has put all under the current one ('hallpass keyring list'); %s", plural(key.Secrets, "live secret"), all)
		}
	}
	return nil
}
