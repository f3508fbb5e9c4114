package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"hallpass/api/wire"
	"hallpass/domain"
)

// Codes of refusals that HTTP alone knows; the domain's stand beside its errors.
const (
	codeBadJSON        domain.Code = "bad_json"        // the body is no JSON that can be read in one way only
	codeBadPath        domain.Code = "bad_path"        // the path holds something that servers read differently, or no valid id
	codeBadQuery       domain.Code = "bad_query"       // the query string can't be read
	codeBadHeader      domain.Code = "bad_header"      // a header can't be read
	codeInvalidRequest domain.Code = "invalid_request" // RFC 6750: the credential can't be read
	codeNotAllowed     domain.Code = "method_not_allowed"
	codeBodyTooLarge   domain.Code = "body_too_large"
	codeBadEncoding    domain.Code = "unsupported_encoding"
	codeTimeout        domain.Code = "request_timeout"
	codeRevisionGone   domain.Code = "revision_unknown" // this node has not seen that revision
	codeNoCredential   domain.Code = "missing_token"    // no credential at all
	codeTooManyStreams domain.Code = "too_many_streams" // this node holds as many event streams as it takes
	codeIncomplete     domain.Code = "incomplete"       // part of a bulk is done
	codeRateLimited    domain.Code = "rate_limited"     // this node takes so many in a minute
)

// status is one row of the table below.
type status struct {
	http  int
	title string
	about string // for the documentation
}

// statuses is the one place where codes meet HTTP.
var statuses = map[domain.Code]status{
	codeBadJSON:        {400, "Malformed JSON", "The body is not JSON, or JSON that readers take in different ways."},
	codeBadPath:        {400, "Malformed path", "The path holds something that servers read in different ways, or an id that can't exist."},
	codeBadQuery:       {400, "Malformed query", "The query string can't be read."},
	codeBadHeader:      {400, "Malformed header", "A header can't be read."},
	codeInvalidRequest: {400, "Malformed credential", "There is more than one credential, or one that can't be read."},
	codeNoCredential:   {401, "Credential missing", "The request has no bearer token."},

	domain.CodeUnauthorized:   {401, "Invalid token", "The bearer token does not work; it is never said why."},
	domain.CodeForbidden:      {403, "Forbidden", "The token may not do this."},
	domain.CodeActorRevoked:   {403, "Caller revoked", "The caller's token lost rights before the change took effect; nothing was changed."},
	domain.CodeNotFound:       {404, "Not found", "There is no such thing here."},
	codeNotAllowed:            {405, "Method not allowed", "The path does not take this method; Allow lists those it does."},
	codeTimeout:               {408, "Request timeout", "The body did not arrive in time."},
	domain.CodeExists:         {409, "Exists", "The id is in use."},
	domain.CodeRevoked:        {409, "Revoked", "The token is revoked and can't be changed."},
	domain.CodeImmutable:      {409, "Immutable", "The token can only be revoked."},
	domain.CodeConflict:       {409, "Conflict", "Others kept changing the same thing, or a secret is in use."},
	domain.CodeAccountClosed:  {409, "Account closed", "The account is closed for good."},
	domain.CodeUpgrading:      {409, "Cluster upgrading", "A node can't read yet what the change would write; nothing was changed."},
	domain.CodeLastManager:    {409, "Last manager", "No other token of the account could issue, edit and revoke its tokens; force does it all the same."},
	domain.CodeTypeInUse:      {409, "Type in use", "Tokens name actions of the type; the detail names them."},
	domain.CodeCountDiffers:   {409, "Count differs", "Other tokens match than the caller saw; nothing was changed."},
	domain.CodeNotRevealable:  {409, "Not revealable", "The token's secrets are not kept: it was not issued as revealable."},
	codeRevisionGone:          {409, "Revision unknown", "The stream has no such revision yet: resume from one that it gave."},
	domain.CodePrecondition:   {412, "Precondition failed", "If-Match names another revision than the current one."},
	codeBodyTooLarge:          {413, "Body too large", "A body has at most 1 MiB."},
	codeBadEncoding:           {415, "Unsupported encoding", "Bodies are read as they are: no Content-Encoding."},
	domain.CodeInvalid:        {422, "Invalid", "Fields are not right; errors says which, and what would be."},
	domain.CodeTooLarge:       {422, "Too large", "The change would not fit into one record."},
	codeTooManyStreams:        {429, "Too many streams", "The token, or this node, holds as many event streams as it may; end one, or try again later."},
	codeRateLimited:           {429, "Rate limited", "This node takes so many of these in a minute; Retry-After says when the next."},
	domain.CodeInternal:       {500, "Internal error", "Something went wrong here; the request id finds it in the log."},
	domain.CodeUnknown:        {503, "Outcome unknown", "It could not be learned in time whether the change happened; the detail names the event to look for."},
	domain.CodeStale:          {503, "Stale", "This node can't vouch for being current, and refuses to answer rather than to be wrong."},
	domain.CodeNotReady:       {503, "Not ready", "This node can't take the request yet; nothing was changed."},
	codeIncomplete:            {503, "Incomplete", "Part of the tokens are revoked; the detail says how many. Ask for the same again, without expect, to revoke the others."},
	domain.CodeNotFenced:      {503, "Not fenced", "The change is stored, but it could not be learned in time that no node can answer without it; ask for the same again, on any node."},
	domain.CodeHistoryDiffers: {503, "History differs", "The change is stored, but a node holds another history of the stream; the detail names it."},
	domain.CodeReplicaDamaged: {503, "Replica damaged", "The server that leads the stream contradicts what this node has applied; the detail names the event to look for."},
	domain.CodeKeyMissing:     {503, "Key missing", "This node does not have the key that the secret is, or would be, sealed with."},
	domain.CodeStreamFull:     {507, "Stream full", "The stream takes no more records, or none that give rights; nothing was changed."},
}

