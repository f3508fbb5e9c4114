package api

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hallpass/domain"
)

// param is one query parameter of a route.
type param struct {
	name string
	doc  string
	typ  string   // string, integer, boolean or date-time
	enum []string // what it may be; nil: anything of the type
}

// readQuery takes the query apart. What the route doesn't know, or what stands
// there twice, is refused.
func (c *call) readQuery() error {
	raw := c.r.URL.RawQuery
	if raw == "" {
		return nil
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return domain.Errorf(codeBadQuery, "the query string is not name=value pairs joined by &, with %%-escapes of two hex digits")
	}
	var b binder
	c.query = make(map[string]string, len(q))
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if b.more {
			break
		}
		values := q[name]
		i := slices.IndexFunc(c.route.query, func(p param) bool { return p.name == name })
		switch {
		case i < 0:
			b.fault(pointerTo("/query", name), "is no parameter here; there are %s", names(c.route.query))
		case len(values) > 1:
			b.fault("/query/"+name, "may stand there only once")
		case c.route.query[i].enum != nil && !slices.Contains(c.route.query[i].enum, values[0]):
			b.fault("/query/"+name, "is one of %s", strings.Join(c.route.query[i].enum, ", "))
		default:
			c.query[name] = values[0]
		}
	}
	return b.err()
}

func names(params []param) string {
	if len(params) == 0 {
		return "none"
	}
	var n []string
	for _, p := range params {
		n = append(n, p.name)
	}
	return strings.Join(n, ", ")
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

var pageParams = []param{
	{name: "cursor", typ: "string", doc: "next_cursor of the page before."},
	{name: "limit", typ: "integer", doc: "At most so many items, 1 to 1000; default 100."},
}

// limit returns the page size asked for.
func (c *call) limit(b *binder) int {
	s, ok := c.query["limit"]
	if !ok {
		return defaultLimit
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		b.fault("/query/limit", "is a number from 1 to %d", maxLimit)
	}
	return n
}

// sequence returns the query parameter as a revision; 0 if it isn't there.
func (c *call) sequence(b *binder, name string) Seq {
	s, ok := c.query[name]
	if !ok {
		return 0
	}
	n, err := parseSeq(s)
	if err != nil {
		b.fault("/query/"+name, "is a revision: a whole number")
	}
	return n
}

func parseSeq(s string) (Seq, error) {
	if s == "" || s[0] == '+' || len(s) > 1 && s[0] == '0' {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return Seq(n), err
}

// wait reads what a change waits for before it is answered, which may stand in
// the body or in the query.
func (b *binder) wait(body, query string) Wait {
	w, ok := parseWait(b.once("wait", body, query))
	if !ok {
		b.fault("/wait", "is all or commit")
	}
	return w
}

var waitParam = param{name: "wait", typ: "string", enum: []string{"all", "commit"},
	doc: "all: answer, with a receipt, when no node can answer without the change any more; default for revoke, suspend and close. commit: answer when it is committed and applied on this node. May stand in the body instead, where there is one for it."}

// matches is an If-Match header: the revisions a caller is willing to change.
type matches struct {
	any       bool // no header, or *
	revisions []Seq
}

// readIfMatch reads If-Match (RFC 9110 section 13.1.1). Weak tags, and strong
// ones that are no revision, match nothing.
func (c *call) readIfMatch() (matches, error) {
	header := c.r.Header["If-Match"]
	if len(header) == 0 {
		return matches{any: true}, nil
	}
	var m matches
	all := strings.Join(header, ",")
	if strings.TrimSpace(all) == "*" {
		return matches{any: true}, nil
	}
	for tag := range strings.SplitSeq(all, ",") {
		tag = strings.TrimSpace(tag)
		weak := strings.HasPrefix(tag, "W/")
		tag = strings.TrimPrefix(tag, "W/")
		if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.Contains(tag[1:len(tag)-1], `"`) {
			return m, domain.Errorf(codeBadHeader, `If-Match holds ETags as they were answered, as in "7", or *`)
		}
		if n, err := parseSeq(tag[1 : len(tag)-1]); err == nil && !weak && n > 0 {
			m.revisions = append(m.revisions, n)
		}
	}
	return m, nil
}

// never is a revision that no token has.
const never = Seq(1<<63 - 1)

// expect returns what a command on a token at that revision must expect: 0 if
// anything will do.
func (m matches) expect(revision Seq) Seq {
	switch {
	case m.any:
		return 0
	case slices.Contains(m.revisions, revision):
		return revision
	case len(m.revisions) == 0:
		return never
	}
	return m.revisions[0]
}

// retag says that no tag matched where the stand-in revision would be named.
func (m matches) retag(err error) error {
	if len(m.revisions) == 0 && domain.CodeOf(err) == domain.CodePrecondition {
		return domain.Errorf(domain.CodePrecondition, "If-Match holds no ETag of the token as it is: read it again")
	}
	return err
}

func cursorError(b *binder) { b.fault("/query/cursor", "is not a cursor that this list gave") }
