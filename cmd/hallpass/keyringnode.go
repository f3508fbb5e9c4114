package main

import (
	"context"
	"fmt"

	"hallpass/api"
)

// makeKeyring makes the keyring of a server that stands alone. One whose stream
// holds sealed secrets had a keyring already: a new one would hide that it is
// not where it was.
func (n *node) makeKeyring(ctx context.Context, svc *api.Service) error {
	if n.keys.now() != nil {
		return nil
	}
	path := n.keys.file.path
	under, err := svc.SecretsUnder(ctx)
	alone := n.flags.nats.URL == "" && n.flags.others.cluster == ""
	switch {
	case err != nil:
		return err
	case len(under) > 0:
		n.logger.Warn("there is no keyring, and the stream holds secrets that are sealed: bring it back, or go on without them with 'hallpass keyring make'", "file", path)
		return nil
	case !alone:
		return nil
	}
	id, err := makeKeyring(ctx, n.keys.file)
	if err != nil {
		return fmt.Errorf("making the keyring: %w", err)
	}
	n.logger.Info("a keyring was made", "file", path, "current", id)
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
