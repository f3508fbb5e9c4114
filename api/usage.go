package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/projections"
)

// wireToken is the token with how it was last used.
func (c *call) wireToken(t *domain.Token) wire.Token {
	out := wireToken(t)
	out.LastUsed = lastUsed(c.h.svc.proj.Usage.Of(t))
	return out
}

func lastUsed(u projections.Use) *wire.LastUsed {
	if u.Count == 0 {
		return nil
	}
	out := &wire.LastUsed{At: u.At.Time(), Count: u.Count}
	if u.From.IsValid() {
		net := u.From.String()
		out.Address = &net
	}
	return out
}

// used counts the call as one use of its caller's token, however often that is
// looked at.
func (c *call) used() {
	if !c.counted {
		c.counted = true
		c.h.svc.proj.Index.Used(&c.by.bearer, c.by.From)
	}
}

var unusedParam = param{name: "unused_since", typ: "date-time",
	doc: "Tokens that were not used at that time or later, never used ones included. What other nodes saw in the last minute or so may not be known yet."}

// unusedSince reads the parameter. A node that knows nothing of uses must not
// take that for an answer: someone may revoke what it lists.
func (c *call) unusedSince(b *binder) (domain.Instant, error) {
	since, ok := c.query[unusedParam.name]
	if !ok {
		return 0, nil
	}
	t, why := parseTime(since)
	switch u := c.h.svc.proj.Usage; {
	case why != "":
		b.fault("/query/unused_since", "%s", why)
	case !u.On():
		b.fault("/query/unused_since", "can't be told here: this node does not gather uses of tokens (--usage-every 0)")
	case !u.Known():
		return 0, domain.Errorf(domain.CodeNotReady, "this node has not read yet how tokens were used; try again shortly")
	}
	return domain.InstantOf(t), nil
}

// registerUsage shows how the keeping of uses stands, where they are gathered.
func (m *metrics) registerUsage(s *Service) {
	u := s.proj.Usage
	if !u.On() {
		return
	}
	counter := func(name, help string, value func(projections.UsageStatus) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(u.Status())) }))
	}
	counter("hallpass_usage_flushes_total", "Times this node has kept how tokens were used.", func(is projections.UsageStatus) uint64 { return is.Flushes })
	counter("hallpass_usage_errors_total", "Times it could not; what was to be kept is kept the next time.", func(is projections.UsageStatus) uint64 { return is.Errors })
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hallpass_usage_flush_age_seconds", Help: "Since this node last kept how tokens were used, or began, in seconds: so much is lost if it dies.",
	}, func() float64 {
		return max(0, (time.Duration(s.now()-u.Status().Last) * time.Millisecond).Seconds())
	}))
}
