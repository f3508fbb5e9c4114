package api

import (
	"context"
	"net/http"
	"time"

	"hallpass/domain"
)

// minRevisionHeader asks for an answer that is at least as new as a revision.
const minRevisionHeader = "Hallpass-Min-Revision"

// longestWait is how long a request waits for the revision that it names.
const longestWait = 5 * time.Second

// awaitRevision waits until this node has applied the revision that the request
// names, if it names one: before anything is decided, the credential included,
// which may be newer than what this node has. Errors: bad_header, and stale.
func (c *call) awaitRevision() error {
	given := c.r.Header[minRevisionHeader]
	if given == nil {
		return nil
	}
	if len(given) > 1 {
		return domain.Errorf(codeBadHeader, "there is more than one %s", minRevisionHeader)
	}
	want, err := parseSeq(given[0])
	if err != nil {
		return domain.Errorf(codeBadHeader, "%s is a revision: a whole number", minRevisionHeader)
	}
	return c.h.svc.await(c.r.Context(), want)
}

// await waits until this node has applied the revision, for longestWait at most.
func (s *Service) await(ctx context.Context, want Seq) error {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	if err := s.proj.Position.Wait(ctx, want); err != nil {
		return domain.Errorf(domain.CodeStale, "this node has revision %d and did not get revision %d in time", s.Revision(), want)
	}
	return nil
}

// readOnly tells whether a request changes nothing: such may name a revision.
func (rt *route) readOnly() bool { return rt.method == http.MethodGet || rt.tag == "use" }
