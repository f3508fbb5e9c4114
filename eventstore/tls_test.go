package eventstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
)

// serve starts a NATS server with a configuration of its own.
func serve(t *testing.T, conf string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "server.conf")
	conf = fmt.Sprintf("listen: \"127.0.0.1:-1\"\njetstream { store_dir: %q, max_file_store: 1GB }\n%s", dir, conf)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoLog, opts.NoSigs = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	go srv.Start() // ends with the server
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(eventstoretest.Patience) {
		t.Fatal("the server isn't ready")
	}
	return srv.Addr().String()
}

// wantWorking appends and reads over cfg.
func wantWorking(t *testing.T, cfg eventstore.ExternalConfig) {
	t.Helper()
	cfg.MaxBytes = 1 << 20
	log := openExternal(t, cfg)
	eventstoretest.Append(t, log, subject, 0, "x")
	eventstoretest.Read(t, log, 1, 2)
}

// Over mutual TLS the server is verified, and so are we.
func TestExternalTLS(t *testing.T) {
	right, wrong := eventstoretest.NewAuthority(t), eventstoretest.NewAuthority(t)
	cert, key := right.Issue("server")
	at := serve(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n", cert, key, right.CA))
	own, ownKey := right.Issue("client")
	foreign, foreignKey := wrong.Issue("client")
	good := eventstore.ExternalConfig{URL: "tls://" + at, CA: right.CA, Cert: own, Key: ownKey}
	wantWorking(t, good)
	for name, c := range map[string]struct {
		cfg  eventstore.ExternalConfig
		says string
	}{
		"no CA":                 {eventstore.ExternalConfig{URL: "nats://" + at}, "state the CA"},
		"another CA":            {eventstore.ExternalConfig{URL: good.URL, CA: wrong.CA, Cert: own, Key: ownKey}, "state the CA"},
		"no certificate":        {eventstore.ExternalConfig{URL: good.URL, CA: right.CA}, "refuses hallpass's certificate"},
		"a foreign certificate": {eventstore.ExternalConfig{URL: good.URL, CA: right.CA, Cert: foreign, Key: foreignKey}, "refuses hallpass's certificate"},
	} {
		t.Run(name, func(t *testing.T) { _ = wantExternalRefusal(t, c.cfg, c.says) })
	}
}

// An NKey opens the door, another one doesn't.
func TestExternalNKey(t *testing.T) {
	write := func() (path, public string) {
		user, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		seed, err := user.Seed()
		if err != nil {
			t.Fatal(err)
		}
		if public, err = user.PublicKey(); err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(t.TempDir(), "user.nk")
		if err := os.WriteFile(path, seed, 0o600); err != nil {
			t.Fatal(err)
		}
		return path, public
	}
	right, public := write()
	wrong, _ := write()
	at := serve(t, fmt.Sprintf("authorization { users: [ { nkey: %s } ] }\n", public))
	wantWorking(t, eventstore.ExternalConfig{URL: at, NKey: right})
	_ = wantExternalRefusal(t, eventstore.ExternalConfig{URL: at, NKey: wrong}, "refuses the credential")
}

// A creds file opens the door of a server in operator mode, until it is over.
func TestExternalCreds(t *testing.T) {
	operator, account, system := keys(t, nkeys.CreateOperator), keys(t, nkeys.CreateAccount), keys(t, nkeys.CreateAccount)
	op := jwt.NewOperatorClaims(operator.public)
	op.SystemAccount = system.public
	claims := jwt.NewAccountClaims(account.public)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: 64 << 20, Streams: 1, Consumer: -1}
	at := serve(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }\n",
		encode(t, op, operator), system.public, account.public, encode(t, claims, operator),
		system.public, encode(t, jwt.NewAccountClaims(system.public), operator)))
	creds := func(signer keyPair, expires time.Time) string {
		user := keys(t, nkeys.CreateUser)
		c := jwt.NewUserClaims(user.public)
		if !expires.IsZero() {
			c.Expires = expires.Unix()
		}
		seed, err := user.Seed()
		if err != nil {
			t.Fatal(err)
		}
		file, err := jwt.FormatUserConfig(encode(t, c, signer), seed)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "user.creds")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	log := openExternal(t, eventstore.ExternalConfig{URL: at, Creds: creds(account, time.Time{})})
	eventstoretest.Append(t, log, subject, 0, "x")
	if u, err := log.Usage(t.Context()); err != nil || u.MaxBytes != 64<<20 {
		t.Errorf("the size is %d and not what the account allows, %v", u.MaxBytes, err)
	}
	_ = wantExternalRefusal(t, eventstore.ExternalConfig{URL: at, Creds: creds(keys(t, nkeys.CreateAccount), time.Time{})}, "refuses the credential")
	_ = wantExternalRefusal(t, eventstore.ExternalConfig{URL: at, Creds: creds(account, time.Now().Add(-time.Hour))}, "refuses the credential")
}

type keyPair struct {
	nkeys.KeyPair
	public string
}

func keys(t *testing.T, create func() (nkeys.KeyPair, error)) keyPair {
	k, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{k, public}
}

func encode(t *testing.T, c jwt.Claims, by keyPair) string {
	s, err := c.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
