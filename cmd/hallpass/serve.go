package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hallpass/domain"
	"hallpass/eventstore"
)

// serveFlags is everything that "serve" can be told.
type serveFlags struct {
	listen, data     string
	keyring          string
	tlsCert, tlsKey  string
	nats             eventstore.ExternalConfig // without what is common to both kinds
	natsListen       string
	replicas         int
	maxBytes         size
	leaksPerMinute   int
	proxies          prefixes
	allowWeak        bool
	logFormat, level string
	usageEvery       time.Duration
	others           clusterFlags
	dialects         dialectFlags
	clock            clock
}

func newServe() *cobra.Command {
	var s serveFlags
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: `Runs the server, over a stream embedded in this process under --data, or over that
of a NATS server or cluster (--nats-url). With --cluster the embedded stream is
kept by several nodes, three unless --replicas says otherwise: start them in any
order, each with a name of its own and the routes to the others. They vouch for
each other with the variable HALLPASS_CLUSTER_SECRET, the same everywhere, or with
certificates (--cluster-ca, --cluster-cert, --cluster-key), or both.

Once it is ready, the first line on stdout is 'listening on http://HOST:PORT'. At
the very first start on an empty stream the next line is 'root token: ' and the
secret of the token root of the account root, which may do everything; it is also
kept in the file root-token under --data, readable by its owner alone. The
variable HALLPASS_ROOT_TOKEN can supply the secret; there is no flag for it, as
others could see it. Nor is there one for HALLPASS_NATS_PASSWORD, with which other
programs connect to --nats-listen as user hallpass.

Clients of other token services are answered too, each under the paths that they
expect, and at an address of their own where one is given (--nbiot-listen and the
like): a line on stdout, as 'nbiot listening on http://HOST:PORT', says so.

A node answers checks only for as long as it can prove that it is current: --lease.
A revoke is answered once no node can answer without it.

While the stream is replayed, /healthz, /readyz and /metrics answer already. Logs
go to stderr. SIGTERM and SIGINT end event streams at once, let requests finish
for at most 10 s, let the other nodes take over, and exit 0; a second one exits
at once.`,
		Example: `  hallpass serve
  hallpass serve --listen :443 --tls-cert cert.pem --tls-key key.pem --data /var/lib/hallpass
  hallpass serve --cluster prod --node n1 --cluster-listen 10.0.0.1:6222 --routes nats://10.0.0.2:6222,nats://10.0.0.3:6222
  hallpass serve --nats-url nats://n1:4222,nats://n2:4222 --nats-creds hallpass.creds --replicas 3`,
		RunE: func(c *cobra.Command, _ []string) error { return serve(c, &s) },
	}
	f := c.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "the address to listen on; port 0 picks a free one")
	f.StringVar(&s.data, "data", defaultData, "the directory of the embedded stream and the root token; made if missing")
	f.StringVar(&s.keyring, "keyring", "", "the file with the keys of secrets that may be shown again (default: keyring under --data, made by a server that stands alone)")
	f.StringVar(&s.tlsCert, "tls-cert", "", "a file with the PEM certificate to serve HTTPS with, and its chain")
	f.StringVar(&s.tlsKey, "tls-key", "", "a file with the PEM key of --tls-cert")
	f.StringVar(&s.nats.URL, "nats-url", "", "one or more NATS servers, with commas, in place of the embedded stream")
	f.StringVar(&s.nats.Creds, "nats-creds", "", "a .creds file for --nats-url")
	f.StringVar(&s.nats.CA, "nats-ca", "", "a file with the PEM certificates to verify --nats-url with (default: the system's)")
	f.StringVar(&s.nats.Cert, "nats-cert", "", "a file with a PEM certificate to show to --nats-url")
	f.StringVar(&s.nats.Key, "nats-key", "", "a file with the PEM key of --nats-cert")
	f.IntVar(&s.replicas, "replicas", 0, "how many servers keep the stream, when it is made (default: 3 with --cluster, else 1)")
	f.Var(&s.maxBytes, "max-bytes", "the most that the stream may take, as 500MiB or 20GiB (default: half the free disk when it is made)")
	f.StringVar(&s.natsListen, "nats-listen", "", "an address for NATS clients of the embedded stream; one that is not of this machine alone needs HALLPASS_NATS_PASSWORD (default: no such port)")
	f.IntVar(&s.leaksPerMinute, "leaks-per-minute", 60, "how many reports of leaked secrets, which need no credential, this node takes in a minute; 0 takes none")
	f.DurationVar(&s.usageEvery, "usage-every", 30*time.Second, "how often it is kept when tokens were last used, from 1s on; 0: that is not gathered")
	f.Var(&s.proxies, "trusted-proxy", "addresses or prefixes of proxies that are believed when X-Forwarded-For says where a request comes from, with commas (default: none)")
	f.BoolVar(&s.allowWeak, "allow-weak-secrets", false, "take secrets from other systems though they could be guessed")
	f.StringVar(&s.logFormat, "log-format", "text", "how logs look: text or json")
	f.StringVar(&s.level, "log-level", "info", "the least that is logged: debug, info, warn or error")
	s.others.flags(c)
	s.dialects.flags(c)
	s.clock.flags(c)
	return c
}

