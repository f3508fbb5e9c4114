// Package projectionstest helps to test what follows a log: nodes over one log
// with a faulty link each, a writer that files facts without asking anyone,
// random histories, and a naive model that says what is right.
//
// A Play is several nodes on fake time that are stalled, cut off, killed and
// started again while tokens are issued, checked and revoked, and that are held
// to what a fence promises. A Script is the text of a play.
package projectionstest
