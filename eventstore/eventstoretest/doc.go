// Package eventstoretest holds what tests of and over an eventstore.Log share:
// Run, the contract suite that every implementation passes; Faulty, a log that
// loses answers, stalls, repeats and breaks as told; Servers, real NATS servers
// inside the test process that can be stopped and started again; and functions
// that make entries and read records.
package eventstoretest
