//go:build !unix

package chaos

import (
	"errors"
	"os"
)

var errNoSignals = errors.New("this system can't stop processes for a while")

func stop(*os.Process) error   { return errNoSignals }
func resume(*os.Process) error { return errNoSignals }
