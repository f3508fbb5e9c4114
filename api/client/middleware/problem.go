package middleware

import (
	"cmp"
	"encoding/json"
	"net/http"
)

// refusal is one way to say no.
type refusal struct {
	status    int
	code      string
	detail    string
	challenge string // RFC 6750 section 3, behind the realm; "-": none at all
}

var (
	noCredential  = refusal{status: http.StatusUnauthorized, code: "missing_token"}
	badCredential = refusal{status: http.StatusBadRequest, code: "invalid_request", challenge: `, error="invalid_request"`}
	badToken      = refusal{
		status: http.StatusUnauthorized, code: "invalid_token", detail: "the bearer token does not work",
		challenge: `, error="invalid_token", error_description="the bearer token does not work"`,
	}
	forbidden = refusal{
		status: http.StatusForbidden, code: "forbidden", detail: "the token may not do this",
		challenge: `, error="insufficient_scope"`,
	}
)

func unavailable(code string) refusal {
	if code != "stale" && code != "not_ready" {
		code = "unavailable"
	}
	return refusal{
		status: http.StatusServiceUnavailable, code: code, challenge: "-",
		detail: "whether this may be done can't be said for sure at the moment; try again shortly",
	}
}

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

func (g *Guard) refuse(w http.ResponseWriter, is refusal, detail string) {
	h := w.Header()
	if is.challenge != "-" {
		h.Set("WWW-Authenticate", `Bearer realm="`+cmp.Or(g.Realm, "hallpass")+`"`+is.challenge)
	}
	if is.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(is.status)
	_ = json.NewEncoder(w).Encode(problem{ // an error is the client's, who went away
		Type: "about:blank", Title: http.StatusText(is.status), Status: is.status,
		Detail: cmp.Or(detail, is.detail), Code: is.code,
	})
}
