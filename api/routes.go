package api

import (
	"net/http"
	"slices"

	"hallpass/api/wire"
)

// route is one method on one path: how it is served, and what the OpenAPI
// document says of it.
type route struct {
	method, path string
	id           string // operationId
	tag          string
	summary      string
	about        string

	do  func(*call) (reply, error) // answered by call.answer
	raw func(*call)                // writes its answer itself

	open    bool // takes no credential
	staleOK bool // may be answered as stale, where the operator allows that
	ifMatch bool // takes If-Match
	once    bool // takes Idempotency-Key
	query   []param
	in      any      // zero value of the body's type; nil: none
	inAll   bool     // every field of in may be left out, and so may the body
	out     any      // zero value of the answer's type; nil: not JSON
	outType string   // beside a type: another that the client may ask for
	status  int      // of success; 0: 200
	made    bool     // 201 instead, with the same answer, where something was made
	codes   []string // of refusals beside those that all routes share

	count routeCount
}

const (
	checkPath    = "/v1/check"
	accountsPath = "/v1/accounts"
	accountPath  = "/v1/accounts/{account}"
	tokensPath   = accountPath + "/tokens"
	tokenPath    = tokensPath + "/{token}"
)

// table is everything that is served.
func (h *handler) table() []*route {
	return slices.Concat(h.accountRoutes(), h.editAccountRoutes(), h.tokenRoutes(), h.sessionRoutes(), h.useRoutes(), h.plainRoutes(), h.keyringRoutes(), h.typeRoutes(), h.leakRoutes(), h.bulkRoutes())
}

func (h *handler) accountRoutes() []*route {
	return []*route{
		{method: "POST", path: accountsPath, id: "openAccount", tag: "accounts", summary: "Open an account",
			about: "Takes CreateAccount, with a token of the account root.",
			do:    (*call).openAccount, query: []param{waitParam}, in: wire.OpenAccount{}, out: wire.Account{}, status: http.StatusCreated,
			codes: []string{"exists", "account_closed"}},
		{method: "GET", path: accountsPath, id: "listAccounts", tag: "accounts", summary: "List accounts",
			about: "In the order in which they were opened. A token of the account root with read on /account sees all, others see their own.",
			do:    (*call).listAccounts, query: pageParams, out: wire.List[wire.Account]{}},
		{method: "GET", path: accountPath, id: "showAccount", tag: "accounts", summary: "Show an account",
			about: "Takes read on /account/{account}, in that account or in the account root.",
			do:    (*call).showAccount, out: wire.Account{}, codes: []string{"not_found"}},
		{method: "POST", path: accountPath + "/suspend", id: "suspendAccount", tag: "accounts", summary: "Suspend an account",
			about: "Every token of it is refused at once, until it is resumed. Takes SuspendAccount, with a token of the account root.",
			do:    (*call).suspendAccount, query: reasonParams, in: wire.Reason{}, inAll: true, out: wire.Account{},
			codes: []string{"not_found", "account_closed"}},
		{method: "POST", path: accountPath + "/resume", id: "resumeAccount", tag: "accounts", summary: "Resume a suspended account",
			about: "Takes ResumeAccount, with a token of the account root.",
			do:    (*call).resumeAccount, query: []param{waitParam}, in: wire.Wait{}, inAll: true, out: wire.Account{},
			codes: []string{"not_found", "account_closed"}},
		{method: "POST", path: accountPath + "/close", id: "closeAccount", tag: "accounts", summary: "Close an account for good",
			about: "Every token of it is refused for ever. Takes CloseAccount, with a token of the account root.",
			do:    (*call).closeAccount, query: reasonParams, in: wire.Reason{}, inAll: true, out: wire.Account{},
			codes: []string{"not_found"}},
	}
}

