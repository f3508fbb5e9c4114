package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hallpass/api"
	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/eventstore"
)

func newBenchCheck() *cobra.Command {
	var b bench
	var q checkBench
	c := &cobra.Command{
		Use: "check", Short: "Check over HTTP, beside a handler that answers a constant", Args: cobra.NoArgs,
		Long: `Asks POST /v1/check over loopback, as many tokens in random order, in turn with a
handler on the same server that answers constant JSON of the same length to the
same requests; and then as many again of a hundredth as many tokens, each of
which was derived through eight others. The clients keep their connections, send
ready-made requests and run in the same process.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if q.clients < 1 || q.tokens < 1 || q.span <= 0 {
				return usagef("--clients, --tokens and --for are above 0")
			}
			q.bench = b
			ms, err := q.run(c.Context())
			if err != nil {
				return err
			}
			return b.report(c, ms)
		},
	}
	b.flags(c, 9)
	c.Flags().IntVar(&q.clients, "clients", 16, "how many connections ask at once")
	c.Flags().IntVar(&q.tokens, "tokens", 100_000, "how many tokens there are")
	c.Flags().DurationVar(&q.span, "for", time.Second, "how long each side is measured in a round")
	return c
}

// checkBench is one run of "bench check".
type checkBench struct {
	bench
	clients, tokens int
	span            time.Duration
}

const constantPath = "/constant"

func (q *checkBench) run(ctx context.Context) ([]measurement, error) {
	dir, remove, err := q.tempDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	n, err := openBench(ctx, eventstore.EmbedConfig{Dir: dir, NoSync: true, Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	defer n.close()
	s := newSample()
	s.steady, s.leaves = true, 1+q.tokens/100
	if err := s.fill(ctx, n, func() bool { return s.tokens >= q.tokens }); err != nil {
		return nil, err
	}
	if err := n.follow(ctx); err != nil {
		return nil, err
	}
	address, stop, err := q.serve(n)
	if err != nil {
		return nil, err
	}
	defer stop()
	random := rand.New(rand.NewPCG(3, 7)) //nolint:gosec // the same order in each run
	any := func() int { return random.IntN(q.tokens) }
	plain, err := q.compare(measurement{Name: "POST /v1/check", Unit: "requests", Yardstick: "constant JSON"},
		q.round(address, "/v1/check", any), q.round(address, constantPath, any))
	if err != nil {
		return nil, err
	}
	leaves := func() int { return leaf(domain.MaxDepth - 1 + random.IntN(s.leaves)) }
	derived, err := q.compare(measurement{Name: "the same, with 8 ancestors", Unit: "requests", Yardstick: "constant JSON"},
		q.round(address, "/v1/check", leaves), q.round(address, constantPath, leaves))
	return []measurement{plain, derived}, err
}

// serve runs the server that a node runs, with the constant handler beside.
func (q *checkBench) serve(n *benchNode) (string, func(), error) {
	quiet := slog.New(slog.DiscardHandler)
	real := api.NewHandler(n.svc, api.HandlerConfig{Version: version(), Logger: quiet})
	constant, err := json.Marshal(wire.Decision{
		Allowed: true, Code: "granted", Reason: "a grant of the token allows it", Account: string(benchAccount),
		Token: string(tokenID(q.tokens / 2)), Revision: uint64(q.tokens),
		Grant: &wire.Grant{Resource: deviceOf(q.tokens / 2), Actions: []string{"AccessDeviceResources", "Read*"}},
	})
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != constantPath {
			real.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(constant)))
		_, _ = w.Write(constant)
	}), quiet)
	served := make(chan struct{})
	go func() { _ = srv.Serve(ln); close(served) }()
	return ln.Addr().String(), func() { _ = srv.Close(); <-served }, nil
}

// round asks path from every client for the span. The requests are made
// beforehand, about the tokens that next names.
func (q *checkBench) round(address, path string, next func() int) func() (int, time.Duration, error) {
	requests := make([][]byte, 8192)
	for i := range requests {
		requests[i] = request(path, next())
	}
	return func() (int, time.Duration, error) {
		counts, errs := make([]int, q.clients), make([]error, q.clients)
		var wg sync.WaitGroup
		began := time.Now()
		for i := range q.clients {
			at := i * len(requests) / q.clients
			wg.Go(func() { counts[i], errs[i] = askUntil(began.Add(q.span), address, requests, at) })
		}
		wg.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		return total, time.Since(began), firstError(errs)
	}
}

// askUntil sends requests over one connection, from the one at at on, until
// the time is up, and one at least.
func askUntil(until time.Time, address string, requests [][]byte, at int) (int, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // every answer was read
	in := bufio.NewReader(conn)
	n := 0
	for ; n == 0 || time.Now().Before(until); n++ {
		if _, err := conn.Write(requests[(at+n)%len(requests)]); err != nil {
			return n, err
		}
		if err := skipAnswer(in); err != nil {
			return n, err
		}
	}
	return n, nil
}

func request(path string, token int) []byte {
	body := fmt.Sprintf(`{"action":"AccessDeviceResources","resource":%q}`, deviceOf(token))
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, secretOf(token).Reveal(), len(body), body)
}

// skipAnswer reads one answer, which must be 200.
func skipAnswer(in *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")):
			return fmt.Errorf("the server answered %q", line)
		case len(line) == 2:
			if length < 0 {
				return errors.New("an answer without its length")
			}
			_, err := io.CopyN(io.Discard, in, int64(length))
			return err
		case len(line) > 16 && bytes.EqualFold(line[:15], []byte("content-length:")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[15:]))); err != nil {
				return err
			}
		}
	}
}
