//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// directoryID names a directory by its file system and place in it.
func directoryID(dir string) (string, bool) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%d:%d", s.Dev, s.Ino), true
}
