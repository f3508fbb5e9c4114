package api

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hallpass/domain"
	"hallpass/eventstore"
)

// metrics is all that /metrics shows. No label ever holds a secret, an id or
// anything else that a request brings.
type metrics struct {
	registry      *prometheus.Registry
	checks        map[domain.Verdict]prometheus.Counter
	commands      *prometheus.CounterVec
	conflicts     prometheus.Counter
	appendSeconds prometheus.Histogram
	subscribers   prometheus.Gauge
	requests      *prometheus.CounterVec
	build         *prometheus.GaugeVec
}

func newMetrics(s *Service) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		checks:   map[domain.Verdict]prometheus.Counter{},
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hallpass_commands_total", Help: "Commands carried out or refused, by command and by result: changed, unchanged, or the code of the refusal."}, []string{"command", "result"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hallpass_command_conflicts_total", Help: "Times a command was decided again because another record took its place."}),
		appendSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hallpass_append_seconds", Help: "Time from handing a record to the log to its answer, in seconds.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20}}),
		subscribers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hallpass_event_subscribers", Help: "Streams of events that are open now."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hallpass_http_requests_total", Help: "Requests answered, by route, method and status; route none is what reached no route."}, []string{"route", "method", "status"}),
		build: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hallpass_build_info", Help: "Always 1; the labels say which build runs."}, []string{"version", "go_version"}),
	}
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hallpass_checks_total", Help: "Checks answered, by the code of the decision."}, []string{"code"})
	for _, v := range []domain.Verdict{
		domain.Granted, domain.UnknownSecret, domain.WasRevoked, domain.IsDisabled, domain.HasExpired,
		domain.NotYetValid, domain.OnSuspended, domain.NoGrant, domain.Denied,
	} {
		m.checks[v] = checks.WithLabelValues(string(v))
	}
	m.registry.MustRegister(checks, m.commands, m.conflicts, m.appendSeconds, m.subscribers, m.requests, m.build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registerFold(s)
	m.registerStream(s)
	return m
}

// registerFold shows how far this node is.
func (m *metrics) registerFold(s *Service) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("hallpass_fold_position", "Newest revision that this node has applied.", func() float64 {
		return float64(s.proj.Status().Applied)
	})
	gauge("hallpass_fold_target", "Newest revision that this node knows of.", func() float64 {
		return float64(s.proj.Status().Target)
	})
	gauge("hallpass_fold_lag_records", "Records that this node knows of and has not applied yet.", func() float64 {
		st := s.proj.Status()
		return max(0, float64(st.Target)-float64(st.Applied))
	})
	gauge("hallpass_ready", "1 when this node answers checks, else 0.", func() float64 {
		if ready, _ := readiness(s.proj.Status()); ready {
			return 1
		}
		return 0
	})
}

// registerStream shows how full the stream is, asked for at most every 5 s.
func (m *metrics) registerStream(s *Service) {
	var mu sync.Mutex
	var last eventstore.Usage
	var asked time.Time
	usage := func() eventstore.Usage {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) < 5*time.Second {
			return last
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if u, err := s.log.Usage(ctx); err == nil {
			last = u
		}
		asked = time.Now()
		return last
	}
	gauge := func(name, help string, value func(eventstore.Usage) uint64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(usage())) }))
	}
	gauge("hallpass_stream_records", "Records in the stream.", func(u eventstore.Usage) uint64 { return u.Records })
	gauge("hallpass_stream_bytes", "Bytes that the stream takes.", func(u eventstore.Usage) uint64 { return u.Bytes })
	gauge("hallpass_stream_max_bytes", "Bytes that the stream may take; 0: no bound is stated.", func(u eventstore.Usage) uint64 { return u.MaxBytes })
}

func (m *metrics) checked(v domain.Verdict) {
	if c, ok := m.checks[v]; ok {
		c.Inc()
	}
}

func (m *metrics) command(name, result string) {
	m.commands.WithLabelValues(name, result).Inc()
}

func (m *metrics) setBuild(version string) {
	m.build.Reset()
	m.build.WithLabelValues(version, runtime.Version()).Set(1)
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// routeCount counts one route's requests by status.
type routeCount struct {
	ok    prometheus.Counter // of status 200: the hot one
	other func(status int) prometheus.Counter
}

func (m *metrics) routeCounter(route, method string) routeCount {
	of := func(status int) prometheus.Counter {
		return m.requests.WithLabelValues(route, method, strconv.Itoa(status))
	}
	return routeCount{ok: of(http.StatusOK), other: of}
}

func (c routeCount) inc(status int) {
	if status == http.StatusOK {
		c.ok.Inc()
		return
	}
	c.other(status).Inc()
}
