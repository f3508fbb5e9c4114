// Package hook lets the tests of hallpass reach into a node. Nothing outside
// projections can make one.
package hook

// Hook changes a node for a test. nil changes nothing.
type Hook struct {
	// Unleased makes a node that follows the log and takes no part in it: it
	// writes nothing, and answers checks as long as its link lasts.
	Unleased bool

	// Decided, if set, is called in each check between deciding and looking
	// whether the node may answer.
	Decided func()

	// Between, if set, is called by checks that read more than one token, after
	// each, while a record may be folded.
	Between func()
}
