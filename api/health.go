package api

import (
	"encoding/hex"
	"fmt"
	"net/http"

	"hallpass/api/wire"
	"hallpass/projections"
)

// alive answers GET /healthz: this process serves HTTP.
func (c *call) alive() (reply, error) {
	return reply{body: wire.Health{Status: "ok"}}, nil
}

// ready answers GET /readyz: 200 when this node answers checks, else 503, what
// it waits for and how far it is.
func (c *call) ready() (reply, error) {
	st := c.h.svc.proj.Status()
	out := c.h.svc.readyOf(st)
	records, of := c.h.svc.lag(c.r.Context())
	out.LagRecords, out.LagMS = records, millis(of)
	select {
	case <-c.h.cfg.Stopping: // a nil channel never stops
		out.Ready, out.Phase, out.WaitingFor = false, "stopping", "open requests, to end"
	default:
	}
	if !out.Ready {
		c.Header().Set("Retry-After", "1")
		return reply{status: http.StatusServiceUnavailable, body: out}, nil
	}
	return reply{body: out}, nil
}

// readyOf is what this node's memory says of its readiness.
func (s *Service) readyOf(st projections.Status) wire.Ready {
	out := wire.Ready{
		Phase: st.Phase.String(), Applied: uint64(st.Applied), Target: uint64(st.Target),
		Lease: wire.Lease{
			LengthMS: millis(st.Lease.Length), AgeMS: millis(st.Lease.Age), LeftMS: millis(st.Lease.Left),
		},
		RoundTrip: millis(st.Lease.RoundTrip), Accepted: []uint64{},
	}
	out.Ready, out.WaitingFor = readiness(st)
	if st.Phase == projections.Failed || st.Phase == projections.Closed {
		out.Lease.LeftMS = 0 // whatever is left of it, this node answers no more
	}
	if size, root := s.proj.Tree(); size > 0 {
		out.Tree = wire.Tree{Size: size, Root: hex.EncodeToString(root[:])}
	}
	for _, seq := range s.proj.Accepted() {
		out.Accepted = append(out.Accepted, uint64(seq))
	}
	return out
}

// readiness tells whether the node answers checks, and what it waits for if
// not. A node that has lost its link answers for as long as its lease lasts.
func readiness(st projections.Status) (bool, string) {
	switch st.Phase {
	case projections.Failed:
		return false, fmt.Sprintf("an operator: %v", st.Err)
	case projections.Closed:
		return false, "nothing: this node has stopped following the log"
	case projections.Connecting, projections.Replaying, projections.Live:
	}
	if st.Lease.Left > 0 {
		return true, ""
	}
	switch {
	case st.Phase == projections.Connecting && st.Err != nil:
		return false, fmt.Sprintf("the log, to answer: %v", st.Err)
	case st.Phase == projections.Connecting:
		return false, "the log, to answer"
	case st.Phase == projections.Replaying:
		return false, fmt.Sprintf("the replay: %d of %d records", st.Applied, st.Target)
	case st.Lease.Length == 0:
		return false, "the first proof of being current, from the log"
	}
	return false, "proof of being current, from the log: the last one is too old"
}

func (c *call) serveMetrics() {
	c.h.metricsPage.ServeHTTP(c, c.r)
}
