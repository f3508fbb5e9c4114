package eventstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// dialer knows how to reach the NATS server, with which credential.
type dialer struct {
	url     string // no credential in it
	options []nats.Option
	tap     func(*reader) nats.Option // has a reader's connection be a tap; nil: of a server elsewhere
}

// connectTimeout is what connecting to one server may take: of several, one
// that is cut off must not use up a node's lease.
const connectTimeout = 2 * time.Second

// common are the options of every connection.
func (d dialer) common(more ...nats.Option) []nats.Option {
	o := []nats.Option{nats.Name("hallpass"), nats.Timeout(connectTimeout)}
	return append(append(o, d.options...), more...)
}

// connectLasting makes a connection that reconnects for ever; a server that
// doesn't answer two pings, a second apart, counts as gone. What is published
// while it is down is refused at once and never kept for later: a command must
// not take effect long after it was given up.
func (d dialer) connectLasting(logger *slog.Logger) (*nats.Conn, *link, error) {
	k := new(link)
	k.up()
	nc, err := nats.Connect(d.url, d.common(
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond),
		nats.ReconnectJitter(20*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			k.down()
			if err != nil {
				logger.Warn("connection to NATS lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			k.up()
			logger.Info("connected to NATS again", "server", nc.ConnectedServerName())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			logger.Warn("NATS reports an error", "error", err)
		}),
	)...)
	return nc, k, connectError(err)
}

// connectOnce makes a connection that ends when it breaks; lost is called then.
// It pings rarely: the answer would queue behind a bulk read for longer than a
// short time-out, and a reader has the consumer's heartbeats.
func (d dialer) connectOnce(lost func(error), more ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect(d.url, append(d.common(
		nats.PingInterval(30*time.Second),
		nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { lost(err) }),
		nats.ClosedHandler(func(nc *nats.Conn) { lost(errors.Join(nats.ErrConnectionClosed, nc.LastError())) }),
	), more...)...)
	return nc, connectError(err)
}

// connectError makes a sentence of the errors that only an operator can mend.
func connectError(err error) error {
	var unverified *tls.CertificateVerificationError
	var alert *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unverified):
		return final(fmt.Errorf("eventstore: the NATS server's certificate can't be trusted (%w); "+
			"state the CA that signed it, and the name or address that it is for", unverified.Err))
	case errors.As(err, &alert) && alert.Op == "remote error": // a TLS alert
		return final(fmt.Errorf("eventstore: the NATS server refuses hallpass's certificate or the lack of one (%w)", err))
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return final(fmt.Errorf("eventstore: the NATS server refuses the credential (%w)", err))
	case errors.Is(err, nats.ErrSecureConnWanted), errors.Is(err, nats.ErrSecureConnRequired):
		return final(fmt.Errorf("eventstore: TLS is set on one side only, the NATS server's or hallpass's (%w)", err))
	}
	return err
}

// link tells what is in flight that the connection was lost.
type link struct {
	mu  sync.Mutex
	ctx context.Context // ends with the present connection
	cut context.CancelFunc
}

func (k *link) up() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cut != nil {
		k.cut()
	}
	k.ctx, k.cut = context.WithCancel(context.Background())
}

func (k *link) down() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut()
}

// isUp returns an error when the connection is down.
func (k *link) isUp() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ctx.Err() != nil {
		return nats.ErrDisconnected
	}
	return nil
}

// whileUp has f called when the present connection is lost; stop ends that.
// It returns an error, and f isn't called, when the connection is down.
func (k *link) whileUp(f func()) (stop func() bool, err error) {
	k.mu.Lock()
	ctx := k.ctx
	k.mu.Unlock()
	if ctx.Err() != nil {
		return nil, nats.ErrDisconnected
	}
	return context.AfterFunc(ctx, f), nil
}
