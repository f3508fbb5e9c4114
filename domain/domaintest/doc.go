// Package domaintest holds what tests of more than one package share about the
// domain: authorization cases as text, a naive model to compare with, random
// permissions, histories and events of nodes, and given/when/then.
package domaintest
