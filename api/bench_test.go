package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkCheck measures POST /v1/check over loopback beside a handler that
// writes the same bytes and looks at nothing, on the same server and behind
// the same middleware, in turn in one run; ratio is the median of the rounds'.
// The client shares the machine, and costs the same for both.
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	w.h.mux = http.NewServeMux()
	w.h.routes = append(w.h.routes, &route{method: "POST", path: "/constant", open: true, raw: constant})
	w.h.register()
	const question = `{"action":"AccessDeviceResources","resource":"/device/thermo1"}`
	request := func(path string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			path, w.root, len(question), question)
	}
	const rounds, clients = 11, 4
	var ratios, rates []float64
	per := max(1, b.N/(2*rounds))
	load(b, w.url, request("/v1/check"), clients, 2000)
	load(b, w.url, request("/constant"), clients, 2000)
	b.ResetTimer()
	for range rounds {
		constant := load(b, w.url, request("/constant"), clients, per)
		check := load(b, w.url, request("/v1/check"), clients, per)
		ratios = append(ratios, constant.Seconds()/check.Seconds())
		rates = append(rates, float64(per)/check.Seconds())
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	b.ReportMetric(ratios[rounds/2], "ratio")
	b.ReportMetric(rates[rounds/2], "checks/s")
}

// load sends n requests over some connections, one at a time on each, and
// returns how long it took.
func load(b *testing.B, url, request string, clients, n int) time.Duration {
	b.Helper()
	conns := make([]net.Conn, clients)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", strings.TrimPrefix(url, "http://")); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conns[i].Close() }()
	}
	began := time.Now()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			r := bufio.NewReader(c)
			for range max(1, n/clients) {
				if _, err := io.WriteString(c, request); err != nil {
					b.Error(err)
					return
				}
				if err := skipAnswer(r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// skipAnswer reads one answer, which must be 200, as cheaply as can be.
func skipAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(line), "HTTP/1.1 200") {
		return fmt.Errorf("answered %s", line)
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if n, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if length, err = strconv.Atoi(strings.TrimSpace(n)); err != nil {
				return err
			}
		}
	}
	_, err = r.Discard(length)
	return err
}

// constant is the handler to compare with: it reads the body, since the client
// sends it, and writes what a check would.
func constant(c *call) {
	var buf [512]byte
	_, _ = io.ReadFull(c.r.Body, buf[:min(len(buf), int(c.r.ContentLength))])
	h := c.Header()
	h["Content-Type"] = jsonType
	c.status = http.StatusOK
	_, _ = io.WriteString(c.ResponseWriter, `{"allowed":true,"code":"granted","reason":"a grant of the token allows it","grant":{"resource":"/","actions":["*"]},"account":"root","token":"root","revision":3}`+"\n")
}

// BenchmarkCheckHandler is what the door adds to net/http for one check.
func BenchmarkCheckHandler(b *testing.B) {
	w := newQuietWorld(b)
	const question = `{"action":"AccessDeviceResources","resource":"/device/thermo1"}`
	body := strings.NewReader(question)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/check", io.NopCloser(body))
	if err != nil {
		b.Fatal(err)
	}
	r.RequestURI, r.ContentLength = "/v1/check", int64(len(question))
	r.Header.Set("Authorization", "Bearer "+w.root)
	whole := r.Body
	out := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(question)
		r.Body = whole
		clear(out.header)
		w.h.ServeHTTP(out, r)
		if out.status != 0 {
			b.Fatalf("answered %d", out.status)
		}
	}
}

// discard is a ResponseWriter that keeps nothing but an explicit status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
