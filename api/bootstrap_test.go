package api

import (
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// node is a service over a log that others may share.
func node(t *testing.T, log eventstore.Log) *Service {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	p := projections.Open(log, projections.Config{Logger: logger})
	t.Cleanup(p.Close)
	s := NewService(ServiceConfig{Log: log, Projection: p, Logger: logger})
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func works(t *testing.T, s *Service, secret domain.Secret) bool {
	t.Helper()
	if err := s.proj.Position.Wait(t.Context(), last(t, s)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Authenticate(secret.Reveal(), netip.Addr{})
	if err == nil && !c.Authority.Everywhere() {
		t.Error("the root token may not do everything")
	}
	return err == nil
}

func last(t *testing.T, s *Service) Seq {
	t.Helper()
	n, err := s.log.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func secretOf(b byte) domain.Secret { return domain.NewSecret([32]byte{b}) }

func TestBootstrap(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	keep := &keeper{}
	s := node(t, log)
	first, err := Bootstrap(t.Context(), s, keep, domain.Secret{})
	if err != nil || first.Secret.IsZero() || keep.secret != first.Secret || !works(t, s, first.Secret) {
		t.Fatalf("the first start: %+v, %v", first, err)
	}
	for _, supplied := range []domain.Secret{{}, first.Secret, secretOf(1)} {
		s := node(t, log)
		before := last(t, s)
		later, err := Bootstrap(t.Context(), s, keep, supplied)
		if err != nil || !later.Secret.IsZero() || keep.secret != first.Secret || last(t, s) != before {
			t.Errorf("a later start: %+v, %v", later, err)
		}
		if later.Ignored != (supplied == secretOf(1)) {
			t.Errorf("a later start ignores: %v", later.Ignored)
		}
	}
}

func TestBootstrapWithASuppliedSecret(t *testing.T) {
	keep := &keeper{secret: secretOf(2)} // of a start that was interrupted
	s := node(t, eventstore.NewMemory(eventstore.MemoryConfig{}))
	out, err := Bootstrap(t.Context(), s, keep, secretOf(1))
	if err != nil || out.Secret != secretOf(1) || keep.secret != secretOf(1) || !works(t, s, secretOf(1)) || works(t, s, secretOf(2)) {
		t.Errorf("%+v, %v", out, err)
	}
}

// A start that dies at any point is finished by the next.
func TestBootstrapInterrupted(t *testing.T) {
	died := errors.New("died")
	for point, fails := range []func(*eventstoretest.Faulty, *failingKeeper){
		func(l *eventstoretest.Faulty, _ *failingKeeper) { l.OnAppend(full("account.opened")) },
		func(_ *eventstoretest.Faulty, k *failingKeeper) { k.err = died },
		func(l *eventstoretest.Faulty, _ *failingKeeper) { l.OnAppend(full("token.issued")) },
	} {
		log := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
		keep := &failingKeeper{}
		fails(log, keep)
		if out, err := Bootstrap(t.Context(), node(t, log), keep, domain.Secret{}); err == nil || !out.Secret.IsZero() {
			t.Fatalf("%d: %+v, %v", point, out, err)
		}
		kept := keep.secret
		log.OnAppend(nil)
		keep.err = nil
		s := node(t, log)
		out, err := Bootstrap(t.Context(), s, keep, domain.Secret{})
		if err != nil || out.Secret.IsZero() || out.Secret != keep.secret || !works(t, s, out.Secret) {
			t.Errorf("%d: %+v, %v", point, out, err)
		}
		if !kept.IsZero() && kept != out.Secret {
			t.Errorf("%d: the kept secret was not used", point)
		}
	}
}

type failingKeeper struct {
	keeper
	err error
}

func (k *failingKeeper) Save(s domain.Secret) error {
	if k.err != nil {
		return k.err
	}
	return k.keeper.Save(s)
}

func full(typ string) func(eventstore.Entry) eventstoretest.Fault {
	return func(e eventstore.Entry) eventstoretest.Fault {
		if e.Type == typ+".1" {
			return eventstoretest.Full
		}
		return eventstoretest.None
	}
}

// Nodes that start at once on one stream make one root.
func TestBootstrapRace(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	const n = 4
	var wg sync.WaitGroup
	keeps, outs := make([]keeper, n), make([]RootOutcome, n)
	services := make([]*Service, n)
	for i := range n {
		services[i] = node(t, log)
	}
	for i := range n {
		wg.Go(func() {
			var err error
			if outs[i], err = Bootstrap(t.Context(), services[i], &keeps[i], domain.Secret{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	won := 0
	for i := range n {
		if !outs[i].Secret.IsZero() {
			won++
			if keeps[i].secret != outs[i].Secret || !works(t, services[i], outs[i].Secret) {
				t.Error("the winner's secret does not work")
			}
		} else if !keeps[i].secret.IsZero() {
			t.Error("a loser keeps its secret")
		}
	}
	if won != 1 {
		t.Errorf("%d nodes won", won)
	}
}

// A loser that crashed before it could tidy up does so at its next start; a
// secret that the token once had stays where it is.
func TestKeptSecretOfALoser(t *testing.T) {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	s := node(t, log)
	first, err := Bootstrap(t.Context(), s, &keeper{}, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	loser := &keeper{secret: secretOf(3)}
	if _, err := Bootstrap(t.Context(), node(t, log), loser, domain.Secret{}); err != nil || !loser.secret.IsZero() {
		t.Errorf("the loser keeps its secret (%v)", err)
	}
	if _, err := s.Do(t.Context(), s.Operator(), domain.RotateToken{Account: "root", Token: "root", Digest: secretOf(4).Digest()}, WaitDefault); err != nil {
		t.Fatal(err)
	}
	once := &keeper{secret: first.Secret}
	if _, err := Bootstrap(t.Context(), node(t, log), once, domain.Secret{}); err != nil || once.secret != first.Secret {
		t.Errorf("the secret of before the rotation is gone (%v)", err)
	}
}

func TestResetRoot(t *testing.T) {
	log := eventstoretest.NewFaulty(eventstore.NewMemory(eventstore.MemoryConfig{}))
	s := node(t, log)
	keep := &keeper{}
	first, err := Bootstrap(t.Context(), s, keep, domain.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	log.OnAppend(full("token.issued")) // dies half way
	if _, err := ResetRoot(t.Context(), s, keep); err == nil || works(t, s, first.Secret) {
		t.Fatalf("half a reset: %v", err)
	}
	log.OnAppend(nil)
	second, err := ResetRoot(t.Context(), node(t, log), keep)
	if err != nil || keep.secret != second || !works(t, s, second) || works(t, s, first.Secret) {
		t.Fatalf("the reset: %v", err)
	}
	third, err := ResetRoot(t.Context(), node(t, log), keep)
	if err != nil || works(t, s, second) || !works(t, s, third) {
		t.Errorf("again: %v", err)
	}
	fresh := node(t, eventstore.NewMemory(eventstore.MemoryConfig{}))
	if secret, err := ResetRoot(t.Context(), fresh, &keeper{}); err != nil || !works(t, fresh, secret) {
		t.Errorf("on an empty stream: %v", err)
	}
}

// A reset that was cut between the revoke and the new issue leaves the new
// secret kept; a start does not throw it away, and says how things stand.
func TestStartAfterAResetThatWasCutShort(t *testing.T) {
	w := newWorld(t)
	revoke := domain.RevokeToken{Account: domain.RootAccount, Token: RootToken, Force: true}
	if _, err := w.svc.Do(t.Context(), w.svc.Operator(), revoke, WaitDefault); err != nil {
		t.Fatal(err)
	}
	next := domain.NewSecret([32]byte{42})
	keep := &keeper{next}
	out, err := Bootstrap(t.Context(), w.svc, keep, domain.Secret{})
	if err != nil || !out.Revoked || !out.Secret.IsZero() || keep.secret != next {
		t.Errorf("got %+v, %v, kept %v", out, err, keep.secret == next)
	}
	again, err := ResetRoot(t.Context(), w.svc, keep)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.Authenticate(again.Reveal(), netip.Addr{}); err != nil || keep.secret != again {
		t.Errorf("the reset run again: %v", err)
	}
}
