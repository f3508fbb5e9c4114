package api

import (
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
	out := wire.Ready{Phase: st.Phase.String(), Applied: uint64(st.Applied), Target: uint64(st.Target)}
	out.Ready, out.WaitingFor = readiness(st)
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

// readiness tells whether the node answers checks, and what it waits for if not.
func readiness(st projections.Status) (bool, string) {
	switch st.Phase {
	case projections.Connecting:
		return false, "the log, to answer"
	case projections.Replaying:
		return false, fmt.Sprintf("the replay: %d of %d records", st.Applied, st.Target)
	case projections.Live:
		return true, ""
	case projections.Failed:
		return false, fmt.Sprintf("an operator: %v", st.Err)
	case projections.Closed:
		return false, "nothing: this node has stopped following the log"
	}
	return false, "something unknown"
}

func (c *call) serveMetrics() {
	c.h.metricsPage.ServeHTTP(c, c.r)
}
