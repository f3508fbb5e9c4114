package api

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"hallpass/api/wire"
	"hallpass/domain"
	"hallpass/projections"
)

// smallBody is the size up to which a check's body is read before anything
// else is known of the request, in bytes. It holds any check of the plain form.
const smallBody = 1 << 10

// scratch is what one check reads into and writes from.
type scratch struct {
	in  [smallBody]byte
	out []byte
}

var scratches = sync.Pool{New: func() any { return &scratch{out: make([]byte, 0, 1<<10)} }}

// check answers POST /v1/check: the hot path. A request of the plain form
// (one bearer, a small flat body without a secret) is answered here; any other
// goes the general way, which gives the same answers.
func (c *call) check() {
	if err := c.awaitRevision(); err != nil {
		c.problem(err)
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if answer, ok := c.plainCheck(s); ok {
		c.decided(s, answer)
		return
	}
	answer, err := c.generalCheck()
	if err != nil {
		c.problem(err)
		return
	}
	c.decided(s, answer)
}

// plainCheck answers a request of the plain form, or leaves it, body included,
// to the general way.
func (c *call) plainCheck(s *scratch) (projections.Answer, bool) {
	r := c.r
	auth := r.Header["Authorization"]
	if len(auth) != 1 || len(auth[0]) < 8 || auth[0][:7] != "Bearer " || r.URL.RawQuery != "" ||
		r.ContentLength <= 0 || r.ContentLength > smallBody ||
		r.Header["Content-Encoding"] != nil || r.Header["If-Match"] != nil {
		return projections.Answer{}, false
	}
	body, whole := readSmall(r, s.in[:r.ContentLength])
	if whole {
		if answer, ok := c.plainAnswer(auth[0][len("Bearer "):], body); ok {
			return answer, true
		}
	}
	r.Body = &replay{ReadCloser: r.Body, head: body, whole: whole}
	return projections.Answer{}, false
}

func (c *call) plainAnswer(bearer string, body []byte) (projections.Answer, bool) {
	q, ok := flatCheck(body)
	if !ok {
		return projections.Answer{}, false
	}
	need, err := c.h.svc.Need(q)
	if err != nil {
		return projections.Answer{}, false
	}
	secret, err := domain.ParseBearer(bearer)
	if err != nil {
		return projections.Answer{}, false
	}
	answer, err := c.h.svc.Check(secret, need, c.from())
	return answer, err == nil
}

// generalCheck reads the check with every rule that holds for bodies.
func (c *call) generalCheck() (projections.Answer, error) {
	secret, err := c.bearer()
	if err != nil {
		return projections.Answer{}, err
	}
	if err := c.stands(); err != nil {
		return projections.Answer{}, err
	}
	if err := c.readQuery(); err != nil {
		return projections.Answer{}, err
	}
	if c.r.Header["If-Match"] != nil {
		return projections.Answer{}, errNoIfMatch
	}
	var in wire.Check
	if err := c.readInto(&in); err != nil {
		return projections.Answer{}, err
	}
	q, need, err := c.question(in)
	if err != nil {
		return projections.Answer{}, err
	}
	if in.Secret != "" {
		if err := c.authenticate(); err != nil {
			return projections.Answer{}, err
		}
		a, err := c.h.svc.Introspect(c.by, in.Secret, need, q.From)
		a.At = min(a.At, c.by.Authority.At) // the answer rests on both
		return a, err
	}
	parsed, err := domain.ParseBearer(secret)
	if err != nil {
		return projections.Answer{}, invalidToken()
	}
	if !q.From.IsValid() {
		return c.h.svc.Check(parsed, need, c.from())
	}
	if err := c.authenticate(); err != nil {
		return projections.Answer{}, err
	}
	if err := mayName(&c.by.Authority); err != nil {
		return projections.Answer{}, err
	}
	return c.h.svc.Introspect(c.by, secret, need, q.From)
}

// question returns what is asked, and the need of it.
func (c *call) question(in wire.Check) (Question, domain.Need, error) {
	var b binder
	q := questionOf(&b, in)
	need, err := c.h.svc.Need(q)
	if b.nested("", err); len(b.faults) > 0 {
		err = b.err()
	}
	return q, need, err
}

func questionOf(b *binder, in wire.Check) Question {
	return Question{
		Action: in.Action, Resource: in.Resource, Unverified: in.Unverified,
		Secret: in.Secret, From: b.address(in.Address, "/address"),
	}
}

// decided writes the answer to a check.
func (c *call) decided(s *scratch, a projections.Answer) {
	c.h.svc.metrics.checked(a.Verdict)
	s.out = append(appendDecision(s.out[:0], a), '\n')
	h := c.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	h["Hallpass-Revision"] = c.h.revisions.header(a.At)
	c.status = http.StatusOK
	_, _ = c.ResponseWriter.Write(s.out) // an error is the client's, who went away
}

// revisions keeps the header value of the newest revision answered: between two
// writes it is the same for every check.
type revisions struct {
	last atomic.Pointer[revisionHeader]
}

type revisionHeader struct {
	seq   Seq
	value []string
}

func (r *revisions) header(seq Seq) []string {
	h := r.last.Load()
	if h == nil || h.seq != seq {
		h = &revisionHeader{seq, []string{strconv.FormatUint(uint64(seq), 10)}}
		r.last.Store(h)
	}
	return h.value
}

var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// checks answers POST /v1/checks: up to maxChecks at once.
func (c *call) checks() (reply, error) {
	var in wire.Checks
	v, err := c.readJSON()
	if err != nil {
		return reply{}, err
	}
	if why := tooMany(v); why != nil {
		return reply{}, why
	}
	if err := bindInto(v, &in); err != nil {
		return reply{}, err
	}
	var b binder
	questions, needs := make([]Question, len(in.Checks)), make([]domain.Need, len(in.Checks))
	for i, one := range in.Checks {
		if questions[i], needs[i], err = c.question(one); err != nil {
			b.nested(itemOf("/checks", i), err)
		}
		if b.more {
			break
		}
	}
	if err := b.err(); err != nil {
		return reply{}, err
	}
	results, at, err := c.decideAll(questions, needs)
	if err != nil {
		return reply{}, err
	}
	return reply{body: wire.Decisions{Results: results}, revision: at}, nil
}

const maxChecks = 1000

func tooMany(v value) error {
	for _, m := range v.members {
		if m.name == "checks" && len(m.value.items) > maxChecks {
			return domain.Invalid("/checks", "holds at most %d checks", maxChecks)
		}
	}
	return nil
}

// nested adds the fields of err under a pointer.
func (b *binder) nested(at string, err error) {
	var e *domain.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			b.fault(at+f.Pointer, "%s", f.Detail)
		}
	}
}

