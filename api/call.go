package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"hallpass/domain"
)

// call is one request on its way. It is the ResponseWriter that routes get, so
// that the mux carries it along.
type call struct {
	http.ResponseWriter
	r      *http.Request
	h      *handler
	route  *route
	id     string    // the request's
	ids    [1]string // the same, as a header's value
	status int       // answered; 0: not yet
	by     Caller    // set by authenticate
	query  map[string]string

	counted bool // as a use of the caller's token
}

// reply is what a route answers.
type reply struct {
	status   int // 0: 200
	body     any
	revision Seq    // for Hallpass-Revision: what was written, or at least what was read
	etag     Seq    // 0: none
	location string // of what was made
	wait     Wait   // of a change: what was waited for
	changed  bool   // of a change: it is not as it was before
	replayed bool   // it was done before, with the same Idempotency-Key
}

// serve runs a route: credential, query, handler, answer. Nothing of the body
// is read before the credential is known to work.
func (c *call) serve() {
	if c.route.raw != nil {
		c.route.raw(c)
		return
	}
	rep, err := c.run()
	if err != nil {
		c.problem(err)
		return
	}
	c.answer(rep)
}

func (c *call) run() (reply, error) {
	if c.route.readOnly() && !c.route.open {
		if err := c.awaitRevision(); err != nil {
			return reply{}, err
		}
	}
	if !c.route.open {
		before := presented{c.h.svc.now(), c.h.svc.Revision()}
		if err := c.judge(); err != nil {
			return reply{}, c.reused(err, before)
		}
	}
	if err := c.readQuery(); err != nil {
		return reply{}, err
	}
	if !c.route.ifMatch && c.r.Header["If-Match"] != nil {
		return reply{}, errNoIfMatch
	}
	rep, err := c.route.do(c)
	if err == nil && c.route.method == http.MethodGet && !c.route.open {
		// Whether this node may answer is known only now that it has one.
		err = c.judge()
	}
	return rep, err
}

// judge finds out whether the caller's credential works, and whether this node
// may answer at all. A route that takes none has nobody to judge.
func (c *call) judge() error {
	if c.route.open {
		return nil
	}
	if c.route.staleOK {
		return c.stands()
	}
	return c.authenticate()
}

func (c *call) answer(rep reply) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(rep.body); err != nil {
		c.problem(err)
		return
	}
	h := c.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	if !c.route.open {
		h.Set("Cache-Control", "no-store")
	}
	if rep.revision != 0 {
		h.Set("Hallpass-Revision", strconv.FormatUint(uint64(rep.revision), 10))
	}
	if rep.etag != 0 {
		h.Set("Etag", etag(rep.etag))
	}
	if rep.wait != WaitDefault {
		h.Set("Hallpass-Wait", rep.wait.String())
	}
	if rep.replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	if rep.location != "" {
		h.Set("Location", rep.location)
	}
	if rep.status == 0 {
		rep.status = http.StatusOK
	}
	c.WriteHeader(rep.status)
	c.send(buf.Bytes())
}

// send writes the body. An error means that the client went away, which is
// its own affair; a HEAD request has no body.
func (c *call) send(body []byte) {
	if c.r.Method != http.MethodHead {
		_, _ = c.Write(body)
	}
}

func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// account returns the account id of the path.
func (c *call) account() (domain.AccountID, error) {
	id, err := domain.ParseAccountID(c.r.PathValue("account"))
	if err != nil {
		return "", errBadPath(detailOf(err))
	}
	return id, nil
}

// target returns the account and token ids of the path.
func (c *call) target() (domain.AccountID, domain.TokenID, error) {
	account, err := c.account()
	if err != nil {
		return "", "", err
	}
	id, err := domain.ParseTokenID(c.r.PathValue("token"))
	if err != nil {
		return "", "", errBadPath(detailOf(err))
	}
	return account, id, nil
}
