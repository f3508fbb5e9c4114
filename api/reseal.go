package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hallpass/domain"
	"hallpass/projections"
)

const (
	resealLook    = 2 * time.Second      // how often the keyring is looked at
	resealAgain   = 10 * time.Minute     // how often all secrets are, though the keyring is the same: another node may have sealed with an older key
	resealStagger = time.Second          // within which nodes begin that see a new key at once
	resealPause   = 2 * time.Millisecond // between two records at least; else as long as the last one took
	resealScan    = 256                  // tokens looked at in one go
	resealRetry   = 30 * resealLook      // after a pass that could not finish
)

// resealing is what metrics tell of Reseal.
type resealing struct {
	done, left, stuck atomic.Int64
}

// Reseal puts every live secret under the current key that is under an older
// one, whenever the keyring has changed and now and then, until ctx ends. Older
// are the keys that stand before the current one: nodes whose keyrings differ
// for a while never undo each other's work. A secret whose key this node lacks
// is left to others. It can be stopped anywhere: what is left is found again.
func (s *Service) Reseal(ctx context.Context) {
	if s.Ready(ctx) != nil {
		return
	}
	var seen *Keyring
	var due time.Time
	for pause(ctx, resealLook) {
		k := s.keyring()
		if k == nil || k == seen && time.Now().Before(due) {
			continue
		}
		seen, due = k, time.Now().Add(resealAgain)
		if !s.resealAll(ctx, k) {
			due = time.Now().Add(resealRetry)
		}
	}
}

// pause tells whether ctx still stands after that time.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// stale is a secret that is under an older key.
type stale struct {
	domain.Target
	digest domain.Digest
}

// resealAll tells whether nothing is left that k could do.
func (s *Service) resealAll(ctx context.Context, k *Keyring) bool {
	todo, missing := s.staleSecrets(ctx, k)
	s.reseals.left.Store(int64(len(todo)))
	s.reseals.stuck.Store(int64(missing))
	if len(todo) == 0 || len(s.proj.Members()) > 1 && !pause(ctx, rand.N(resealStagger)) { //nolint:gosec // no secret comes of it
		return len(todo) == 0
	}
	// In an order of its own, each node does its share of what all have to do.
	rand.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] }) //nolint:gosec // the same
	s.logger.Info("secrets are put under the current key", "key", k.Current(), "secrets", len(todo), "key_missing", missing)
	began, done, stuck := time.Now(), 0, 0
	var failed error
	for _, one := range todo {
		before := time.Now()
		changed, err := s.reseal(ctx, k, one)
		switch {
		case errors.Is(err, errBoxDiffers):
			stuck++
			s.reseals.stuck.Add(1)
			s.logger.Error("a secret can't be put under the current key", "account", one.Account, "token", one.Token, "error", err)
		case err != nil:
			failed = err
		case changed:
			done++
			s.reseals.done.Add(1)
		}
		busy := domain.CodeOf(err) == domain.CodeConflict // this one alone
		if err == nil {
			s.reseals.left.Add(-1)
		}
		if failed != nil && !busy || changed && !pause(ctx, max(resealPause, time.Since(before))) || ctx.Err() != nil {
			break
		}
	}
	if failed != nil || ctx.Err() != nil {
		s.logger.Warn("not every secret is under the current key yet: it is gone on with later", "key", k.Current(), "done", done, "error", failed)
		return false
	}
	s.logger.Info("the secrets that could be are under the current key", "key", k.Current(), "done", done, "by_others", len(todo)-done-stuck, "not_opened", stuck, "took", time.Since(began))
	return true
}

// staleSecrets returns the secrets under older keys of k, and counts those
// under keys that it lacks.
func (s *Service) staleSecrets(ctx context.Context, k *Keyring) (todo []stale, missing int) {
	_ = s.eachSealed(ctx, func(at domain.Target, held domain.Held) {
		switch {
		case k.older(held.Sealed.Key):
			todo = append(todo, stale{at, held.Digest})
		case !k.Has(held.Sealed.Key):
			missing++
		}
	}) // cut short, it is found out by who goes on
	return todo, missing
}

// reseal tells whether it put the secret under the current key. One that no
// longer is, or is under it already, is no error.
func (s *Service) reseal(ctx context.Context, k *Keyring, one stale) (changed bool, _ error) {
	state, _ := s.proj.Directory.State(one.Target)
	if held := heldBy(&state.Token, one.digest); held == nil || !k.older(held.Sealed.Key) {
		return false, nil
	}
	var differs error
	r, err := s.change(ctx, s.Operator(), one.Target, WaitCommit, func(_ Caller, state domain.State) (domain.Command, error) {
		cmd := domain.ResealToken{Account: one.Account, Token: one.Token, Digest: one.digest}
		held := heldBy(&state.Token, one.digest)
		if held == nil || !k.older(held.Sealed.Key) {
			return cmd, nil // nothing to do
		}
		secret, err := k.open(one.Account, one.Token, *held)
		if err != nil {
			differs = err
			return cmd, err
		}
		sealed, err := k.seal(one.Account, one.Token, secret)
		if err != nil {
			return cmd, err
		}
		cmd.Was, cmd.Sealed = held.Sealed.Key, *sealed
		return cmd, nil
	})
	if err != nil && differs != nil {
		return false, fmt.Errorf("opening it: %w", differs)
	}
	return r.Changed, err
}

// heldBy returns the sealed secret of that digest; nil if there is none.
func heldBy(t *domain.Token, d domain.Digest) *domain.Held {
	for i := range t.Secrets {
		if t.Secrets[i].Digest == d && t.Secrets[i].Sealed != nil {
			return &t.Secrets[i]
		}
	}
	return nil
}

// eachSealed calls f for every live secret that is kept sealed, as it stands
// when it comes by. Its error is that of ctx.
func (s *Service) eachSealed(ctx context.Context, f func(domain.Target, domain.Held)) error {
	d, now := s.proj.Directory, s.now()
	for after, more := projections.Cursor(0), true; more; {
		var accounts []domain.Account
		accounts, after, more = d.Accounts(after, resealScan)
		for i := range accounts {
			if accounts[i].State == domain.AccountIsClosed {
				continue
			}
			for after, more := projections.Cursor(0), true; more; {
				var tokens []*domain.Token
				tokens, after, more = d.Tokens(accounts[i].ID, projections.Filter{}, after, resealScan)
				for _, t := range tokens {
					eachHeld(t, now, f)
				}
				if err := ctx.Err(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func eachHeld(t *domain.Token, now domain.Instant, f func(domain.Target, domain.Held)) {
	for _, held := range t.Secrets {
		if held.Sealed != nil && (held.Until == 0 || now < held.Until) {
			f(domain.Target{Account: t.Account, Token: t.ID}, held)
		}
	}
}

// register shows how far Reseal is.
func (r *resealing) register(to prometheus.Registerer) {
	to.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hallpass_reseals_total", Help: "Secrets that this node has put under the current key of its keyring."},
			func() float64 { return float64(r.done.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hallpass_reseal_left", Help: "Secrets under older keys that this node still has to put under the current one."},
			func() float64 { return float64(r.left.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hallpass_reseal_stuck", Help: "Live secrets that this node can't open, as seen when it last looked: their key is not in its keyring, or they were altered."},
			func() float64 { return float64(r.stuck.Load()) }),
	)
}