// statusOf returns the row for a code; unknown codes are internal.
func statusOf(c domain.Code) status {
	if st, ok := statuses[c]; ok {
		return st
	}
	return statuses[domain.CodeInternal]
}

// problemOf is err as it is answered.
func (c *call) problemOf(err error) (wire.Problem, *domain.Error) {
	e := c.h.svc.asError(err, c.id)
	st := statusOf(e.Code)
	p := wire.Problem{
		Type: "/docs#problem-" + string(e.Code), Title: st.title, Status: st.http,
		Detail: e.Detail, Code: string(e.Code), RequestID: c.id,
	}
	if n := len(e.Fields); n > maxFaults {
		p.Detail = fmt.Sprintf("%s (of %d fields that are not right, the first %d are named)", e.Detail, n, maxFaults)
	}
	for _, f := range e.Fields[:min(len(e.Fields), maxFaults)] {
		p.Errors = append(p.Errors, wire.ProblemField{Pointer: f.Pointer, Detail: f.Detail})
	}
	if p.Detail == "" && len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Detail
	}
	return p, e
}

// problem answers err: the only writer of errors.
func (c *call) problem(err error) {
	p, e := c.problemOf(err)
	h := c.Header()
	if challenge := challengeFor(e.Code); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	switch p.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", "10")
		}
	}
	body, _ := json.Marshal(p) // strings and numbers alone: it can't fail
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Del("Etag")
	c.WriteHeader(p.Status)
	c.send(body)
}

// challengeFor is RFC 6750 section 3's answer to a refused credential.
func challengeFor(code domain.Code) string {
	const realm = `Bearer realm="hallpass"`
	switch code {
	case codeNoCredential:
		return realm
	case codeInvalidRequest:
		return realm + `, error="invalid_request"`
	case domain.CodeUnauthorized:
		return realm + `, error="invalid_token", error_description="the bearer token does not work"`
	case domain.CodeForbidden, domain.CodeActorRevoked:
		return realm + `, error="insufficient_scope"`
	}
	return ""
}
