package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// JetStream is the Log over a NATS JetStream stream.
type JetStream struct {
	logger    *slog.Logger
	dial      dialer
	free      func() (int64, bool) // bytes left on the disk of the own copy; false where there is none
	stop      func()               // ends what was started for this log beside its connections
	broken    func() error         // why the server can't serve any more; nil: it can, or isn't ours
	member    *embedded            // the clustered server of this process; nil: there is none
	nc        *nats.Conn           // for appends and questions; each reader has its own
	link      *link                // of nc
	stream    [16]byte
	clientURL string // of an embedded server; "": none
	shelf     shelf

	settings atomic.Pointer[knownSettings]
	avoidOwn atomic.Int64 // until when readers don't prefer this process's server, in Unix ns

	mu      sync.Mutex // guards what follows
	readers map[*reader]struct{}
	closed  bool

	closing chan struct{}  // closed by Close
	end     func()         // ends keepSettings
	reading sync.WaitGroup // one for each of readers, one for keepSettings
}

// choice is what whoever opens a stream may choose about it.
type choice struct {
	replicas int
	maxBytes int64         // 0: fallback decides
	maxLease time.Duration // of a stream that is made; 0: DefaultMaxLease
	fallback func(ctx context.Context, nc *nats.Conn) (int64, error)
	adjust   bool         // give an existing stream the stated maxBytes
	broken   func() error // why the server can't serve any more; nil: it can, or can't be told
	lost     func() error // why a stream that isn't there must not be made; nil: it may be
	member   *embedded    // the clustered server of this process; nil: there is none
}