func (h *handler) tokenRoutes() []*route {
	write := func(codes ...string) []string {
		return append(codes, "not_found", "account_closed", "revoked", "immutable", "precondition_failed")
	}
	return []*route{
		{method: "POST", path: tokensPath, id: "issueToken", tag: "tokens", summary: "Issue a token",
			about: "The answer shows the secret, this once. A revoked id may be issued again. A secret may be brought along from another system instead; no answer shows that. Takes CreateToken on /token/{id}, and all that the new token may do.",
			do:    (*call).issueToken, once: true, query: []param{waitParam}, in: wire.IssueToken{}, inAll: true, out: wire.Token{}, status: http.StatusCreated,
			codes: []string{"exists", "not_found", "account_closed", "too_large", "key_missing"}},
		{method: "POST", path: tokenPath + "/derive", id: "deriveToken", tag: "tokens", summary: "Derive a token",
			about: "Issues a token that may do nothing, at any time, that this one may not: what disables, narrows, suspends or ends this one does so to all that was derived from it, at once, and enabling brings them back. At most 8 deep. Takes what issuing takes, and ReadTokenConfig on /token/{token} unless it is the bearer's own.",
			do:    (*call).deriveToken, once: true, query: []param{waitParam}, in: wire.IssueToken{}, inAll: true, out: wire.Token{}, status: http.StatusCreated,
			codes: []string{"exists", "not_found", "account_closed", "revoked", "too_large", "key_missing"}},
		{method: "GET", path: tokensPath, id: "listTokens", tag: "tokens", summary: "List tokens",
			about: "In the order in which they were issued. Takes ListTokens on /token.",
			do:    (*call).listTokens, query: tokenListParams, out: wire.List[wire.Token]{}, codes: []string{"not_found"}},
		{method: "GET", path: tokenPath, id: "showToken", tag: "tokens", summary: "Show a token",
			about: "Takes ReadTokenConfig on /token/{token}.",
			do:    (*call).showToken, out: wire.Token{}, codes: []string{"not_found"}},
		{method: "PATCH", path: tokenPath, id: "editToken", tag: "tokens", summary: "Edit a token",
			about: "A JSON merge patch (RFC 7396): objects merge, lists are replaced, null takes away. Fields that can't be changed are ignored where they say what is so, and refused otherwise. Takes UpdateToken on /token/{token}, and all that the token may do after it, where that is more.",
			do:    (*call).editToken, ifMatch: true, query: []param{forceParam, waitParam}, in: wire.EditToken{}, inAll: true, out: wire.Token{}, codes: write("too_large", "last_manager")},
		{method: "DELETE", path: tokenPath, id: "revokeToken", tag: "tokens", summary: "Revoke a token for good",
			about: "A token that is revoked already is no error. The reason may stand in the body or in the query, not in both. Takes DeleteToken on /token/{token}, or nothing where the bearer revokes itself.",
			do:    (*call).revokeToken, ifMatch: true, query: append([]param{forceParam}, reasonParams...), in: wire.Reason{}, inAll: true, out: wire.Token{},
			codes: []string{"not_found", "precondition_failed", "last_manager"}},
		{method: "POST", path: tokenPath + "/enable", id: "enableToken", tag: "tokens", summary: "Enable a token",
			about: "Takes UpdateToken on /token/{token}, and all that the token may do.",
			do:    (*call).enableToken, ifMatch: true, query: []param{waitParam}, in: wire.Wait{}, inAll: true, out: wire.Token{}, codes: write()},
		{method: "POST", path: tokenPath + "/disable", id: "disableToken", tag: "tokens", summary: "Disable a token",
			about: "It is refused until it is enabled. Takes UpdateToken on /token/{token}.",
			do:    (*call).disableToken, ifMatch: true, query: []param{forceParam, waitParam}, in: wire.Wait{}, inAll: true, out: wire.Token{}, codes: write("last_manager")},
		{method: "POST", path: tokenPath + "/rotate", id: "rotateToken", tag: "tokens", summary: "Give a token a new secret",
			about: "The answer shows it, this once. Older secrets end at once, or after the overlap. Takes UpdateToken on /token/{token}, and all that the token may do. A bearer that is a secret which this token had before is refused as everywhere; but here it means that two have it, and the token is revoked. A request that repeats a rotation, with its Idempotency-Key, is only refused.",
			do:    (*call).rotateToken, ifMatch: true, once: true, query: []param{waitParam}, in: wire.Rotate{}, inAll: true, out: wire.Token{}, codes: write("conflict", "key_missing")},
		{method: "GET", path: tokenPath + "/events", id: "tokenEvents", tag: "tokens", summary: "List a token's records",
			about: "Oldest first, void ones included. Takes ReadEvents on /audit.",
			do:    (*call).tokenEvents, query: historyParams, out: wire.List[wire.Event]{}, codes: []string{"not_found"}},
	}
}

func (h *handler) useRoutes() []*route {
	return []*route{
		{method: "POST", path: checkPath, id: "check", tag: "use", summary: "May this be done?",
			about: "Asks for the bearer, or for the holder of secret; that takes IntrospectToken on /token/{id} of the token it opens, without which the answer is unknown_secret. A refusal is an answer like any other: 200, with allowed false.",
			raw:   (*call).check, staleOK: true, in: wire.Check{}, out: wire.Decision{}},
		{method: "POST", path: "/v1/checks", id: "checks", tag: "use", summary: "Up to 1000 checks at once",
			about: "Answered in order, all from one revision, the bearer's own rights included.",
			do:    (*call).checks, staleOK: true, in: wire.Checks{}, out: wire.Decisions{}},
		{method: "GET", path: "/v1/whoami", id: "whoami", tag: "use", summary: "Show the bearer's own token",
			do: (*call).whoami, out: wire.Whoami{}},
		{method: "GET", path: "/v1/events", id: "events", tag: "use", summary: "Follow events",
			about: "Server-Sent Events: id is the revision, event the type, data an object as in the list of a token's records. A comment every 15 s. Resume with Last-Event-ID. Records that changed nothing are left out. Takes ReadEvents on /audit in the account. The stream ends when the bearer's token stops working, and when the client takes nothing for 30 s. A token may have 32 streams open on a node.",
			raw:   (*call).events, query: eventParams, outType: "text/event-stream", codes: []string{"revision_unknown", "too_many_streams"}},
	}
}

func (h *handler) plainRoutes() []*route {
	return []*route{
		{method: "GET", path: "/healthz", id: "health", tag: "operations", summary: "Is this process alive?",
			do: (*call).alive, open: true, out: wire.Health{}},
		{method: "GET", path: "/readyz", id: "ready", tag: "operations", summary: "Does this node answer checks?",
			about: "503 with the same body until it does: what it waits for, and how far it is.",
			do:    (*call).ready, open: true, out: wire.Ready{}},
		{method: "GET", path: "/v1/nodes", id: "listNodes", tag: "operations", summary: "List the nodes",
			about: "The processes that have joined the stream and not left, as this node sees them, with the keys that receipts are verified with. Takes ReadAudit on /audit of the account root.",
			do:    (*call).listNodes, out: wire.List[wire.Node]{}},
		{method: "GET", path: "/metrics", id: "metrics", tag: "operations", summary: "Metrics for Prometheus",
			raw: (*call).serveMetrics, open: true, outType: "text/plain"},
		{method: "GET", path: "/openapi.json", id: "openapi", tag: "operations", summary: "This document",
			raw: (*call).serveOpenAPI, open: true, outType: "application/vnd.oai.openapi+json"},
		{method: "GET", path: "/docs", id: "docs", tag: "operations", summary: "This document, for people",
			raw: (*call).serveDocs, open: true, outType: "text/html"},
	}
}
