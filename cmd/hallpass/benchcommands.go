package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/domain"
	"hallpass/eventstore"
)

func newBenchCommands() *cobra.Command {
	var b bench
	var commands int
	var concurrent []int
	c := &cobra.Command{
		Use: "commands", Short: "Issue and edit tokens, beside bare publishing", Args: cobra.NoArgs,
		Long: `Issues and edits tokens as the API does, one synced append each, in turn with the
NATS library's PublishMsg of records of the same kind on the same stream.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if commands < 2 {
				return usagef("--commands is at least 2")
			}
			var ms []measurement
			for _, at := range concurrent {
				if at < 1 || at > 10_000 {
					return usagef("--concurrent is between 1 and 10000")
				}
				m, err := b.commands(c.Context(), commands, at)
				if err != nil {
					return err
				}
				ms = append(ms, m)
			}
			return b.report(c, ms)
		},
	}
	b.flags(c, 7)
	c.Flags().IntVar(&commands, "commands", 2000, "how many commands in a round")
	c.Flags().IntSliceVar(&concurrent, "concurrent", []int{1, 64}, "how many at once; several with commas")
	return c
}

func (b *bench) commands(ctx context.Context, commands, concurrent int) (measurement, error) {
	m := measurement{Name: fmt.Sprintf("commands, %d at once", concurrent), Unit: "commands", Yardstick: "PublishMsg"}
	dir, remove, err := b.tempDir()
	if err != nil {
		return m, err
	}
	defer remove()
	n, err := openBench(ctx, eventstore.EmbedConfig{Dir: dir})
	if err != nil {
		return m, err
	}
	defer n.close()
	if err := newSample().fill(ctx, n, func() bool { return true }); err != nil {
		return m, err
	}
	if err := n.follow(ctx); err != nil {
		return m, err
	}
	by, err := n.svc.Authenticate(secretOf(-1).Reveal(), netip.Addr{})
	if err != nil {
		return m, err
	}
	var mine, theirs atomic.Int64
	return b.compare(m,
		inParallel(commands, concurrent, func() error { return n.commandTwo(ctx, by, int(mine.Add(1))) }),
		inParallel(commands, concurrent, func() error { return n.publishTwo(ctx, int(theirs.Add(1))) }))
}

// commandTwo issues the token with that number, and edits it.
func (n *benchNode) commandTwo(ctx context.Context, by api.Caller, k int) error {
	secret, err := n.svc.NewSecret()
	if err != nil {
		return err
	}
	id := domain.TokenID(fmt.Sprint("mine-", k))
	_, err = n.svc.Do(ctx, by, domain.IssueToken{
		Account: benchAccount, Token: id, Name: "sensor", Tags: []domain.Tag{{Key: "site", Value: "north"}},
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{
			{Resource: domain.Pattern(deviceOf(k)), Actions: []domain.Action{"AccessDeviceResources"}},
		}},
		Digest: secret.Digest(),
	}, api.WaitDefault)
	if err != nil {
		return err
	}
	name := "renamed"
	_, err = n.svc.Do(ctx, by, domain.EditToken{Account: benchAccount, Token: id, Name: &name}, api.WaitDefault)
	return err
}

// publishTwo is the two appends of commandTwo without the service: records of
// the same kinds, filed under a token that no command knows. The node folds
// them too.
func (n *benchNode) publishTwo(ctx context.Context, k int) error {
	s := &sample{next: domain.Seq(k)*2 + 1<<40}
	by := domain.Actor{Account: benchAccount, Token: benchAdmin, Generation: 1}
	id := domain.TokenID(fmt.Sprint("bare-", k))
	first, err := n.bare.Publish(ctx, s.entry(0, by, id, domain.TokenIssued{
		Generation: 1, Name: "sensor", Enabled: true, Kind: domain.KindAPI, Tags: []domain.Tag{{Key: "site", Value: "north"}},
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{
			{Resource: domain.Pattern(deviceOf(k)), Actions: []domain.Action{"AccessDeviceResources"}},
		}},
		Digest: secretOf(k).Digest(),
	}))
	if err != nil {
		return err
	}
	name := "renamed"
	_, err = n.bare.Publish(ctx, s.entry(first, by, id, domain.TokenEdited{Name: &name}))
	return err
}

// inParallel returns a round of that many commands: f, which does two of them,
// as often as it takes, so many at once.
func inParallel(commands, concurrent int, f func() error) func() (int, time.Duration, error) {
	return func() (int, time.Duration, error) {
		var begun atomic.Int64
		var wg sync.WaitGroup
		errs := make([]error, concurrent)
		began := time.Now()
		for w := range concurrent {
			wg.Go(func() {
				for errs[w] == nil && 2*begun.Add(1) <= int64(commands) {
					errs[w] = f()
				}
			})
		}
		wg.Wait()
		return commands / 2 * 2, time.Since(began), firstError(errs)
	}
}

// firstError returns the first error there is: those of workers are alike.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
