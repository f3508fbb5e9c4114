//go:build !linux

package chaos

import "syscall"

func apart() *syscall.SysProcAttr { return nil }
