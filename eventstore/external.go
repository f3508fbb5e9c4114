package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ExternalConfig configures OpenExternal. At most one credential is stated.
type ExternalConfig struct {
	URL      string // one or more, with commas; may hold user:password or a token
	Creds    string // path of a .creds file
	NKey     string // path of a file with an NKey seed
	User     string
	Password string
	CA       string // path of PEM certificates to verify the server with; default: the system's
	Cert     string // path of a PEM certificate to show, with Key
	Key      string
	Replicas int           // of a stream that is made; default 1
	MaxBytes int64         // of a stream that is made; 0: what the account allows, else 8 GiB
	MaxLease time.Duration // of a stream that is made; 0: DefaultMaxLease
	Logger   *slog.Logger
}

// OpenExternal opens the stream of a NATS server or cluster. It goes on until
// the stream is open or ctx ends; errors are sentences for an operator and
// hold no credential.
func OpenExternal(ctx context.Context, cfg ExternalConfig) (*JetStream, error) {
	d, err := cfg.dialer()
	if err != nil {
		return nil, err
	}
	replicas := max(cfg.Replicas, 1)
	return open(ctx, orDiscard(cfg.Logger), d, choice{
		replicas: replicas,
		maxBytes: cfg.MaxBytes,
		maxLease: cfg.MaxLease,
		fallback: func(ctx context.Context, nc *nats.Conn) (int64, error) {
			return accountBytes(ctx, nc, replicas)
		},
		broken: func() error { return nil },
	})
}

// accountBytes is the default size of a stream: what the account's limit
// leaves for it, each replica counted, in bytes.
func accountBytes(ctx context.Context, nc *nats.Conn, replicas int) (int64, error) {
	var info server.JSApiAccountInfoResponse
	if err := ask(ctx, nc, server.JSApiAccountInfo, nil, &info); err != nil {
		return 0, err
	}
	if info.JetStreamAccountStats == nil {
		return unknownDiskBytes, nil
	}
	limit, reserved := info.Limits.MaxStore, info.ReservedStore
	if tier, ok := info.Tiers[fmt.Sprintf("R%d", replicas)]; ok { // counts a stream once
		limit, reserved, replicas = tier.Limits.MaxStore, tier.ReservedStore, 1
	}
	if limit <= 0 {
		return unknownDiskBytes, nil
	}
	left := (limit - int64(reserved)) / int64(replicas)
	if left <= 0 {
		return 0, final(fmt.Errorf("eventstore: the NATS account has no storage left (%d of %d bytes reserved); "+
			"raise its limit", reserved, limit))
	}
	return left, nil
}

func (cfg ExternalConfig) dialer() (dialer, error) {
	var d dialer
	servers := make([]string, 0, 3)
	for s := range strings.SplitSeq(cfg.URL, ",") {
		bare, opt, err := splitURL(strings.TrimSpace(s))
		if err != nil {
			return d, err
		}
		servers = append(servers, bare)
		if opt != nil {
			d.options = append(d.options, opt)
		}
	}
	d.url = strings.Join(servers, ",")
	if cfg.User != "" {
		d.options = append(d.options, nats.UserInfo(cfg.User, cfg.Password))
	}
	if cfg.Creds != "" {
		if _, err := os.Stat(cfg.Creds); err != nil {
			return d, fmt.Errorf("eventstore: the NATS credentials can't be read: %w", err)
		}
		d.options = append(d.options, nats.UserCredentials(cfg.Creds))
	}
	if cfg.NKey != "" {
		opt, err := nats.NkeyOptionFromSeed(cfg.NKey)
		if err != nil {
			return d, fmt.Errorf("eventstore: the file %s holds no NKey seed that can be used", cfg.NKey)
		}
		d.options = append(d.options, opt)
	}
	if cfg.CA == "" && cfg.Cert == "" && cfg.Key == "" {
		return d, nil
	}
	tls, err := loadTLS("NATS", cfg.CA, cfg.Cert, cfg.Key)
	if err != nil {
		return d, err
	}
	d.options = append(d.options, nats.Secure(tls))
	return d, nil
}

// splitURL takes the credential out of a server's URL, so that it can't get
// into a log or an error.
func splitURL(s string) (bare string, credential nats.Option, err error) {
	if !strings.Contains(s, "://") {
		s = "nats://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "", nil, errors.New("eventstore: the NATS URL can't be read; it looks like nats://host:4222")
	}
	if user := u.User; user != nil {
		u.User = nil
		if password, ok := user.Password(); ok {
			credential = nats.UserInfo(user.Username(), password)
		} else {
			credential = nats.Token(user.Username())
		}
	}
	return u.String(), credential, nil
}
