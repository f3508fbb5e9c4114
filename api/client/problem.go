package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"hallpass/api/wire"
)

// Problem is an answer that refuses: what the server said, never what was sent.
type Problem struct {
	Status    int    // HTTP
	Code      string // stable: "not_found"; "" if the answer wasn't hallpass's
	Title     string
	Detail    string // a sentence for people
	Fields    []wire.ProblemField
	RequestID string
}

// Error is the sentence, with the fields at fault that it doesn't name itself.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	if p.Detail == "" {
		b.WriteString(p.Title)
	}
	for _, f := range p.Fields {
		if len(p.Fields) == 1 && f.Detail == p.Detail {
			fmt.Fprintf(&b, " (%s)", f.Pointer)
			break
		}
		fmt.Fprintf(&b, "; %s: %s", f.Pointer, f.Detail)
	}
	return b.String()
}

// Is makes errors.Is(err, &Problem{Code: c}) compare codes.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && t.Code == p.Code
}

// Code returns the code of the Problem in err's chain; "" when there is none.
func Code(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// maxProblem bounds what is read of a refusal, in bytes.
const maxProblem = 1 << 20

// problemOf reads the refusal that resp is. The answer of something that isn't
// hallpass (a proxy, another server) gets a sentence of its own.
func problemOf(resp *http.Response) *Problem {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	return problemIn(resp.StatusCode, body)
}

// problemIn is problemOf for an answer that was read.
func problemIn(status int, body []byte) *Problem {
	var w wire.Problem
	if err := json.Unmarshal(body, &w); err != nil || w.Code == "" {
		return &Problem{
			Status: status, Title: http.StatusText(status),
			Detail: fmt.Sprintf("the server answered %d %s and not as hallpass does: is this the right address?", status, http.StatusText(status)),
		}
	}
	return &Problem{
		Status: status, Code: w.Code, Title: w.Title, Detail: w.Detail,
		Fields: w.Errors, RequestID: w.RequestID,
	}
}
