//go:build unix

package chaos

import (
	"os"
	"syscall"
)

// stop has the process stand still, all of its threads, until resume.
func stop(p *os.Process) error   { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
