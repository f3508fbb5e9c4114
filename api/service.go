package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// Seq is a revision of the stream.
type Seq = domain.Seq

// ServiceConfig is what a Service works with. Log and Projection are required,
// and the projection must follow that log.
type ServiceConfig struct {
	Log        eventstore.Log
	Projection *projections.Projection
	Now        func() domain.Instant // default: the projection's time, which never goes back
	Random     io.Reader             // of secrets and event ids; default crypto/rand
	Logger     *slog.Logger          // default slog.Default

	// WriteDeadline is how long a command may take before its outcome is
	// answered as unknown. The default of 20 s is well above the 4 to 9 s
	// that a replicated stream needs to replace a killed leader.
	WriteDeadline time.Duration

	// Keyring returns what secrets are sealed with that may be shown again, as
	// it stands at each call; nil: there is none. It may be called often, and
	// at once. Default: there is none.
	Keyring func() *Keyring

	// AllowWeakSecrets takes secrets from other systems though they could be
	// guessed.
	AllowWeakSecrets bool

	// FirstUses is what the projection's Config.FirstUsed notes into; nil: no
	// use on this node ends older secrets.
	FirstUses *projections.FirstUses
}

// Service is hallpass without HTTP: who is asking, what may be done, and the
// one way to change anything. Its methods may be called at once from many
// goroutines.
type Service struct {
	log       eventstore.Log
	proj      *projections.Projection
	now       func() domain.Instant
	logger    *slog.Logger
	deadline  time.Duration
	keyring   func() *Keyring
	allowWeak bool
	metrics   *metrics
	turns     *turns
	capacity  *capacity
	stepDown  stepDown
	behind    behind
	reseals   resealing

	firstUses *projections.FirstUses
	reuses    *bucket
	looks     *looks
	listings  *listings
	owed      owed

	randomMu sync.Mutex // guards random: a reader need not be safe for many
	random   io.Reader
}

// NewService returns a service over cfg. It starts nothing.
func NewService(cfg ServiceConfig) *Service {
	s := &Service{
		log:       cfg.Log,
		proj:      cfg.Projection,
		now:       cfg.Now,
		random:    cfg.Random,
		logger:    cfg.Logger,
		deadline:  cfg.WriteDeadline,
		keyring:   cfg.Keyring,
		allowWeak: cfg.AllowWeakSecrets,
		firstUses: cfg.FirstUses,
		reuses:    newBucket(reuseEvery, reuseBurst),
		looks:     newLooks(),
		listings:  newListings(),
		owed:      owed{to: map[asked]struct{}{}},
		turns:     newTurns(),
	}
	if s.now == nil {
		s.now = cfg.Projection.Index.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	if s.deadline == 0 {
		s.deadline = 20 * time.Second
	}
	if s.keyring == nil {
		s.keyring = func() *Keyring { return nil }
	}
	if s.firstUses == nil {
		s.firstUses = projections.NewFirstUses()
	}
	s.capacity = &capacity{log: s.log, logger: s.logger}
	s.metrics = newMetrics(s)
	return s
}

// Revision returns the newest revision that this node has applied. What is
// read after the call is at least as new.
func (s *Service) Revision() Seq { return s.proj.Position.At() }

// Ready waits until this node has replayed the log. Its errors are those of
// the projection, and ctx's.
func (s *Service) Ready(ctx context.Context) error { return s.proj.Ready(ctx) }

// NewSecret makes a secret. Its error is that of the random source.
func (s *Service) NewSecret() (domain.Secret, error) {
	var b [32]byte
	if err := s.fill(b[:]); err != nil {
		return domain.Secret{}, err
	}
	return domain.NewSecret(b), nil
}

// newEventID makes an id for an event decided at now.
func (s *Service) newEventID(now domain.Instant) (domain.EventID, error) {
	var b [10]byte
	if err := s.fill(b[:]); err != nil {
		return domain.EventID{}, err
	}
	return domain.NewEventID(now, b), nil
}

func (s *Service) fill(b []byte) error {
	s.randomMu.Lock()
	defer s.randomMu.Unlock()
	if _, err := io.ReadFull(s.random, b); err != nil {
		return fmt.Errorf("reading the random source: %w", err)
	}
	return nil
}

// asError returns err as a domain error: what isn't one is logged in full under
// the request id, and answered as internal.
func (s *Service) asError(err error, request string) *domain.Error {
	var e *domain.Error
	if errors.As(err, &e) {
		return e
	}
	s.logger.Error("an operation failed", "request_id", request, "error", err)
	return errInternal
}
