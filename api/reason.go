package api

import (
	"hallpass/api/wire"
	"hallpass/domain"
)

// readReason takes the reason of a revoke, suspend or close from the query or
// the body. A key that stands in both is refused: which was meant, only the
// caller knows.
func (c *call) readReason() (domain.Reason, Wait, error) {
	var in wire.Reason
	if err := c.readInto(&in); err != nil {
		return domain.Reason{}, WaitDefault, err
	}
	var b binder
	r := domain.Reason{
		Code: domain.ReasonCode(b.once("reason", in.Reason, c.query["reason"])),
		Text: b.once("reason_text", in.Text, c.query["reason_text"]),
	}
	wait := b.wait(in.Wait, c.query["wait"])
	return r, wait, b.err()
}

// readWait reads the body of a change that has no fields of its own.
func (c *call) readWait() (Wait, error) {
	var in wire.Wait
	if err := c.readInto(&in); err != nil {
		return WaitDefault, err
	}
	var b binder
	wait := b.wait(in.Wait, c.query["wait"])
	return wait, b.err()
}

// queryWait is the wait of a change whose body has no place for it. What it may
// be, readQuery has seen to.
func (c *call) queryWait() Wait {
	wait, _ := parseWait(c.query["wait"])
	return wait
}

// once returns the value of a key that may stand in the body or in the query.
func (b *binder) once(key, body, query string) string {
	if body != "" && query != "" {
		b.fault("/"+key, "stands in the body and in the query: send it once")
	}
	return body + query
}

var reasonParams = []param{
	{name: "reason", typ: "string", enum: reasonNames(), doc: "Why; default unspecified. May stand in the body instead."},
	{name: "reason_text", typ: "string", doc: "More of it, at most 512 bytes. May stand in the body instead."},
	waitParam,
}

func reasonNames() []string {
	var n []string
	for _, r := range domain.ReasonCodes {
		n = append(n, string(r))
	}
	return n
}
