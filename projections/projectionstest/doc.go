// Package projectionstest helps to test what follows a log: nodes over one log
// with a faulty link each, a writer that files facts without asking anyone,
// random histories, and a naive model that says what is right.
package projectionstest
