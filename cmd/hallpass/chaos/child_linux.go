package chaos

import "syscall"

// apart keeps the terminal's Ctrl-C from the children, whose end is this
// package's affair, and ends them should this process be killed.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
