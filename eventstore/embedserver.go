package eventstore

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// serverMemory bounds JetStream's own memory storage, which hallpass uses for
// the state of consumers only.
const serverMemory = 64 << 20

// serverReady is how long a started server has to accept connections.
const serverReady = 10 * time.Second

// The server's accounts: hallpass is in the one of everybody who isn't placed
// elsewhere.
const (
	ownAccount    = server.DEFAULT_GLOBAL_ACCOUNT
	systemAccount = server.DEFAULT_SYSTEM_ACCOUNT
)

// embedded is a NATS server in this process.
type embedded struct {
	srv     *server.Server
	log     *serverLog
	cluster *ClusterConfig // nil: it stands alone
	held    bool           // the directory held the stream before the start; of a server that stands alone
	tcp     bool           // the log's own connections go over the loopback listener
	own     nats.UserInfoCB
	system  nats.UserInfoCB // of the system account; nil unless clustered
}

func startServer(ctx context.Context, cfg EmbedConfig, dir *dataDir, logger *slog.Logger) (*embedded, error) {
	e := &embedded{log: &serverLog{logger: logger}, cluster: cfg.Cluster}
	if cfg.Cluster == nil {
		e.held = holdsRecords(dir.path)
	}
	opts, err := e.options(cfg, dir)
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("eventstore: the embedded NATS server can't be set up: %w", err)
	}
	e.srv = srv
	srv.SetLoggerV2(e.log, logger.Enabled(ctx, levelServerDebug), false, false)
	started := make(chan struct{})
	go func() { // ends with the start; stop below ends the server
		defer close(started)
		srv.Start()
	}()
	select {
	case <-started:
	case <-ctx.Done():
		<-started // a server that is recovering its store can't be stopped before
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case e.log.fatal.Load(), !srv.ReadyForConnections(serverReady):
		err = errors.New(e.log.lastTrouble())
	}
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("eventstore: the embedded NATS server over %s didn't start: %w", dir.path, err)
	}
	return e, nil
}

// holdsRecords tells whether a data directory holds some of the stream's.
func holdsRecords(dir string) bool {
	blocks, _ := filepath.Glob(filepath.Join(dir, storeDir, ownAccount, "streams", streamName, "msgs", "*.blk")) // fails for a bad pattern only
	for _, b := range blocks {
		if info, err := os.Stat(b); err == nil && info.Size() > 0 {
			return true
		}
	}
	return false
}

// options are the server's. Its users' passwords, but that of ClientListen,
// are random and never leave the process.
func (e *embedded) options(cfg EmbedConfig, dir *dataDir) (*server.Options, error) {
	opts := &server.Options{
		ServerName:             dir.serverName,
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		StoreDir:               dir.path,
		SyncAlways:             !cfg.NoSync,
		JetStreamMaxMemory:     serverMemory,
		JetStreamMaxStore:      1 << 60, // the stream states its own size
	}
	listen := cfg.Listen
	if e.cluster != nil {
		if err := e.cluster.routesTo(opts); err != nil {
			return nil, err
		}
		system := server.NewAccount(systemAccount)
		opts.Accounts, opts.SystemAccount = []*server.Account{system}, systemAccount
		e.system = e.user(opts, "hallpass-system", rand.Text(), system)
		if listen == "" { // a server without a listener makes no routes
			listen = "127.0.0.1:0"
		}
	}
	switch {
	case cfg.ClientListen != "":
		if err := e.listenForClients(opts, cfg); err != nil {
			return nil, err
		}
	case listen != "":
		if err := e.listen(opts, listen); err != nil {
			return nil, err
		}
	}
	if !opts.DontListen {
		e.own = e.user(opts, "hallpass-own", rand.Text(), nil)
	}
	return opts, nil
}

func (e *embedded) user(opts *server.Options, name, password string, in *server.Account) nats.UserInfoCB {
	opts.Users = append(opts.Users, &server.User{Username: name, Password: password, Account: in})
	return func() (string, string) { return name, password }
}

// listen adds a loopback listener for this process to opts.
func (e *embedded) listen(opts *server.Options, at string) error {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return fmt.Errorf("eventstore: the listen address of the embedded NATS server is no host:port: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("eventstore: the embedded NATS server listens on loopback only (127.0.0.1:0), not on %q", host)
	}
	opts.Host = host
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("eventstore: the listen port of the embedded NATS server is no number: %q", port)
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	opts.DontListen = false
	e.tcp = true
	return nil
}

// listenForClients adds a listener for other nodes and embedders to opts.
func (e *embedded) listenForClients(opts *server.Options, cfg EmbedConfig) error {
	host, port, err := listenAt(cfg.ClientListen)
	if err != nil {
		return fmt.Errorf("eventstore: the address for NATS clients %w", err)
	}
	if cfg.ClientPassword == "" {
		return fmt.Errorf("eventstore: the address %s for NATS clients needs a password: "+
			"whoever connects there can write the history", cfg.ClientListen)
	}
	opts.Host, opts.Port, opts.DontListen = host, port, false
	e.user(opts, routeUser, cfg.ClientPassword, nil)
	if e.cluster != nil && e.cluster.Cert != "" {
		t, err := loadTLS("cluster", "", e.cluster.Cert, e.cluster.Key)
		if err != nil {
			return err
		}
		t.ClientAuth = tls.NoClientCert
		opts.TLSConfig, opts.TLSTimeout = t, 2
	}
	return nil
}

// dialer reaches the server from this process, without TLS: a tap reads what is
// sent, and listen adds none to the listener that it is for.
func (e *embedded) dialer() dialer {
	if !e.tcp {
		return e.inProcess(e.own)
	}
	return dialer{
		url: "nats://" + e.srv.Addr().String(), options: []nats.Option{nats.UserInfoHandler(e.own)},
		tap: func(r *reader) nats.Option { return nats.SetCustomDialer(tapDialer{r}) },
	}
}

// ClientURL is where NATS clients reach the embedded server: that of
// EmbedConfig.ClientListen, with the port that it got; "": nowhere.
func (l *JetStream) ClientURL() string { return l.clientURL }

// inProcess reaches the server without a network; as is nil when the server
// asks for no credential.
func (e *embedded) inProcess(as nats.UserInfoCB) dialer {
	d := dialer{
		options: []nats.Option{nats.InProcessServer(inProcess{e.srv})},
		tap:     func(r *reader) nats.Option { return nats.InProcessServer(tapInProcess{inProcess{e.srv}, r}) },
	}
	if as != nil {
		d.options = append(d.options, nats.UserInfoHandler(as))
	}
	return d
}

// broken returns why the server can't store anything any more, or nil. It
// can't where its disk failed it once: the store then leaves every record
// without an answer, until the server is started again.
func (e *embedded) broken() error {
	err := e.log.diskError()
	switch {
	case err != nil && noRoom(err):
		return fmt.Errorf("%w: the disk has no room left (%w); make room and start hallpass again", ErrFull, err)
	case err != nil:
		return fmt.Errorf("eventstore: the disk failed (%w); mend it and start hallpass again", err)
	case !e.srv.Running() || !e.srv.JetStreamEnabled() || e.log.fatal.Load():
		return fmt.Errorf("eventstore: the embedded NATS server has stopped (%s)", e.log.lastTrouble())
	}
	return nil
}

func (e *embedded) stop() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}
