package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"hallpass/api"
	"hallpass/api/client"
	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/eventstore/eventstoretest"
	"hallpass/projections"
)

// asItself makes the test binary the program.
const asItself = "HALLPASS_EMBED_EXAMPLE"

func TestMain(m *testing.M) {
	if os.Getenv(asItself) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// keeper keeps the root token's secret as long as the test.
type keeper struct{ secret domain.Secret }

func (k *keeper) Load() (domain.Secret, error) { return k.secret, nil }
func (k *keeper) Save(s domain.Secret) error   { k.secret = s; return nil }
func (k *keeper) Remove() error                { k.secret = domain.Secret{}; return nil }

// serverNode runs a hallpass server over the stream, and returns its projection
// and a client of its root token.
func serverNode(t *testing.T, nats eventstore.ExternalConfig) (*projections.Projection, *client.Client) {
	quiet := slog.New(slog.DiscardHandler)
	log, err := eventstore.OpenExternal(eventstoretest.Context(t), nats)
	if err != nil {
		t.Fatal(err)
	}
	p := projections.Open(log, projections.Config{Logger: quiet, Node: projections.NodeConfig{Name: "server"}})
	svc := api.NewService(api.ServiceConfig{Log: log, Projection: p, Logger: quiet})
	keep := new(keeper)
	if _, err := api.Bootstrap(eventstoretest.Context(t), svc, keep, domain.Secret{}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.NewHandler(svc, api.HandlerConfig{Logger: quiet}))
	t.Cleanup(func() {
		srv.Close()
		p.Close()
		_ = log.Close()
	})
	c, err := client.New(client.Config{Server: srv.URL, Token: client.Secret(keep.secret.Reveal())})
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// program is the example, in a process of its own.
type program struct {
	cmd *exec.Cmd
	url string
}

var listening = regexp.MustCompile(`^listening on (http://\S+) as (\S+)\n$`)

func startProgram(t *testing.T, nats eventstore.ExternalConfig, name string) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0], "--listen", "127.0.0.1:0", "--nats-url", nats.URL, "--nats-user", nats.User, "--name", name)
	cmd.Env = append(os.Environ(), asItself+"=1", "HALLPASS_NATS_PASSWORD="+nats.Password)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, unless the test failed
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	m := listening.FindStringSubmatch(line)
	if m == nil || m[2] != name {
		t.Fatalf("it said %q, %v", line, err)
	}
	return &program{cmd, m[1]}
}

// answer is the program's to a request, whose body may go on.
type answer struct {
	status    int
	challenge string
	body      *bufio.Reader
}

// get asks the program for a path.
func (p *program) get(t *testing.T, path string, secret client.Secret) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(eventstoretest.Context(t), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret.Reveal())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), bufio.NewReader(resp.Body)}
}

// TestAnEmbedderIsCounted runs the example for real: its own process, a NATS
// server between it and the hallpass server.
func TestAnEmbedderIsCounted(t *testing.T) {
	nats := eventstoretest.StartServers(t, 1).Account()
	server, root := serverNode(t, nats)
	ctx := eventstoretest.Context(t)
	example := startProgram(t, nats, "gateway")
	var self domain.Incarnation
	eventstoretest.Eventually(t, "the server knows of the example", func() bool {
		for _, m := range server.Members() {
			if m.Name == "gateway" {
				self = m.Incarnation
			}
		}
		return !self.IsZero()
	})
	for i := range 5 {
		id := fmt.Sprint("reader-", i)
		issued, secret, err := root.IssueToken(ctx, "", wire.IssueToken{
			ID: id, Permissions: &wire.Permissions{Allow: []wire.Grant{{Resource: "/device/thermo1", Actions: []string{"read"}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := server.Fence(ctx, projections.Seq(issued.Revision)); err != nil { // the example knows of it
			t.Fatal(err)
		}
		if got := example.get(t, "/device/thermo1", secret); got.status != http.StatusOK {
			t.Fatal(got.status)
		}
		if got := example.get(t, "/device/thermo2", secret); got.status != http.StatusForbidden {
			t.Fatal(got.status)
		}
		live := example.get(t, "/device/thermo1/live", secret)
		if line, err := live.body.ReadString('\n'); err != nil || line != "0\n" {
			t.Fatalf("%q, %v", line, err)
		}

		revoked, err := root.RevokeToken(ctx, "", id, wire.Reason{Reason: "compromised"})
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := server.Fence(ctx, projections.Seq(revoked.Revision))
		if err != nil {
			t.Fatal(err)
		}
		got := example.get(t, "/device/thermo1", secret) // at once
		if got.status != http.StatusUnauthorized || !strings.Contains(got.challenge, "invalid_token") {
			t.Fatal(got.status, got.challenge)
		}
		rest, err := io.ReadAll(live.body)
		if err != nil || !strings.HasSuffix(string(rest), "cut\n") {
			t.Fatalf("the live answer ended with %q, %v", rest, err)
		}
		verified, err := projections.VerifyReceipt(receipt.Note, nil)
		if err != nil {
			t.Fatal(err)
		}
		how := projections.How(0)
		for _, a := range verified.Nodes {
			if a.Incarnation == self {
				how = a.How
			}
		}
		if how != projections.Acknowledged {
			t.Fatalf("the receipt says:\n%s", receipt.Note)
		}
		t.Logf("fenced in %v", receipt.Took)
	}

	// Ended in good order, it is waited for no more.
	if err := example.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := example.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	eventstoretest.Eventually(t, "the example has left", func() bool {
		return !slices.ContainsFunc(server.Members(), func(m projections.MemberStatus) bool { return m.Incarnation == self })
	})
}

func TestWhatCantBeStarted(t *testing.T) {
	for _, args := range [][]string{{"--name", "not a name"}, {"--nats-url", "://"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q starts", args)
		}
	}
}
