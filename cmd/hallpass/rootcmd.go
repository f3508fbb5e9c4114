package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// bootstrap makes the root token at the first start, and returns its secret
// only then.
func (n *node) bootstrap(ctx context.Context, svc *api.Service) (domain.Secret, error) {
	if err := makeDataDir(n.flags.data); err != nil {
		return domain.Secret{}, err
	}
	keep := rootFileIn(n.flags.data)
	out, err := untilRoot(ctx, func() (api.RootOutcome, error) { return api.Bootstrap(ctx, svc, keep, n.wanted) }, n.logger)
	if err != nil {
		return domain.Secret{}, fmt.Errorf("seeing to the root token: %w", err)
	}
	if out.Ignored {
		n.logger.Warn("HALLPASS_ROOT_TOKEN is ignored: the root token exists already and has another secret; 'hallpass root reset' makes a new one")
	}
	if out.Revoked {
		n.logger.Warn("the root token is revoked; if no other token can manage accounts, stop the server and run 'hallpass root reset'")
	}
	if !out.Secret.IsZero() {
		n.logger.Info("first start: the root token was issued", "file", keep.path)
	}
	return out.Secret, nil
}

// untilRoot tries again where nodes that start together may be in each other's
// way: the stream may be without a leader for a while. Trying again is safe: the
// secret is kept before it is used.
func untilRoot(ctx context.Context, try func() (api.RootOutcome, error), logger *slog.Logger) (api.RootOutcome, error) {
	for {
		out, err := try()
		switch domain.CodeOf(err) {
		case domain.CodeNotReady, domain.CodeStale, domain.CodeUnknown, domain.CodeConflict, domain.CodeReplicaDamaged:
		default:
			return out, err
		}
		logger.Warn("the root token can't be seen to yet", "error", err)
		select {
		case <-ctx.Done():
			return out, err
		case <-time.After(rootPause):
		}
	}
}

const rootPause = 200 * time.Millisecond

// makeDataDir makes the directory of the root token; the embedded stream would
// have made it already.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data directory can't be made: %w: choose another with --data", err)
	}
	return nil
}

func newRootGroup() *cobra.Command {
	c := &cobra.Command{Use: "root", Short: "Reset the root token of a stopped server"}
	c.AddCommand(newRootReset())
	return c
}

func newRootReset() *cobra.Command {
	var data string
	var out output
	c := &cobra.Command{
		Use: "reset", Short: "End the root token and issue a new one, with the server stopped", Args: cobra.NoArgs,
		Long: `Ends the token root of the account root and issues it anew, as records in the
stream like any other change. The new secret is printed once and kept in the file
root-token under --data. Whoever may write to the data directory may do this.`,
		RunE: func(c *cobra.Command, _ []string) error {
			secret, err := resetRoot(c, data)
			if err != nil {
				return err
			}
			file := rootFileIn(data).path
			return out.print(c.OutOrStdout(), map[string]string{"secret": secret.Reveal(), "file": file}, func(t *table) {
				t.row("root token:", secret.Reveal())
			})
		},
	}
	c.Flags().StringVar(&data, "data", defaultData, "the directory of the embedded stream")
	out.flags(c)
	return c
}

func resetRoot(c *cobra.Command, data string) (_ domain.Secret, err error) {
	ctx := c.Context()
	if _, err := os.Stat(filepath.Join(data, "jetstream")); err != nil {
		return domain.Secret{}, fmt.Errorf("there is no stream in %s: give the server's directory with --data", data)
	}
	logger, err := newLogger(c.ErrOrStderr(), "text", "warn")
	if err != nil {
		return domain.Secret{}, err
	}
	log, err := eventstore.OpenEmbedded(ctx, eventstore.EmbedConfig{Dir: data, Logger: logger})
	if err != nil {
		return domain.Secret{}, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	shown := newProgress(os.Stderr, logger)
	head, err := eventstore.OpenHead(filepath.Join(data, headFile))
	if err != nil {
		return domain.Secret{}, err
	}
	defer head.Close() //nolint:errcheck // what counts was synced
	self, err := identityIn(data, "")
	if err != nil {
		return domain.Secret{}, err
	}
	p := projections.Open(log, projections.Config{Logger: logger, Progress: shown.show, Node: self, Head: head})
	defer p.Close()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveFor)
		defer cancel()
		err = errors.Join(err, p.Leave(ctx))
	}()
	if err := p.Ready(ctx); err != nil {
		return domain.Secret{}, fmt.Errorf("reading the stream: %w", err)
	}
	shown.done()
	svc := api.NewService(api.ServiceConfig{Log: log, Projection: p, Logger: logger})
	return api.ResetRoot(ctx, svc, rootFileIn(data))
}
