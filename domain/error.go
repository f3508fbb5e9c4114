package domain

import (
	"errors"
	"fmt"
)

// Code is what a program acts on when something was refused. Codes are stable:
// they stand in API answers and in audit.
type Code string

// The codes of refused commands and questions. Each has one HTTP status, in
// api's one table.
const (
	CodeInvalid       Code = "invalid"        // a field is out of bounds; Fields say which
	CodeTooLarge      Code = "too_large"      // the encoded event would exceed MaxEventSize
	CodeUnauthorized  Code = "invalid_token"  // no credential, or not one that works
	CodeForbidden     Code = "forbidden"      // the actor may not do this
	CodeActorRevoked  Code = "actor_revoked"  // the actor was narrowed before its record took effect
	CodeNotFound      Code = "not_found"      // no such account or token
	CodeExists        Code = "exists"         // the id is in use
	CodeRevoked       Code = "revoked"        // the token is revoked and can't be changed
	CodeImmutable     Code = "immutable"      // the token can only be revoked
	CodeConflict      Code = "conflict"       // others kept changing the same thing, or a secret is in use
	CodeAccountClosed Code = "account_closed" // the account is closed for good
	CodePrecondition  Code = "precondition_failed"
	CodeUnknown       Code = "unknown"     // whether the write happened isn't known in time
	CodeStale         Code = "stale"       // this node can't vouch for being current
	CodeNotReady      Code = "not_ready"   // this node is still replaying
	CodeStreamFull    Code = "stream_full" // the stream takes no more records
	CodeInternal      Code = "internal"

	CodeHistoryDiffers Code = "history_differs"   // nodes hold different histories of the same stream
	CodeNotFenced      Code = "not_fenced"        // the change is stored, but some node may not have it yet
	CodeReplicaDamaged Code = "replica_damaged"   // the stream's leader holds another history than most replicas
	CodeLastManager    Code = "last_manager"      // nobody could manage the account's tokens any more
	CodeTypeInUse      Code = "type_in_use"       // tokens name actions of the type
	CodeNotRevealable  Code = "not_revealable"    // the token's secrets are not kept
	CodeKeyMissing     Code = "key_missing"       // this node doesn't have the key that a secret is sealed with
	CodeCountDiffers   Code = "count_differs"     // other tokens match than the caller saw
	CodeUpgrading      Code = "cluster_upgrading" // some node can't read yet what the change would write
)

// Error is every refusal of the domain: a code for programs, a sentence for
// people, and the fields at fault. It never holds a secret or an input value
// that could be one.
type Error struct {
	Code   Code
	Detail string
	Fields []Field
}

// Field says what is wrong with one field of a command, and what would be right.
type Field struct {
	Pointer string // RFC 6901 pointer into the command, as the native API spells it
	Detail  string
}

func (e *Error) Error() string {
	if e.Detail == "" && len(e.Fields) > 0 {
		return fmt.Sprintf("%s: %s: %s", e.Code, e.Fields[0].Pointer, e.Fields[0].Detail)
	}
	return string(e.Code) + ": " + e.Detail
}

// Is makes errors.Is(err, &Error{Code: c}) compare codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Errorf returns an Error with that code and sentence.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Invalid returns an Error with code "invalid" and one field.
func Invalid(pointer, format string, args ...any) *Error {
	d := fmt.Sprintf(format, args...)
	return &Error{Code: CodeInvalid, Detail: d, Fields: []Field{{pointer, d}}}
}

// CodeOf returns the code of err, or CodeInternal when err isn't an Error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// faults gathers the fields at fault of one command, so that a caller learns
// all of them at once.
type faults []Field

func (f *faults) add(pointer, format string, args ...any) {
	*f = append(*f, Field{pointer, fmt.Sprintf(format, args...)})
}

func (f faults) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return &Error{Code: CodeInvalid, Detail: f[0].Detail, Fields: f}
	}
	return &Error{Code: CodeInvalid, Detail: fmt.Sprintf("%d fields are not right: %s", len(f), f[0].Detail), Fields: f}
}