// decideAll answers a batch from one revision, the caller's rights included.
// Whether this node may answer is looked at after the last decision.
func (c *call) decideAll(questions []Question, needs []domain.Need) ([]wire.Decision, Seq, error) {
	own, err := c.bearer()
	if err != nil {
		return nil, 0, err
	}
	answers, at, err := c.h.svc.CheckAll(own, c.from(), questions, needs)
	if err != nil {
		return nil, 0, err
	}
	results := make([]wire.Decision, len(answers))
	for i := range answers {
		c.h.svc.metrics.checked(answers[i].Verdict)
		results[i] = wireDecision(answers[i])
	}
	return results, at, nil
}

func wireDecision(a projections.Answer) wire.Decision {
	d := wire.Decision{
		Allowed: a.Allowed(), Code: string(a.Verdict), Reason: a.Verdict.Reason(), Revision: uint64(a.At),
		Stale: a.Stale > 0, AgeMS: a.Stale.Milliseconds(),
	}
	if a.Grant != nil {
		g := wireGrant(a.Grant)
		d.Grant = &g
	}
	if a.Token != nil {
		d.Account, d.Token = string(a.Token.Account), string(a.Token.ID)
	}
	d.Ancestor = string(a.Ancestor)
	for _, id := range a.Ancestors {
		d.Ancestors = append(d.Ancestors, string(id))
	}
	return d
}
