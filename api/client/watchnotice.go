package client

import (
	"context"
	"iter"
)

// Watcher tells of revocations. Remote is one over HTTP, and package embedded
// has one in this process.
type Watcher interface {
	// Revocations tells, in order, of everything after that revision that took
	// rights from tokens, or may have. Now starts with what comes next.
	//
	// Whoever holds something on the strength of a decision (a connection, a
	// session) goes by three rules:
	//   - Revoked ends what it concerns, if that was decided below its Revision;
	//     unless it is Final, a new check may keep it, with Revision as
	//     MinRevision.
	//   - Missed ends everything; a new check of each, with MinRevision as
	//     Missed says, may keep it.
	//   - the end of the sequence ends everything: nothing more will be told.
	// What is decided while the sequence is read, and is held only then, has to
	// be compared with what was told meanwhile. Holds does all that.
	//
	// A watch never skips in silence. What was told may be told again. It
	// begins with Missed where it starts with Now, or can't start where it was
	// to. Breaks of the link are mended without an end. The last element alone
	// has an error: ctx's, or why no further try would do better.
	Revocations(ctx context.Context, after uint64) iter.Seq2[Notice, error]
}

// Notice is what a watch tells: Revoked or Missed.
//
//sumtype:decl
type Notice interface{ notice() }

// Revoked says that a record took rights from a token, or from every token of
// an account, or may have.
type Revoked struct {
	Revision uint64 // of the record
	Account  string
	Token    string // "": every token of the account
	Type     string // of the record: "token.revoked"
}

// Missed says that revocations may have happened that are told late or never.
type Missed struct {
	// MinRevision is the revision after which the watch goes on. A decision at
	// least as new, together with what is told from here on, misses nothing. 0
	// while Blind: any new decision has to do for now.
	MinRevision uint64

	// Blind says that at this moment the watch sees nothing. It is said again
	// and again, each time after the watcher's patience, until it sees again.
	Blind bool

	Why error
}

func (Revoked) notice() {}
func (Missed) notice()  {}

// Concerns tells whether the record is about that token. Whoever holds something
// for a derived token asks for each of its ancestors too.
func (r Revoked) Concerns(account, token string) bool {
	return r.Account == account && (r.Token == "" || r.Token == token)
}

// Final tells that nothing decided before the record can stand, so that no
// check has to be made again.
func (r Revoked) Final() bool {
	switch r.Type {
	case "token.revoked", "token.disabled", "account.suspended", "account.closed":
		return true
	}
	return false
}

// RevokedBy returns what a record of that type means to who holds something.
// False: surely nothing. A type that this version doesn't know may mean
// anything.
func RevokedBy(r Revoked) (Revoked, bool) {
	switch r.Type {
	case "genesis", "account.opened", "account.resumed", "token.issued", "token.enabled",
		"token.revealed", "token.resealed", "type.defined", "type.removed",
		"node.joined", "node.left", "checkpoint":
		return Revoked{}, false
	}
	return r, true
}
