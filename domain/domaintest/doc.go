// Package domaintest holds what tests of more than one package share about the
// domain: authorization cases as text, naive models to compare with, of single
// permissions and of a whole account (World), random permissions, histories and
// events of nodes, and given/when/then.
package domaintest