// open connects, makes the stream if there is none, and checks it. It goes on
// until that succeeds, ctx ends, or something only an operator can mend shows.
func open(ctx context.Context, logger *slog.Logger, d dialer, c choice) (*JetStream, error) {
	l := &JetStream{
		logger: logger, dial: d, stop: func() {}, free: func() (int64, bool) { return 0, false }, broken: c.broken, member: c.member,
		readers: map[*reader]struct{}{}, closing: make(chan struct{}),
	}
	l.shelf.log = l
	err := l.untilAnswered(ctx, "connect to NATS", func() error {
		var err error
		l.nc, l.link, err = d.connectLasting(logger)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := l.openStream(ctx, c); err != nil {
		l.nc.Close()
		return nil, err
	}
	if l.stream, err = l.openGenesis(ctx); err != nil {
		l.nc.Close()
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	l.end = end
	l.reading.Go(func() { l.keepSettings(life) })
	return l, nil
}

// StreamID returns the random id in the stream's genesis.
func (l *JetStream) StreamID() [16]byte { return l.stream }

// openStream makes the stream, or checks the one that is there. Two nodes that
// make it at once do no harm: both then check the same one.
func (l *JetStream) openStream(ctx context.Context, c choice) error {
	var info *streamInfo
	err := l.untilAnswered(ctx, "open the stream", func() error {
		if l.member != nil { // whom else to ask
			if meta, _ := l.member.leaders(); meta == "" {
				return errNoMetaLeader
			}
		}
		var err error
		info, err = askInfo(ctx, l.nc)
		if refusal(err) != server.JSStreamNotFoundErr {
			return err
		}
		if err := l.createStream(ctx, c); err != nil {
			return err
		}
		info, err = askInfo(ctx, l.nc)
		return err
	})
	if err != nil {
		return err
	}
	if err := checkStream(info.Config); err != nil {
		return err
	}
	s, err := readSettings(info.Config)
	if err != nil {
		return err
	}
	l.settings.Store(&knownSettings{s, info.Config})
	return l.reconcile(ctx, c, info)
}

func (l *JetStream) createStream(ctx context.Context, c choice) error {
	if c.lost != nil {
		return final(c.lost())
	}
	maxBytes := c.maxBytes
	if maxBytes == 0 {
		var err error
		if maxBytes, err = c.fallback(ctx, l.nc); err != nil {
			return err
		}
	}
	err := ask(ctx, l.nc, fmt.Sprintf(server.JSApiStreamCreateT, streamName), wantedStream(c.replicas, maxBytes, c.maxLease), nil)
	switch refusal(err) {
	case 0:
		if err == nil {
			l.logger.Info("stream created", "stream", streamName, "replicas", c.replicas, "max_bytes", maxBytes)
		}
		return err
	case server.JSStreamNameExistErr: // another node was first; look again
		return nil
	case server.JSClusterNoPeersErrF: // more may come
		return fmt.Errorf("make a stream of %d replicas: %w", c.replicas, err)
	case server.JSStreamReplicasNotSupportedErr:
		return final(fmt.Errorf("eventstore: the NATS server stands alone and can't keep %d replicas; "+
			"ask for 1, or use a cluster", c.replicas))
	case server.JSStorageResourcesExceededErr, server.JSInsufficientResourcesErr, server.JSAccountResourcesExceededErr:
		return final(fmt.Errorf("eventstore: the NATS server doesn't grant the stream %d bytes a replica (%w); "+
			"state a smaller size, or raise the limit of the server or account", maxBytes, err))
	case server.JSStreamCreateErrF:
		return final(fmt.Errorf("eventstore: the NATS server can't make the stream (%w); "+
			"if its disk is full or can't be written, its log says so", err))
	case server.JSStreamSubjectOverlapErr:
		return final(fmt.Errorf("eventstore: another stream of this NATS account takes subjects of hallpass (hp.e.> or hp.l.>); " +
			"remove it, or use an account of its own for hallpass"))
	case server.JSMaximumStreamsLimitErr, server.JSNotEnabledForAccountErr:
		return final(fmt.Errorf("eventstore: the NATS account may not have the stream %q (%w); raise the account's limits", streamName, err))
	}
	return err
}

// reconcile settles what may differ between the stream and what was asked for.
// The stream's own settings are in force; only the size is changed, and only
// on an embedded server, where an operator has no other way to.
func (l *JetStream) reconcile(ctx context.Context, c choice, info *streamInfo) error {
	have, err := info.config()
	if err != nil {
		return err
	}
	if have.Replicas != c.replicas {
		l.logger.Warn("the stream's own number of replicas is in force; change it with nats stream edit",
			"stream", streamName, "found", have.Replicas, "asked", c.replicas)
	}
	if have.MaxBytes <= 0 {
		l.logger.Warn("the stream has no size limit: a full disk will stop it", "stream", streamName)
	}
	wanted := have
	switch {
	case have.Compression == server.NoCompression:
	case c.adjust:
		wanted.Compression = server.NoCompression // of what is written from now on
	default:
		l.logger.Warn("the stream is compressed, as earlier versions made it, and a copy of it can be damaged at a restart; "+
			"switch that off with nats stream edit --compression none", "stream", streamName)
	}
	switch {
	case c.maxBytes == 0 || have.MaxBytes == c.maxBytes:
	case !c.adjust:
		l.logger.Warn("the stream's own size limit is in force; change it with nats stream edit",
			"stream", streamName, "found", have.MaxBytes, "asked", c.maxBytes)
	case uint64(c.maxBytes) < info.State.Bytes:
		return fmt.Errorf("eventstore: the stream holds %d bytes already, more than the %d that were asked for; "+
			"state a larger size: hallpass never drops records", info.State.Bytes, c.maxBytes)
	default:
		wanted.MaxBytes = c.maxBytes
	}
	if wanted.MaxBytes == have.MaxBytes && wanted.Compression == have.Compression {
		return nil
	}
	if err := ask(ctx, l.nc, fmt.Sprintf(server.JSApiStreamUpdateT, streamName), wanted, nil); err != nil {
		return fmt.Errorf("eventstore: change the stream's size to %d bytes, uncompressed: %w", wanted.MaxBytes, err)
	}
	l.logger.Info("stream changed", "stream", streamName, "max_bytes", wanted.MaxBytes, "compression", wanted.Compression.String())
	return nil
}

var errNoMetaLeader = errors.New("JetStream has no leader for its metadata")

// finalError is one that trying again can't mend.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(err error) error { return finalError{err} }

// untilAnswered does step again until it succeeds, fails for good, or ctx
// ends: a server that accepts connections need not have JetStream ready.
func (l *JetStream) untilAnswered(ctx context.Context, what string, step func() error) error {
	const sayAfter = 5 * time.Second
	said := time.Now()
	for pause := firstPause; ; pause = longer(pause) {
		err := step()
		if err == nil {
			return nil
		}
		if e := (finalError{}); errors.As(err, &e) {
			return e.error
		}
		if cause := l.broken(); cause != nil {
			return cause
		}
		if time.Since(said) > sayAfter {
			said = time.Now()
			if l.member != nil {
				l.logger.Warn("still trying to "+what, "error", err, "missing", l.member.missing(ctx))
			} else {
				l.logger.Warn("still trying to "+what, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("eventstore: %s: %w (last: %w)", what, context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// Pauses between tries: short at first, as most troubles are over at once.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

func longer(pause time.Duration) time.Duration { return min(2*pause, lastPause) }

// Last implements Log.
func (l *JetStream) Last(ctx context.Context) (Seq, error) {
	info, err := l.info(ctx)
	if err != nil {
		return 0, err
	}
	return Seq(info.State.LastSeq), nil
}

// Usage implements Log.
func (l *JetStream) Usage(ctx context.Context) (Usage, error) {
	info, err := l.info(ctx)
	if err != nil {
		return Usage{}, err
	}
	c, err := info.config()
	if err != nil {
		return Usage{}, err
	}
	u := Usage{
		Records: info.State.Msgs, Subjects: uint64(max(info.State.NumSubjects, 0)),
		Bytes: info.State.Bytes, MaxBytes: uint64(max(c.MaxBytes, 0)),
	}
	if free, ok := l.free(); ok {
		u.Free, u.FreeTold = uint64(free), true
	}
	return u, nil
}

func (l *JetStream) info(ctx context.Context) (*streamInfo, error) {
	if l.isClosed() {
		return nil, ErrClosed
	}
	info, err := askInfo(ctx, l.nc)
	if err != nil {
		return nil, fmt.Errorf("eventstore: ask for the state of stream %q: %w", streamName, err)
	}
	l.learn(info.Config)
	return info, nil
}

// Close implements Log. An embedded server is stopped before it returns.
func (l *JetStream) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.closing)
	readers := slices.Collect(maps.Keys(l.readers))
	l.mu.Unlock()
	for _, r := range readers {
		r.fail(ErrClosed)
	}
	l.end()
	l.reading.Wait()
	l.nc.Close()
	l.stop()
	return nil
}

func (l *JetStream) isClosed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}