// serve checks the flags, then runs a node until a signal comes.
func serve(c *cobra.Command, s *serveFlags) error {
	logger, err := newLogger(c.ErrOrStderr(), s.logFormat, s.level)
	if err != nil {
		return err
	}
	s.others.fromEnvironment()
	s.dialects.proxies = s.proxies
	if err := s.check(); err != nil {
		return err
	}
	wanted, err := wantedRoot()
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(c.Context(), logger)
	defer stop()
	n := &node{flags: s, logger: logger, stdout: c.OutOrStdout(), wanted: wanted}
	return n.run(ctx)
}

// check refuses flags that don't go together.
func (s *serveFlags) check() error {
	n := &s.nats
	switch {
	case (s.tlsCert == "") != (s.tlsKey == ""):
		return usagef("--tls-cert and --tls-key go together: give both or neither")
	case (n.Cert == "") != (n.Key == ""):
		return usagef("--nats-cert and --nats-key go together: give both or neither")
	case n.URL == "" && (n.Creds+n.CA+n.Cert != ""):
		return usagef("--nats-creds, --nats-ca and --nats-cert need --nats-url")
	case n.URL != "" && s.others.cluster != "":
		return usagef("--cluster is for the embedded stream: leave it out with --nats-url")
	case n.URL == "" && s.others.cluster == "" && s.replicas > 1:
		return usagef("the embedded stream stands alone: --replicas needs --cluster or --nats-url")
	case n.URL != "" && s.natsListen != "":
		return usagef("--nats-listen is for the embedded stream: leave it out with --nats-url")
	case s.natsListen == "" && s.others.password != "":
		return usagef("%s is for --nats-listen: give that too", natsPasswordName)
	case s.natsListen != "" && s.others.password == "" && !loopbackAddress(s.natsListen):
		return usagef("--nats-listen %s is open to other machines: set %s", printable(s.natsListen), natsPasswordName)
	case s.replicas < 0 || s.replicas > 5:
		return usagef("--replicas is 1, or 3 or 5 in a cluster")
	case s.usageEvery != 0 && s.usageEvery < time.Second:
		return usagef("--usage-every is 0, or at least 1s")
	case s.data == "":
		return usagef("--data must not be empty")
	case s.leaksPerMinute < 0 || s.leaksPerMinute > mostLeaksPerMinute:
		return usagef("--leaks-per-minute is 0 to %d", mostLeaksPerMinute)
	}
	if err := s.dialects.check(s.listen); err != nil {
		return err
	}
	return s.others.check()
}

// mostLeaksPerMinute is as good as no limit.
const mostLeaksPerMinute = 60_000

// leaks is --leaks-per-minute as the handler takes it.
func (s *serveFlags) leaks() int {
	if s.leaksPerMinute == 0 {
		return -1
	}
	return s.leaksPerMinute
}

// openLog opens the embedded stream, or that of --nats-url.
func (s *serveFlags) openLog(ctx context.Context, logger *slog.Logger) (*eventstore.JetStream, error) {
	if s.nats.URL != "" {
		cfg := s.nats
		cfg.Replicas, cfg.MaxBytes, cfg.MaxLease, cfg.Logger = s.replicas, int64(s.maxBytes), s.others.longest(), logger
		return eventstore.OpenExternal(ctx, cfg)
	}
	cfg := eventstore.EmbedConfig{
		Dir: s.data, MaxBytes: int64(s.maxBytes), MaxLease: s.others.longest(), Logger: logger,
		Listen: s.natsListen, Cluster: s.others.config(s.replicas),
	}
	if s.others.password != "" {
		cfg.Listen, cfg.ClientListen, cfg.ClientPassword = "", s.natsListen, s.others.password
	}
	return eventstore.OpenEmbedded(ctx, cfg)
}

// wantedRoot returns the root secret that the environment supplies; none is
// the zero Secret. The variable is taken away, so that nothing passes it on.
func wantedRoot() (domain.Secret, error) {
	const name = "HALLPASS_ROOT_TOKEN"
	text := os.Getenv(name)
	_ = os.Unsetenv(name)
	if text == "" {
		return domain.Secret{}, nil
	}
	secret, err := domain.ParseSecret(text)
	if err != nil {
		var e *domain.Error
		errors.As(err, &e)
		return domain.Secret{}, usagef("HALLPASS_ROOT_TOKEN holds no secret: %s", cmp.Or(e.Detail, "it can't be read"))
	}
	return secret, nil
}

// newLogger returns the logger that the flags ask for.
func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log-level is debug, info, warn or error")
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, usagef("--log-format is text or json")
}

// untilSignal returns a context that the first SIGTERM or SIGINT ends. The
// second one ends the process.
func untilSignal(parent context.Context, logger *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first {
					fmt.Fprintln(os.Stderr, "hallpass: a second signal: not waiting any longer")
					os.Exit(exitFailed)
				}
				logger.Info("stopping", "signal", s.String())
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
