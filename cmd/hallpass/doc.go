// Command hallpass is the server and its command line in one: it wires the
// packages, and alone knows of flags, the environment and the terminal.
//
// Exit codes: 0 done, 1 refused or not possible, 2 a command line that can't
// be run, 3 a check answered with no.
package main
