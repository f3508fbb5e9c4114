package api

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
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
	fences        *prometheus.CounterVec
	fenceSeconds  prometheus.Histogram
	reuses        prometheus.Counter
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
		fences: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hallpass_fences_total", Help: "Changes that waited for all nodes, by outcome: acknowledged by all, ran_out where a lease had to be waited for, or the code of why there is no receipt."}, []string{"outcome"}),
		reuses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hallpass_secret_reuses_total", Help: "Tokens revoked because a secret that they had before was used to rotate them."}),
		fenceSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hallpass_fence_seconds", Help: "Time that changes waited for all nodes, from when this node had applied them, in seconds; those with a receipt.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 20, 30}}),
	}
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hallpass_checks_total", Help: "Checks answered, by the code of the decision."}, []string{"code"})
	for _, v := range []domain.Verdict{
		domain.Granted, domain.UnknownSecret, domain.WasRevoked, domain.IsDisabled, domain.HasExpired,
		domain.NotYetValid, domain.OnSuspended, domain.NoGrant, domain.Denied, domain.WrongAddress, domain.OutsideHours, domain.OnlySessions,
	} {
		m.checks[v] = checks.WithLabelValues(string(v))
	}
	m.registry.MustRegister(checks, m.commands, m.conflicts, m.appendSeconds, m.subscribers, m.requests, m.build, m.fences, m.fenceSeconds, m.reuses, s.looks.skipped,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(newStanding(s))
	m.registerFold(s)
	m.registerStream(s)
	m.registerUsage(s)
	s.reseals.register(m.registry)
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
	gauge("hallpass_members", "Processes that have joined the stream and not left, this one included.", func() float64 {
		return float64(len(s.proj.Members()))
	})
	gauge("hallpass_ready", "1 when this node answers checks, else 0.", func() float64 {
		if ready, _ := readiness(s.proj.Status()); ready {
			return 1
		}
		return 0
	})
}

// registerStream shows how full the stream is, asked for at most every 2 s.
func (m *metrics) registerStream(s *Service) {
	gauge := func(name, help string, value func(eventstore.Usage) uint64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(s.capacity.usage(context.Background()))) }))
	}
	gauge("hallpass_stream_records", "Records in the stream.", func(u eventstore.Usage) uint64 { return u.Records })
	gauge("hallpass_stream_bytes", "Bytes that the stream takes.", func(u eventstore.Usage) uint64 { return u.Bytes })
	gauge("hallpass_stream_max_bytes", "Bytes that the stream may take; 0: no bound is stated.", func(u eventstore.Usage) uint64 { return u.MaxBytes })
	gauge("hallpass_stream_alarm", "1 from 70 % of the bytes that the stream may take; from 90 % it takes nothing but what takes rights away.", func(u eventstore.Usage) uint64 {
		if percent(u) >= alarmAt {
			return 1
		}
		return 0
	})
}

// standing collects what is told by one look at the node and one at the log.
type standing struct {
	svc                                                 *Service
	leaseAge, leaseLeft, roundTrip, lagRecords, lagTime *prometheus.Desc
}

func newStanding(s *Service) *standing {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &standing{
		svc:        s,
		leaseAge:   desc("hallpass_lease_age_seconds", "Since the newest proof of being current was asked for, in seconds."),
		leaseLeft:  desc("hallpass_lease_left_seconds", "Until checks are refused as stale, in seconds."),
		roundTrip:  desc("hallpass_barrier_round_trip_seconds", "From asking for proof of being current to having it, the latest, in seconds."),
		lagRecords: desc("hallpass_lag_records", "Records in the stream that this node has not applied yet."),
		lagTime:    desc("hallpass_lag_seconds", "How long that has been seen to be so, in seconds."),
	}
}

// Describe implements prometheus.Collector.
func (c *standing) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.leaseAge, c.leaseLeft, c.roundTrip, c.lagRecords, c.lagTime} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *standing) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	lease := c.svc.proj.Status().Lease
	gauge(c.leaseAge, lease.Age.Seconds())
	gauge(c.leaseLeft, lease.Left.Seconds())
	gauge(c.roundTrip, lease.RoundTrip.Seconds())
	records, of := c.svc.lag(context.Background())
	gauge(c.lagRecords, float64(records))
	gauge(c.lagTime, of.Seconds())
}

// fenced counts a fence that ended, and the time it took if it has a receipt.
func (m *metrics) fenced(r *projections.Receipt, err error, took time.Duration) {
	m.fences.WithLabelValues(outcomeOf(r, err)).Inc()
	if err == nil {
		m.fenceSeconds.Observe(took.Seconds())
	}
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
