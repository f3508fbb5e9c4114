package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hallpass/api"
	"hallpass/domain"
)

// makeKeyring makes the keyring of a server that stands alone. One whose stream
// holds sealed secrets had a keyring already: a new one would hide that it is
// not where it was. Any server says what it can't show again.
func (n *node) makeKeyring(ctx context.Context, svc *api.Service) error {
	path := n.keys.file.path
	under, err := svc.SecretsUnder(ctx)
	alone := n.flags.nats.URL == "" && n.flags.others.cluster == ""
	k := n.keys.now()
	maps.DeleteFunc(under, func(id domain.KeyID, _ int) bool { return k.Has(id) })
	switch {
	case err != nil:
		return err
	case k != nil && len(under) > 0:
		n.logger.Warn("the stream holds secrets that are sealed with keys which the keyring does not have: bring them back if there is a copy", "file", path, "keys", slices.Sorted(maps.Keys(under)))
		return nil
	case k != nil:
		return nil
	case len(under) > 0:
		n.logger.Warn("there is no keyring, and the stream holds secrets that are sealed: bring it back, or go on without them with 'hallpass keyring make'", "file", path)
		return nil
	case !alone:
		return nil
	}
	id, made, err := makeKeyring(ctx, n.keys.file)
	if err != nil {
		return fmt.Errorf("making the keyring: %w", err)
	}
	if made {
		n.logger.Info("a keyring was made", "file", path, "current", id)
	}
	return nil
}

// inBackground runs do until the function that it returns is called, which
// waits for its end.
func inBackground(do func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
