// Package api is the door: HTTP in front of the log and its projections.
//
// Everything that changes anything goes through (*Service).Do, every question
// about use through (*Service).Check; the native HTTP API here, and any other
// door, is a skin over those. A command is authorised and decided on this
// node's projection, appended with the expected last record of its subject,
// and answered once this node's own fold has applied it. What a caller is told
// to have happened has happened; what can't be known in time is answered as
// unknown, with the id to ask about.
//
// NewHandler serves the native API under /v1, health, metrics, the OpenAPI
// document and a page of it. Its errors are RFC 9457 problems with stable
// codes; bearer errors follow RFC 6750. No input value that could be a secret
// is ever echoed, and no input causes a 5xx.
package api
