package eventstoretest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"hallpass/eventstore"
)

// accounts is how many logs one Servers can hold, each in a NATS account of
// its own.
const accounts = 48

// password of every account's user: the servers live on loopback, for a test.
const password = "for-tests-only"

// Servers is one NATS server, or a cluster of them, inside the test process,
// listening on loopback. Each can be stopped and started again over its store.
type Servers struct {
	t       testing.TB
	configs []string // paths
	ports   []int

	mu   sync.Mutex
	srvs []*server.Server // nil: stopped
	used int              // accounts given out
}

// StartServers starts n NATS servers with JetStream, as a cluster when n > 1.
// They end with the test.
func StartServers(t testing.TB, n int) *Servers {
	t.Helper()
	s := &Servers{t: t, srvs: make([]*server.Server, n)}
	s.ports = freePorts(t, 2*n)
	dir := t.TempDir()
	var routes []string
	for i := range n {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", s.ports[n+i]))
	}
	for i := range n {
		conf := fmt.Sprintf(`
server_name: n%d
listen: "127.0.0.1:%d"
jetstream { store_dir: %q, max_memory_store: 64MB, max_file_store: 10GB, sync_interval: always }
%s
system_account: SYS
accounts { SYS { users: [{user: sys, password: %s}] }
%s}
`, i, s.ports[i], filepath.Join(dir, fmt.Sprint("store", i)), clusterConf(n, s.ports[n+i], routes), password, accountsConf())
		path := filepath.Join(dir, fmt.Sprintf("n%d.conf", i))
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		s.configs = append(s.configs, path)
	}
	t.Cleanup(func() {
		for i := range n {
			s.Stop(i)
		}
	})
	for i := range n {
		s.launch(i)
	}
	for i := range n {
		s.waitReady(i)
	}
	return s
}

func clusterConf(n, port int, routes []string) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("cluster { name: test, listen: \"127.0.0.1:%d\", routes: [%s] }", port, strings.Join(routes, ", "))
}

func accountsConf() string {
	var b strings.Builder
	for i := range accounts {
		fmt.Fprintf(&b, "A%d { jetstream: enabled, users: [{user: a%d, password: %s}] }\n", i, i, password)
	}
	return b.String()
}

// freePorts returns n ports of loopback that were free just now.
func freePorts(t testing.TB, n int) []int {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() //nolint:errcheck // nothing was sent
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (s *Servers) launch(i int) {
	s.t.Helper()
	opts, err := server.ProcessConfigFile(s.configs[i])
	if err != nil {
		s.t.Fatal(err)
	}
	opts.NoLog, opts.NoSigs = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.srvs[i] = srv
	s.mu.Unlock()
	go srv.Start() // ends with the server, which Stop waits for
}

func (s *Servers) waitReady(i int) {
	s.t.Helper()
	if !s.srvs[i].ReadyForConnections(Patience) {
		s.t.Fatalf("server %d isn't ready", i)
	}
}

// Stop stops server i and waits until it has ended.
func (s *Servers) Stop(i int) {
	s.mu.Lock()
	srv := s.srvs[i]
	s.srvs[i] = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// Start starts server i again, over its old store and port.
func (s *Servers) Start(i int) {
	s.t.Helper()
	s.launch(i)
	s.waitReady(i)
}

// Account returns how to reach these servers in an account that nobody uses yet.
func (s *Servers) Account() eventstore.ExternalConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == accounts {
		s.t.Fatal("no account is left")
	}
	s.used++
	urls := make([]string, len(s.srvs))
	for i := range urls {
		urls[i] = fmt.Sprintf("nats://127.0.0.1:%d", s.ports[i])
	}
	return eventstore.ExternalConfig{
		URL: strings.Join(urls, ","), User: fmt.Sprint("a", s.used-1), Password: password,
		Replicas: min(len(urls), 3), MaxBytes: 64 << 20,
	}
}

// Open opens a log in an account of its own; it is closed with the test.
func (s *Servers) Open(t testing.TB, maxBytes int64) eventstore.Log {
	t.Helper()
	cfg := s.Account()
	if maxBytes > 0 {
		cfg.MaxBytes = maxBytes
	}
	log, err := eventstore.OpenExternal(Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() }) //nolint:errcheck // it never fails
	return log
}

// Addr is the host:port of server i.
func (s *Servers) Addr(i int) string { return fmt.Sprintf("127.0.0.1:%d", s.ports[i]) }

// Leader returns the number of the server that leads the stream of the account
// that cfg names, or -1.
func (s *Servers) Leader(cfg eventstore.ExternalConfig) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := "A" + strings.TrimPrefix(cfg.User, "a")
	for i, srv := range s.srvs {
		if srv != nil && srv.JetStreamIsStreamLeader(account, "hallpass") {
			return i
		}
	}
	return -1
}

// Eventually waits until what comes true, or ends the test.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
